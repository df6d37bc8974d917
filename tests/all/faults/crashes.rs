//! Kills processes, and stops them for longer than their lease, while they hold recordings.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use prepare_audio::store::Running;

use super::{
    LEASE,
    fleet::{self, Fleet, POLL_INTERVAL},
    is_long,
    queue::{Database, Queue},
    seed,
};

/// Longer than the lease, so that another process claims what the stopped one held.
const STALL_TIME: Duration = Duration::from_secs(LEASE.as_secs() + 3);

/// How long to wait until a process holds a recording.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The size of the test.
struct Scale {
    recordings: usize,
    processes: usize,
    kills: usize,
    stops: usize,
}

impl Scale {
    fn chosen() -> Self {
        match is_long() {
            true => Self { recordings: 5000, processes: 8, kills: 1000, stops: 150 },
            false => Self { recordings: 400, processes: 4, kills: 60, stops: 12 },
        }
    }

    /// The mean time between kills. At most half of the processes are stopped at a time, so the stops determine the length
    /// of the test, and the kills are spread over it.
    fn pause(&self) -> Duration {
        STALL_TIME * self.stops as u32 / (self.processes / 2) as u32 / self.kills as u32
    }
}

#[test]
fn crashes_lose_nothing_on_sqlite() {
    crashes_lose_nothing(Database::Sqlite);
}

#[test]
fn crashes_lose_nothing_on_postgres() {
    crashes_lose_nothing(Database::Postgres);
}

fn crashes_lose_nothing(database: Database) {
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let Some(queue) = Queue::new(database, scale.recordings) else { return };
    let mut random = seed(&format!("crashes on {database:?}"));
    let mut fleet = Fleet::start(&queue, scale.processes, &["--max-attempts", "100000"], &[]);
    // Each fault adds its share of the work, so that there is work until the last fault even on a fast machine.
    let share = scale.recordings * 7 / 10 / (scale.kills + scale.stops);
    queue.add(scale.recordings / 10);
    let (mut kills, mut stops) = (0, 0);
    while kills + stops < scale.kills + scale.stops {
        let pause = Instant::now() + scale.pause().mul_f64(2.0 * random.f64());
        while Instant::now() < pause {
            fleet.maintain(STALL_TIME);
            sleep(POLL_INTERVAL);
        }
        queue.add(share);
        let target = random.choice(wait_for_holders(&queue, &mut fleet, share)).unwrap();
        let can_stop = stops < scale.stops && fleet.stopped() < scale.processes / 2;
        if can_stop && (kills == scale.kills || random.bool()) {
            stops += usize::from(fleet.stop(target, STALL_TIME));
        } else if kills < scale.kills {
            kills += usize::from(fleet.kill(target));
        }
    }
    println!("{database:?}: {kills} times kill -9 and {stops} times SIGSTOP in {:?}", begun.elapsed());
    queue.add(queue.len());
    let ended = fleet.finish(STALL_TIME);
    println!("{database:?}: {} recordings in {:?}", scale.recordings, begun.elapsed());
    queue.audit().assert_clean();
    fleet::assert_all_succeeded(&queue, &ended);
}

/// Processes that die between two group commits: the files of the next group are published, its rows are not, and more
/// recordings are claimed ahead.
#[test]
fn a_death_between_commits_loses_nothing_on_sqlite() {
    let (queue, aborted) = deaths_between_commits(Database::Sqlite).unwrap();
    // What was claimed ahead, or waited for its commit, has not crashed: two workers had begun two recordings at most.
    let crashes = queue.crashes();
    assert!(crashes <= 2 * aborted, "{crashes} recordings have crashed in {aborted} deaths");
}

#[test]
fn a_death_between_commits_loses_nothing_on_postgres() {
    deaths_between_commits(Database::Postgres);
}

fn deaths_between_commits(database: Database) -> Option<(Queue, usize)> {
    let queue = Queue::new(database, if is_long() { 2000 } else { 200 })?;
    queue.add(queue.len());
    let fault = [("PREPARE_AUDIO_FAULT_ABORT_COMMIT", "4")];
    let ended = Fleet::start(&queue, 2, &["--max-attempts", "100000"], &fault).finish(STALL_TIME);
    queue.audit().assert_clean();
    let aborted = ended.iter().filter(|status| fleet::has_aborted(status)).count();
    assert!(aborted > 0, "no process died");
    println!("{database:?}: {aborted} deaths between commits");
    Some((queue, aborted))
}

/// Waits until at least one process holds a recording, and returns the processes that do. If everything is done, it adds
/// `more` recordings.
fn wait_for_holders(queue: &Queue, fleet: &mut Fleet, more: usize) -> Vec<usize> {
    let begun = Instant::now();
    loop {
        let holders = fleet.holders(&queue.running());
        if !holders.is_empty() {
            return holders;
        }
        if queue.unfinished() == 0 {
            queue.add(more);
        }
        assert!(begun.elapsed() < TIMEOUT, "no process holds a recording:\n{}", fleet::log(queue));
        fleet.maintain(STALL_TIME);
        sleep(POLL_INTERVAL);
    }
}

/// Proves that the tests above can fail: without the fence, the audit finds violations.
#[test]
fn the_audit_detects_a_missing_fence_on_sqlite() {
    the_audit_detects_a_missing_fence(Database::Sqlite);
}

#[test]
fn the_audit_detects_a_missing_fence_on_postgres() {
    the_audit_detects_a_missing_fence(Database::Postgres);
}

fn the_audit_detects_a_missing_fence(database: Database) {
    let Some(queue) = Queue::new(database, 400) else { return };
    let mut random = seed(&format!("no fence on {database:?}"));
    let mut fleet = Fleet::start(&queue, 4, &["--max-attempts", "100000"], &[("PREPARE_AUDIO_FAULT_NO_FENCE", "1")]);
    let mut violations = 0;
    for _ in 0..20 {
        queue.add(20);
        let mut holders = wait_for_holders(&queue, &mut fleet, 20);
        random.shuffle(&mut holders);
        for &n in holders.iter().take(2) {
            fleet.stop(n, 5 * LEASE);
        }
        let held = queue.running();
        wait_until_redone(&queue, &mut fleet, &held);
        fleet.maintain(Duration::ZERO);
        // By now the resumed processes have written their results.
        sleep(Duration::from_secs(1));
        violations = queue.audit().double.len();
        if violations > 0 {
            break;
        }
    }
    assert!(violations > 0, "the audit did not detect the writes of late workers");
}

/// Waits until another process has completed one of the recordings in `held`.
fn wait_until_redone(queue: &Queue, fleet: &mut Fleet, held: &[Running]) {
    let begun = Instant::now();
    while !queue.was_redone(held) && begun.elapsed() < 4 * LEASE {
        fleet.maintain(5 * LEASE);
        sleep(POLL_INTERVAL);
    }
}
