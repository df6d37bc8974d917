//! A fixed number of processes of the program: each is started again when it ends.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use prepare_audio::store::Running;

use super::{FETCH, queue::Queue};

/// How often the processes are polled.
pub const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long the fleet may take to finish the queue after the last fault.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The processes that work on a queue.
pub struct Fleet<'q> {
    queue: &'q Queue,
    slots: Vec<Slot>,
    arguments: Vec<&'q str>,
    faults: Vec<(&'q str, &'q str)>,
    /// The exit status of each process that was not killed.
    ended: Vec<ExitStatus>,
}

struct Slot {
    process: Child,
    stopped: Option<Stall>,
    /// Whether its end was noticed already.
    is_over: bool,
}

/// A stopped process. It is resumed by `end`, or after its time limit.
struct Stall {
    since: Instant,
    resume: mpsc::Sender<()>,
    resumer: JoinHandle<()>,
}

impl Stall {
    /// Sends SIGSTOP. Another thread resumes the process, because the test itself may be waiting for a lock that the
    /// stopped process holds, such as SQLite's.
    fn begin(process: u32, at_most: Duration) -> Self {
        signal(process, "STOP");
        let (resume, resumed) = mpsc::channel();
        let resumer = spawn(move || {
            let _ = resumed.recv_timeout(at_most);
            signal(process, "CONT");
        });
        Self { since: Instant::now(), resume, resumer }
    }

    fn end(self) {
        drop(self.resume);
        self.resumer.join().unwrap();
    }
}

impl<'q> Fleet<'q> {
    /// Starts `processes` processes on `queue`, with `arguments` after the usual ones, and `faults` in the environment.
    pub fn start(queue: &'q Queue, processes: usize, arguments: &[&'q str], faults: &[(&'q str, &'q str)]) -> Self {
        let common = ["--database", &queue.address, "--output", "segments"];
        let arguments = [&FETCH[..], &common, arguments].concat();
        let mut fleet = Self { queue, slots: Vec::new(), arguments, faults: faults.to_vec(), ended: Vec::new() };
        fleet.slots = (0..processes).map(|_| fleet.launch()).collect();
        fleet
    }

    fn launch(&self) -> Slot {
        let mut command = self.queue.dir.command(&self.arguments);
        let log = OpenOptions::new().create(true).append(true).open(self.queue.dir.path("log")).unwrap();
        command.envs(self.faults.iter().copied()).stdout(Stdio::null()).stderr(log);
        Slot { process: command.spawn().unwrap(), stopped: None, is_over: false }
    }

    /// Restarts processes that ended, and resumes those that were stopped for at least `stopped_for`.
    pub fn maintain(&mut self, stopped_for: Duration) {
        for n in 0..self.slots.len() {
            if self.is_over(n) {
                self.slots[n] = self.launch();
            }
        }
        self.resume(stopped_for);
    }

    /// Resumes processes that were stopped for at least `stopped_for`.
    fn resume(&mut self, stopped_for: Duration) {
        for slot in &mut self.slots {
            if let Some(stall) = slot.stopped.take_if(|stall| stall.since.elapsed() >= stopped_for) {
                stall.end();
            }
        }
    }

    /// Whether a process has ended. If it was not killed, its status is added to `ended`.
    fn is_over(&mut self, n: usize) -> bool {
        let slot = &mut self.slots[n];
        if let (false, Some(status)) = (slot.is_over, slot.process.try_wait().unwrap()) {
            slot.is_over = true;
            self.ended.push(status);
        }
        slot.is_over
    }

    /// The number of stopped processes.
    pub fn stopped(&self) -> usize {
        self.slots.iter().filter(|slot| slot.stopped.is_some()).count()
    }

    /// The processes that are not stopped and hold one of `running`.
    pub fn holders(&self, running: &[Running]) -> Vec<usize> {
        let holds = |slot: &Slot| running.iter().any(|row| is_worker_of(&row.worker, slot.process.id()));
        (0..self.slots.len()).filter(|&n| self.slots[n].stopped.is_none() && holds(&self.slots[n])).collect()
    }

    /// Sends SIGKILL. Returns `false` if the process had already ended, which does not count as a fault.
    pub fn kill(&mut self, n: usize) -> bool {
        if self.is_over(n) {
            return false;
        }
        let slot = &mut self.slots[n];
        slot.process.kill().unwrap();
        let status = slot.process.wait().unwrap();
        slot.is_over = true;
        status.signal() == Some(9)
    }

    /// Sends SIGSTOP, and resumes the process after `at_most`. Returns `false` if the process had already ended, which does
    /// not count as a fault.
    pub fn stop(&mut self, n: usize, at_most: Duration) -> bool {
        let is_alive = !self.is_over(n);
        if is_alive {
            self.slots[n].stopped = Some(Stall::begin(self.slots[n].process.id(), at_most));
        }
        is_alive
    }

    /// Maintains the processes until the queue is empty and all have ended. Returns the exit status of each process that
    /// was not killed.
    pub fn finish(mut self, stopped_for: Duration) -> Vec<ExitStatus> {
        let begun = Instant::now();
        while self.queue.unfinished() > 0 {
            let left = self.queue.unfinished();
            assert!(begun.elapsed() < TIMEOUT, "{left} recordings are left\n{}", log(self.queue));
            self.maintain(stopped_for);
            sleep(5 * POLL_INTERVAL);
        }
        while !(0..self.slots.len()).all(|n| self.is_over(n)) {
            assert!(begun.elapsed() < TIMEOUT, "the queue is empty, but processes do not end\n{}", log(self.queue));
            self.resume(stopped_for);
            sleep(POLL_INTERVAL);
        }
        std::mem::take(&mut self.ended)
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            let _ = slot.process.kill();
            let _ = slot.process.wait();
        }
    }
}

/// The common log of a queue's processes.
pub fn log(queue: &Queue) -> String {
    let text = fs::read(queue.dir.path("log")).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// Fails unless every process succeeded and the log has no message that a user should never see.
#[track_caller]
pub fn assert_all_succeeded(queue: &Queue, ended: &[ExitStatus]) {
    let log = log(queue);
    let bad = ended.iter().find(|status| !status.success());
    assert!(bad.is_none(), "a process ended with {bad:?}:\n{}", last_of(&log));
    for word in ["database is locked", "panicked", "is busy"] {
        let line = log.lines().find(|line| line.contains(word));
        assert!(line.is_none(), "{line:?}");
    }
    let lost = log.lines().filter(|line| line.contains("taken over") || line.contains("claim was lost")).count();
    println!("{} processes ended by themselves; {lost} claims were reported as lost", ended.len());
}

/// Whether a process called `abort`.
pub fn has_aborted(status: &ExitStatus) -> bool {
    status.signal() == Some(6)
}

fn last_of(log: &str) -> &str {
    let start = log.len().saturating_sub(4000);
    log.get(start..).unwrap_or(log)
}

/// Whether `worker` is the name of the process `id`, which is one of the name's parts.
fn is_worker_of(worker: &str, id: u32) -> bool {
    let id = id.to_string();
    worker.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == id)
}

/// Sends a signal to a process, which may have ended already.
fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).stderr(Stdio::null()).status();
}
