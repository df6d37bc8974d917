//! The process: started with nothing it could do harm with, read without blocking, ended for certain.

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

/// Formats whose files stand for themselves. Playlists, and whatever else names other files or addresses, are not among
/// them; names that an ffmpeg does not know do no harm.
const FORMATS: &str = "aac,ac3,act,adx,aiff,amr,amrnb,amrwb,ape,aptx,asf,ast,au,avi,avr,bit,caf,codec2,dsf,dts,dtshd,eac3,\
flac,flv,g722,g723_1,g726,g726le,g729,gsm,gxf,iff,ilbc,ircam,live_flv,lxf,loas,matroska,mlp,mmf,mov,mp3,mp4,mpc,mpc8,mpeg,\
mpegts,mxf,nistsphere,nsv,nut,ogg,oma,paf,pvf,qcp,rm,rso,sbc,sds,shn,sln,sol,sox,spdif,swf,tak,truehd,tta,vag,voc,vqf,w64,\
wav,webm,wsd,wtv,wv,xa,xwma";

/// Bytes of one piece, and pieces that wait at most: what keeps a fast ffmpeg from filling the memory.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 4;

/// How long a child that has closed its output may take to end, and its last words to come.
const LEAVE: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// What a read brought.
pub(super) enum Read {
    Bytes(Vec<u8>),
    /// Nothing came in time.
    Nothing,
    End,
}

pub(super) struct Child {
    process: process::Child,
    pieces: Receiver<Vec<u8>>,
    words: Arc<Mutex<StderrSummary>>,
    listener: Option<JoinHandle<()>>,
    /// Whether it was waited for. From then on its number may be another process'.
    gone: bool,
}

impl Child {
    /// Starts `ffmpeg` on the file at `path`.
    pub fn start(ffmpeg: &Path, path: &Path, track: &TrackChoice) -> Result<Self, AudioError> {
        let trouble = |e: std::io::Error| AudioError::Ffmpeg(format!("{} cannot be started: {e}", ffmpeg.display()));
        let mut process = command(ffmpeg, path, track).map_err(trouble)?.spawn().map_err(trouble)?;
        let (sender, pieces) = sync_channel(WAITING);
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let mut child = Self { process, pieces, words: Arc::default(), listener: None, gone: false };
        super::limits::set(&child.process);
        // From here on a failure ends the process, by `drop`.
        if let Some(stdout) = stdout {
            thread::Builder::new().name("ffmpeg".into()).spawn(move || pass_on(stdout, &sender)).map_err(trouble)?;
        }
        if let Some(stderr) = stderr {
            let words = child.words.clone();
            let listen = thread::Builder::new().name("ffmpeg's words".into()).spawn(move || listen(stderr, &words));
            child.listener = Some(listen.map_err(trouble)?);
        }
        Ok(child)
    }

    /// The next bytes, waited for no longer than `patience`.
    pub fn read(&self, patience: Duration) -> Read {
        match self.pieces.recv_timeout(patience) {
            Ok(bytes) => Read::Bytes(bytes),
            Err(RecvTimeoutError::Timeout) => Read::Nothing,
            Err(RecvTimeoutError::Disconnected) => Read::End,
        }
    }

    /// Waits for the end: whether it was a good one, and what was said.
    pub fn end(&mut self) -> (bool, StderrSummary) {
        wait_for(|| super::limits::is_over(&mut self.process));
        // One that has ended is not changed by this; its children, should a script have started some, are.
        let well = self.kill();
        // Whoever holds the other end of the pipe open, and was not reached, is not waited for.
        wait_for(|| self.listener.as_ref().is_none_or(JoinHandle::is_finished));
        let words = std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner));
        (well, words)
    }

    /// Ends it, if it has not; whether its end was a good one.
    fn kill(&mut self) -> bool {
        if std::mem::replace(&mut self.gone, true) {
            return false;
        }
        super::limits::kill(&mut self.process);
        self.process.wait().is_ok_and(|status| status.success())
    }
}

fn wait_for(mut over: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !over() && begun.elapsed() < LEAVE {
        thread::sleep(LOOK);
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

/// Ends when the process has closed its output, or nobody reads any more.
fn pass_on(mut stdout: ChildStdout, sender: &SyncSender<Vec<u8>>) {
    let mut piece = vec![0; PIECE];
    while let Ok(len @ 1..) = stdout.read(&mut piece) {
        if sender.send(piece[..len].to_vec()).is_err() {
            return;
        }
    }
}

fn listen(stderr: ChildStderr, words: &Mutex<StderrSummary>) {
    let (mut stderr, mut line) = (BufReader::new(stderr), Vec::new());
    // A line without end is taken in pieces.
    while let Ok(1..) = stderr.by_ref().take(4096).read_until(b'\n', &mut line) {
        words.lock().unwrap_or_else(PoisonError::into_inner).hear(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
