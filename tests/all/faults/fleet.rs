//! Processes of the program that are started again whenever they end.

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

/// How often the fleet is looked at.
pub const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long it may take at most to work off what is left when no more faults come.
const TIMEOUT: Duration = Duration::from_secs(600);

/// So many processes, whatever happens to them.
pub struct Fleet<'q> {
    queue: &'q Queue,
    slots: Vec<Slot>,
    arguments: Vec<&'q str>,
    faults: Vec<(&'q str, &'q str)>,
    /// How each process ended that nobody killed.
    ended: Vec<ExitStatus>,
}

struct Slot {
    process: Child,
    stopped: Option<Stall>,
    /// Whether it is known how it ended.
    is_over: bool,
}

/// A process that is stopped, and goes on when this says so or when its time has come.
struct Stall {
    since: Instant,
    go_on: mpsc::Sender<()>,
    waker: JoinHandle<()>,
}

impl Stall {
    /// SIGSTOP. It goes on even when whoever stopped it waits for something that it holds, as SQLite's one lock.
    fn begin(process: u32, at_most: Duration) -> Self {
        signal(process, "STOP");
        let (go_on, told) = mpsc::channel();
        let waker = spawn(move || {
            let _ = told.recv_timeout(at_most);
            signal(process, "CONT");
        });
        Self { since: Instant::now(), go_on, waker }
    }

    fn end(self) {
        drop(self.go_on);
        self.waker.join().unwrap();
    }
}

impl<'q> Fleet<'q> {
    /// Starts `processes` that work off `queue`, with `arguments` beside the usual ones and `faults` in their environment.
    pub fn start(queue: &'q Queue, processes: usize, arguments: &[&'q str], faults: &[(&'q str, &'q str)]) -> Self {
        let place = ["--database", &queue.address, "--output", "segments"];
        let arguments = [&FETCH[..], &place, arguments].concat();
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

    /// Lets those go on that were stopped for at least `stopped_for`, and starts again what ended.
    pub fn maintain(&mut self, stopped_for: Duration) {
        for n in 0..self.slots.len() {
            if self.is_over(n) {
                self.slots[n] = self.launch();
            }
        }
        self.resume(stopped_for);
    }

    /// Lets those go on that were stopped for at least `stopped_for`.
    fn resume(&mut self, stopped_for: Duration) {
        for slot in &mut self.slots {
            if let Some(stall) = slot.stopped.take_if(|stall| stall.since.elapsed() >= stopped_for) {
                stall.end();
            }
        }
    }

    /// Whether a process has ended; how it ended by itself is noted.
    fn is_over(&mut self, n: usize) -> bool {
        let slot = &mut self.slots[n];
        if let (false, Some(status)) = (slot.is_over, slot.process.try_wait().unwrap()) {
            slot.is_over = true;
            self.ended.push(status);
        }
        slot.is_over
    }

    /// How many are stopped.
    pub fn stopped(&self) -> usize {
        self.slots.iter().filter(|slot| slot.stopped.is_some()).count()
    }

    /// Those that are not stopped and hold one of `running`.
    pub fn holders(&self, running: &[Running]) -> Vec<usize> {
        let holds = |slot: &Slot| running.iter().any(|row| is_worker_of(&row.worker, slot.process.id()));
        (0..self.slots.len()).filter(|&n| self.slots[n].stopped.is_none() && holds(&self.slots[n])).collect()
    }

    /// kill -9, unless it ended by itself just before, which is no fault.
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

    /// SIGSTOP for at most so long, unless it ended by itself just before, which is no fault.
    pub fn stop(&mut self, n: usize, at_most: Duration) -> bool {
        let require_tool = !self.is_over(n);
        if require_tool {
            self.slots[n].stopped = Some(Stall::begin(self.slots[n].process.id(), at_most));
        }
        require_tool
    }

    /// Tends the processes until the queue is empty and they have ended. Returns how those ended that nobody killed.
    pub fn finish(mut self, stopped_for: Duration) -> Vec<ExitStatus> {
        let begun = Instant::now();
        while self.queue.unfinished() > 0 {
            let left = self.queue.unfinished();
            assert!(begun.elapsed() < TIMEOUT, "{left} recordings are left\n{}", log(self.queue));
            self.maintain(stopped_for);
            sleep(5 * POLL_INTERVAL);
        }
        while !(0..self.slots.len()).all(|n| self.is_over(n)) {
            assert!(begun.elapsed() < TIMEOUT, "the queue is empty and they do not end\n{}", log(self.queue));
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

/// What the processes of a queue wrote, the last of it.
pub fn log(queue: &Queue) -> String {
    let text = fs::read(queue.dir.path("log")).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// Fails unless every process ended well and none told of what a user should never see.
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
    println!("{} processes ended by themselves; {lost} claims were told to be lost", ended.len());
}

/// Whether a process took itself down, as `abort` does.
pub fn has_aborted(status: &ExitStatus) -> bool {
    status.signal() == Some(6)
}

fn last_of(log: &str) -> &str {
    let start = log.len().saturating_sub(4000);
    log.get(start..).unwrap_or(log)
}

/// Whether `worker` is the name of the process `id`: that is one of the name's parts.
fn is_worker_of(worker: &str, id: u32) -> bool {
    let id = id.to_string();
    worker.split(|sign: char| !sign.is_ascii_alphanumeric()).any(|part| part == id)
}

/// Says something to a process, which may be gone by then.
fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).stderr(Stdio::null()).status();
}
