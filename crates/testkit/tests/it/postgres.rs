//! PostgreSQL clusters: they answer, survive a kill, and leave nothing behind.

use std::net::TcpStream;

use postroom_testkit::net;
use postroom_testkit::peers::{Durability, Postgres};

#[test]
fn each_database_is_new_and_empty() {
    let cluster = Postgres::shared();
    let (first, second) = (cluster.database(), cluster.database());
    assert_ne!(first, second);
    assert!(first.starts_with(&format!("postgres://postgres@127.0.0.1:{}/", cluster.port())), "{first}");
    let name = first.rsplit_once('/').unwrap().1;
    cluster.run(name, "create table t (a int); insert into t values (7)");
    assert_eq!(cluster.run(name, "select a from t").trim(), "7");
    assert_eq!(cluster.run(second.rsplit_once('/').unwrap().1, "select to_regclass('t')").trim(), "");
}

#[test]
fn committed_rows_survive_a_kill_and_the_folder_goes_at_the_end() {
    let cluster = Postgres::start(Durability::Synced);
    assert_eq!(cluster.run("postgres", "show fsync").trim(), "on");
    cluster.run("postgres", "create table t (a int); insert into t values (7)");
    cluster.kill();
    assert!(TcpStream::connect(net::loopback(cluster.port())).is_err(), "a killed server listens");
    cluster.restart();
    assert_eq!(cluster.run("postgres", "select a from t").trim(), "7");
    cluster.stop();
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn a_shared_cluster_does_not_sync() {
    assert_eq!(Postgres::shared().run("postgres", "show fsync").trim(), "off");
}
