//! Runs the child process: starts it with as few rights as possible, reads without blocking, and kills it with the decoder.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read as _},
    path::Path,
    process::{self, ChildStderr, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::stderr_parser::StderrSummary;
use crate::AudioError;
use crate::TrackChoice;

/// Formats whose files do not refer to others. Playlists, and other formats that contain file names or addresses, are left
/// out. ffmpeg ignores names that it does not know.
const FORMATS: &str = "aac,ac3,act,adx,aiff,amr,amrnb,amrwb,ape,aptx,asf,ast,au,avi,avr,bit,caf,codec2,dsf,dts,dtshd,eac3,\
flac,flv,g722,g723_1,g726,g726le,g729,gsm,gxf,iff,ilbc,ircam,live_flv,lxf,loas,matroska,mlp,mmf,mov,mp3,mp4,mpc,mpc8,mpeg,\
mpegts,mxf,nistsphere,nsv,nut,ogg,oma,paf,pvf,qcp,rm,rso,sbc,sds,shn,sln,sol,sox,spdif,swf,tak,truehd,tta,vag,voc,vqf,w64,\
wav,webm,wsd,wtv,wv,xa,xwma";

/// Length of one read in bytes, and the maximum number of reads that are queued: they limit the memory that a fast child
/// fills.
const PIECE: usize = 64 * 1024;
const QUEUED: usize = 4;

/// The time that a child may take to exit after it closed its output, and its last messages to arrive.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval at which the exit is checked.
const EXIT_POLL: Duration = Duration::from_millis(5);

/// The result of a read.
pub(super) enum Read {
    Bytes(Vec<u8>),
    /// No bytes arrived in time.
    Nothing,
    End,
}

pub(super) struct Child {
    process: process::Child,
    pieces: Receiver<Vec<u8>>,
    summary: Arc<Mutex<StderrSummary>>,
    stderr_thread: Option<JoinHandle<()>>,
    /// Whether the process was reaped. From then on its ID may belong to another process.
    reaped: bool,
}

impl Child {
    /// Starts `ffmpeg` on the file at `path`.
    pub fn start(ffmpeg: &Path, path: &Path, track: &TrackChoice) -> Result<Self, AudioError> {
        let failed = |e: std::io::Error| AudioError::Ffmpeg(format!("{} cannot be started: {e}", ffmpeg.display()));
        let mut process = command(ffmpeg, path, track).map_err(failed)?.spawn().map_err(failed)?;
        let (sender, pieces) = sync_channel(QUEUED);
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let mut child = Self { process, pieces, summary: Arc::default(), stderr_thread: None, reaped: false };
        super::limits::set(&child.process);
        // From here on, `drop` kills the process if an error occurs.
        if let Some(stdout) = stdout {
            thread::Builder::new().name("ffmpeg".into()).spawn(move || pass_on(stdout, &sender)).map_err(failed)?;
        }
        if let Some(stderr) = stderr {
            let summary = child.summary.clone();
            let thread = thread::Builder::new().name("ffmpeg stderr".into());
            let thread = thread.spawn(move || read_stderr(stderr, &summary));
            child.stderr_thread = Some(thread.map_err(failed)?);
        }
        Ok(child)
    }

    /// The next bytes. Blocks for `timeout` at most.
    pub fn read(&self, timeout: Duration) -> Read {
        match self.pieces.recv_timeout(timeout) {
            Ok(bytes) => Read::Bytes(bytes),
            Err(RecvTimeoutError::Timeout) => Read::Nothing,
            Err(RecvTimeoutError::Disconnected) => Read::End,
        }
    }

    /// Waits for the process to exit. Returns whether it succeeded, and its messages.
    pub fn end(&mut self) -> (bool, StderrSummary) {
        wait_for(|| super::limits::is_over(&mut self.process));
        // This does not change the status of a process that has exited, and kills the processes that it started.
        let succeeded = self.kill();
        // Another process may still hold the pipe open, so the wait is limited.
        wait_for(|| self.stderr_thread.as_ref().is_none_or(JoinHandle::is_finished));
        let summary = std::mem::take(&mut *self.summary.lock().unwrap_or_else(PoisonError::into_inner));
        (succeeded, summary)
    }

    /// Kills and reaps the process, unless that was done before. Returns whether it had exited successfully.
    fn kill(&mut self) -> bool {
        if std::mem::replace(&mut self.reaped, true) {
            return false;
        }
        super::limits::kill(&mut self.process);
        self.process.wait().is_ok_and(|status| status.success())
    }
}

fn wait_for(mut over: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !over() && begun.elapsed() < EXIT_TIMEOUT {
        thread::sleep(EXIT_POLL);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(ffmpeg: &Path, path: &Path, track: &TrackChoice) -> std::io::Result<Command> {
    let mut input = OsString::from("file:");
    input.push(std::path::absolute(path)?);
    let mut command = Command::new(ffmpeg);
    command
        .args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-max_alloc", "268435456"])
        .args(["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-threads", "1", "-i"])
        .arg(input)
        .args(["-map", &stream(track), "-map_metadata", "-1", "-c:a", "pcm_f32le", "-bitexact", "-f", "wav", "pipe:1"])
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        .env_remove("FFREPORT") // would write files
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    super::limits::apart(&mut command);
    Ok(command)
}

/// ffmpeg's name for a track.
fn stream(track: &TrackChoice) -> String {
    match track {
        TrackChoice::Default => "0:a:0".to_owned(),
        TrackChoice::Number(number) => format!("0:a:{}", number.saturating_sub(1)),
        TrackChoice::Language(language) => format!("0:a:m:language:{language}"),
    }
}

/// Sends the process's output to `sender`, until the process closes it or the receiver is dropped.
fn pass_on(mut stdout: ChildStdout, sender: &SyncSender<Vec<u8>>) {
    let mut piece = vec![0; PIECE];
    while let Ok(len @ 1..) = stdout.read(&mut piece) {
        if sender.send(piece[..len].to_vec()).is_err() {
            return;
        }
    }
}

fn read_stderr(stderr: ChildStderr, summary: &Mutex<StderrSummary>) {
    let (mut stderr, mut line) = (BufReader::new(stderr), Vec::new());
    // A line without an end is parsed in pieces.
    while let Ok(1..) = stderr.by_ref().take(4096).read_until(b'\n', &mut line) {
        summary.lock().unwrap_or_else(PoisonError::into_inner).parse_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
