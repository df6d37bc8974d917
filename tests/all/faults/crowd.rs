//! Many processes that use one SQLite file at the same time.

use std::process::{Child, Stdio};

use super::{
    LEASE,
    fleet::{self, Fleet},
    is_long,
    queue::{Database, Queue},
};
use crate::support::test_dir::TestDir;

#[test]
fn eight_processes_share_one_sqlite_file() {
    let queue = Queue::new(Database::Sqlite, if is_long() { 2000 } else { 240 }).unwrap();
    queue.add(queue.len());
    let fleet = Fleet::start(&queue, 8, &[], &[]);
    let ended = fleet.finish(LEASE);
    queue.audit().assert_clean();
    fleet::assert_all_succeeded(&queue, &ended);
}

/// Without a lock for the creation of the tables, 160 of 480 processes failed.
#[test]
fn many_processes_create_the_database_at_the_same_time() {
    let (dir, starts) = (TestDir::new(), if is_long() { 480 } else { 120 });
    let names: Vec<String> = (0..starts).map(|n| format!("{n:03}.wav")).collect();
    names.iter().for_each(|name| drop(dir.write(name, "")));
    let start = |name: &String| -> Child {
        let mut add = dir.command(&["add", name, "--quiet"]);
        add.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = names.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(dir.count("pending"), starts as i64);
}
