//! Power cut: the sync returns before each acknowledgement leaves, shown by a trace of system calls; and the check fails
//! when the syncs are taken out of the trace.

mod trace;

use std::fs;
use std::path::Path;

use postroom_testkit::mailer::{Mail, Mailer, Protocol};
use postroom_testkit::peers::{self, Durability, Postgres};
use postroom_testkit::process::Server;

use crate::crash::agent::Agent;
use crate::crash::token;
use crate::load::{Database, House, PATIENCE, letters, message_id, records};
use trace::Trace;

const LETTERS: u64 = 12;
/// What touches files and sockets, and so the order of writing, syncing and answering. `-xx` prints every byte.
const CALLS: &str = "trace=fdatasync,fsync,sync_file_range,write,writev,pwrite64,pwritev,sendto,sendmsg,read,readv,recvfrom,recvmsg";

/// Letters that no other names, so that an id in a page of the database means the letter itself.
fn lonely(numbers: std::ops::Range<u64>) -> Vec<Mail> {
    letters(numbers).into_iter().filter(|letter| letter.number % 3 == 1).collect()
}

/// Traces the processes while letters come in by SMTP, LMTP and HTTP. strace ends when they do, and has written all then.
fn traced(house: &House, processes: &[u32]) -> Server {
    let file = house.folder.join("trace");
    let mut strace = Server::in_folder(peers::require("strace"), &house.folder);
    strace = strace.args(["-f", "-y", "-xx", "-s", "400000", "-e", CALLS, "-o"]).arg(&file);
    strace = processes.iter().fold(strace, |strace, process| strace.args(["-p", &process.to_string()]));
    strace.start();
    strace.wait_until("strace on every process", PATIENCE, |server| {
        server.output().matches(" attached").count() >= processes.len()
    });
    let smtp =
        Mailer { deadline: PATIENCE, ..house.mailer(Protocol::Smtp) }.start(lonely(1..3 * LETTERS + 1));
    let lmtp = Mailer { deadline: PATIENCE, ..house.mailer(Protocol::Lmtp) };
    let agent = Agent::start(house.http, token(house), lonely(6 * LETTERS + 1..9 * LETTERS + 1));
    let lmtp = lmtp.send(lonely(3 * LETTERS + 1..6 * LETTERS + 1));
    let acked = [smtp.finish(), lmtp, agent.finish()].map(|book| book.acked().count());
    assert_eq!(acked, [LETTERS as usize; 3]);
    strace
}

/// The whole trace, once the traced processes have ended.
fn trace_of(mut strace: Server, house: &House) -> String {
    strace.wait_for_end(PATIENCE);
    fs::read_to_string(house.folder.join("trace")).expect("strace writes it")
}

/// Every acknowledgement waited for its sync; and with the syncs taken out of the trace, none did.
#[track_caller]
fn check(trace: &str, synced: impl Fn(&Trace, &str) -> Result<(), String>) {
    let unsafe_letters = |text: &str| -> Vec<String> {
        let trace = Trace::read(text);
        let ids = lonely(1..9 * LETTERS + 1).into_iter().map(|letter| message_id(letter.number));
        ids.filter_map(|id| synced(&trace, &id).err().map(|why| format!("{id}: {why}"))).collect()
    };
    let wrong = unsafe_letters(trace);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without: Vec<&str> = trace.lines().filter(|line| !line.contains("sync")).collect();
    let wrong = unsafe_letters(&without.join("\n"));
    assert_eq!(wrong.len() as u64, 3 * LETTERS, "without the syncs every letter is unsafe");
}

#[test]
fn each_acknowledgement_waits_for_the_sync_of_sqlite() {
    let mut house = House::new(Database::Sqlite);
    house.import(&records());
    house.start();
    let strace = traced(&house, &[house.server.id().expect("it runs")]);
    house.server.terminate(PATIENCE);
    check(&trace_of(strace, &house), Trace::synced_in_sqlite);
}

#[test]
fn each_acknowledgement_waits_for_the_sync_of_postgresql() {
    let postgres = Postgres::start(Durability::Synced);
    let url = postgres.database();
    let name = url.rsplit('/').next().expect("the database's name ends the address");
    // A careless default must not weaken what an acknowledgement means.
    postgres.run("postgres", &format!("alter database {name} set synchronous_commit = off"));
    let mut house = House::at(Some(url.clone()));
    house.import(&records());
    house.start();
    assert_eq!(postgres.run(name, "show fsync").trim(), "on");
    let mut processes = postgres_processes(postgres.folder());
    processes.push(house.server.id().expect("it runs"));
    let strace = traced(&house, &processes);
    house.server.terminate(PATIENCE);
    postgres.stop();
    check(&trace_of(strace, &house), Trace::synced_in_postgresql);
}

/// What a sync that failed has left on the disk nobody knows: the process ends with a line that says so, and a start recovers.
#[test]
fn a_failed_sync_stops_the_process() {
    let mut house = House::new(Database::Sqlite);
    house.import(&records());
    house.start();
    let mut strace = Server::in_folder(peers::require("strace"), &house.folder);
    strace = strace.args(["-f", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]);
    strace = strace.args(["-p", &house.server.id().expect("it runs").to_string()]);
    strace.start();
    strace.wait_until("strace on the process", PATIENCE, |server| server.output().contains(" attached"));
    let sending = Mailer { deadline: PATIENCE, ..house.mailer(Protocol::Smtp) }.start(lonely(1..10));
    let status = house.server.wait_for_end(PATIENCE);
    let said = house.server.output();
    assert!(!status.success() && said.contains("PR-7002"), "{status} {said}");
    strace.wait_for_end(PATIENCE);
    house.start();
    let book = sending.finish();
    assert_eq!(book.acked().count(), 3);
    house.judge(&book);
}

/// PostgreSQL's main process and those that it has forked; what it forks later is traced with it.
fn postgres_processes(folder: &Path) -> Vec<u32> {
    let text =
        fs::read_to_string(folder.join("data").join("postmaster.pid")).expect("a running server has one");
    let main: u32 =
        text.lines().next().and_then(|line| line.trim().parse().ok()).expect("it begins with the process");
    let children =
        fs::read_to_string(format!("/proc/{main}/task/{main}/children")).expect("proc(5) lists children");
    let children = children.split_whitespace().map(|id| id.parse().expect("process ids are numbers"));
    children.chain([main]).collect()
}
