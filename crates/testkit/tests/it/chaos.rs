//! The proxy does what its script says, at the byte or line that it names.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use postroom_testkit::chaos::{Chaos, Cut, Line, Script, Side};
use postroom_testkit::poll;

const SOON: Duration = Duration::from_secs(20);

/// A server that answers each line with `got LINE`, and tells what it got on each connection.
fn echo() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (told, mut writer) = (told.clone(), stream.try_clone().unwrap());
            std::thread::spawn(move || {
                let mut got = String::new();
                let mut lines = BufReader::new(stream);
                let mut line = String::new();
                while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                    got.push_str(&line);
                    let _ = writer.write_all(format!("got {line}").as_bytes());
                    line.clear();
                }
                let _ = told.send(got);
            });
        }
    });
    (address, heard)
}

/// Says lines, each after the answer to the one before; then nothing more. Answers all that came back.
fn talk(to: SocketAddr, lines: &[&str]) -> String {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut heard = String::new();
    for line in lines {
        if (&stream).write_all(format!("{line}\r\n").as_bytes()).is_err() {
            break;
        }
        if !reader.read_line(&mut heard).is_ok_and(|count| count > 0) {
            return heard;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = reader.read_to_string(&mut heard);
    heard
}

#[track_caller]
fn check(script: Script, server_got: &str, client_got: &str, cut: bool) {
    let (server, got) = echo();
    let chaos = Chaos::start(server);
    chaos.once(script.clone());
    let heard = talk(chaos.address(), &["MAIL", "DATA", ".", "QUIT"]);
    assert_eq!(heard.replace("\r\n", " "), client_got, "{script:?}");
    assert_eq!(got.recv_timeout(SOON).unwrap().replace("\r\n", " "), server_got, "{script:?}");
    assert!(poll::until(SOON, || chaos.open() == 0), "{script:?}");
    assert!(poll::until(SOON, || chaos.cuts() == usize::from(cut)), "{script:?}");
    // The next connection is a good one.
    assert_eq!(talk(chaos.address(), &["NOOP"]), "got NOOP\r\n");
    assert_eq!(chaos.connections(), 2);
}

#[test]
fn a_calm_line_passes_everything() {
    check(Script::Pass, "MAIL DATA . QUIT ", "got MAIL got DATA got . got QUIT ", false);
    check(
        Script::Delay(Duration::from_millis(1)),
        "MAIL DATA . QUIT ",
        "got MAIL got DATA got . got QUIT ",
        false,
    );
}

#[test]
fn a_line_ends_where_it_is_told_to() {
    let dot = || Line::Is(".".to_owned());
    check(Script::CutAt(Cut::Before, dot()), "MAIL DATA ", "got MAIL got DATA ", true);
    check(Script::CutAt(Cut::After, dot()), "MAIL DATA . ", "got MAIL got DATA ", true);
    check(Script::CutAt(Cut::Unanswered, dot()), "MAIL DATA . ", "got MAIL got DATA ", true);
    check(Script::CutAt(Cut::Before, Line::Number(1)), "", "", true);
    check(Script::CutAt(Cut::Before, Line::Starts("dat".to_owned())), "MAIL ", "got MAIL ", true);
    check(
        Script::CutAt(Cut::Unanswered, Line::Contains("UI".to_owned())),
        "MAIL DATA . QUIT ",
        "got MAIL got DATA got . ",
        true,
    );
    check(
        Script::CutAt(Cut::Before, Line::Number(9)),
        "MAIL DATA . QUIT ",
        "got MAIL got DATA got . got QUIT ",
        false,
    );
}

#[test]
fn a_line_ends_after_so_many_bytes() {
    check(Script::CutAfter(Side::Client, 8), "MAIL DA", "got MAIL ", true);
    check(Script::CutAfter(Side::Server, 0), "MAIL ", "", true);
    check(Script::CutAfter(Side::Server, 12), "MAIL DATA ", "got MAIL go", true);
}

#[test]
fn a_stalled_line_stays_open() {
    let (server, got) = echo();
    let chaos = Chaos::start(server);
    chaos.always(Script::Stall(Side::Server, 4));
    let mut stream = TcpStream::connect(chaos.address()).unwrap();
    stream.write_all(b"NOOP\r\n").unwrap();
    let mut four = [0; 4];
    stream.read_exact(&mut four).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read(&mut four).is_err(), "more than four bytes came");
    assert_eq!(chaos.open(), 1);
    drop(stream);
    assert_eq!(got.recv_timeout(SOON).unwrap(), "NOOP\r\n");
    assert!(poll::until(SOON, || chaos.open() == 0));
}

#[test]
fn a_black_hole_tells_the_server_nothing() {
    let (server, got) = echo();
    let chaos = Chaos::start(server);
    chaos.always(Script::BlackHole);
    let mut stream = TcpStream::connect(chaos.address()).unwrap();
    stream.write_all(b"NOOP\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert!(got.try_recv().is_err());
    chaos.cut_all();
    stream.set_read_timeout(Some(SOON)).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert!(poll::until(SOON, || chaos.open() == 0));
}

#[test]
fn connections_are_refused_and_taken_again() {
    let (server, _got) = echo();
    let chaos = Chaos::start(server);
    chaos.refuse();
    assert!(TcpStream::connect(chaos.address()).is_err());
    chaos.accept();
    assert_eq!(talk(chaos.address(), &["NOOP"]), "got NOOP\r\n");
}

#[test]
fn all_connections_end_when_the_owner_says_so() {
    let (server, _got) = echo();
    let chaos = Chaos::start(server);
    let mut streams: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(chaos.address()).unwrap()).collect();
    assert!(poll::until(SOON, || chaos.open() == 5));
    chaos.cut_all();
    for stream in &mut streams {
        stream.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert!(poll::until(SOON, || chaos.open() == 0));
}

#[test]
fn what_the_clients_said_is_kept() {
    let (server, _got) = echo();
    let chaos = Chaos::start(server);
    talk(chaos.address(), &["a", "b"]);
    talk(chaos.address(), &["c"]);
    assert_eq!(chaos.lines(), [vec!["a", "b"], vec!["c"]]);
}

#[test]
fn a_late_answer_is_late() {
    let (server, _got) = echo();
    let chaos = Chaos::start(server);
    chaos.always(Script::Delay(Duration::from_millis(150)));
    let start = Instant::now();
    assert_eq!(talk(chaos.address(), &["NOOP"]), "got NOOP\r\n");
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[test]
fn nobody_behind_it_ends_the_connection() {
    let chaos = Chaos::start(postroom_testkit::net::loopback(postroom_testkit::net::free_port()));
    assert_eq!(talk(chaos.address(), &["NOOP"]), "");
    let (server, _got) = echo();
    chaos.set_upstream(server);
    assert_eq!(talk(chaos.address(), &["NOOP"]), "got NOOP\r\n");
}
