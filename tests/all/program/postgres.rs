//! The whole program on PostgreSQL, with two processes that share one queue.

use crate::support::{
    pgbouncer::Pooler,
    postgres::Server,
    test_database::runtime,
    test_dir::{CommandOutput, TestDir, count_in, fixtures},
};

#[test]
fn two_processes_share_a_queue_on_postgres() {
    let Some(server) = Server::get() else { return };
    two_processes_share(&runtime().block_on(server.database()));
}

#[test]
fn two_processes_share_a_queue_through_a_pooler() {
    let Some(server) = Server::get() else { return };
    let Some(pooler) = Pooler::get(server) else { return };
    two_processes_share(&pooler.url(&runtime().block_on(server.database())));
}

fn two_processes_share(url: &str) {
    let dir = TestDir::new();
    let [speech, bad] = ["speech", "bad"].map(|name| fixtures().join(name).to_str().unwrap().to_owned());
    let run = |args: &[&str]| CommandOutput::from(dir.command(args).env("DATABASE_URL", url).output().unwrap());
    run(&["add", &speech, &bad]).exits(0);
    let fetch = ["fetch", "--workers", "2", "--json"];
    let start = || dir.command(&fetch).env("DATABASE_URL", url).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let children = [start(), start()];
    let reports = children.map(|child| CommandOutput::from(child.wait_with_output().unwrap()).json());
    let sum = |key: &str| reports.iter().map(|report| report[key].as_i64().unwrap()).sum::<i64>();
    let status = run(&["status", "--json"]).exits(0).json();
    assert_eq!((count_in(&status, "done"), count_in(&status, "failed")), (sum("done"), sum("failed")));
    assert_eq!(count_in(&status, "pending") + count_in(&status, "running"), 0);
    let rows = run(&["segments", "--json"]).exits(0).json_lines();
    assert_eq!(rows.len() as i64, sum("segments"));
    assert!(rows.iter().all(|row| dir.path(row["path"].as_str().unwrap()).is_file()));
    let swept = run(&["gc", "--older-than", "0s", "--json"]).exits(0).json();
    assert_eq!((&swept["segment_files"], &swept["referenced"]), (&0.into(), &rows.len().into()));
    std::fs::remove_file(rows[0]["path"].as_str().unwrap()).unwrap();
    run(&["verify", "--requeue"]).exits(1);
    run(&fetch).exits(0);
    run(&["verify"]).exits(0);
}
