//! The process: started with nothing it could do harm with, read without blocking, ended for certain.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read as _},
    path::Path,
    process::{self, ChildStderr, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::words::Words;
use crate::audio::AudioError;

/// Formats whose files stand for themselves. Playlists, and whatever else names other files or addresses, are not among
/// them; names that an ffmpeg does not know do no harm.
const FORMATS: &str = "aac,ac3,act,adx,aiff,amr,amrnb,amrwb,ape,aptx,asf,ast,au,avi,avr,bit,caf,codec2,dsf,dts,dtshd,eac3,\
flac,flv,g722,g723_1,g726,g726le,g729,gsm,gxf,iff,ilbc,ircam,live_flv,lxf,loas,matroska,mlp,mmf,mov,mp3,mp4,mpc,mpc8,mpeg,\
mpegts,mxf,nistsphere,nsv,nut,ogg,oma,paf,pvf,qcp,rm,rso,sbc,sds,shn,sln,sol,sox,spdif,swf,tak,truehd,tta,vag,voc,vqf,w64,\
wav,webm,wsd,wtv,wv,xa,xwma";

/// Bytes of one piece, and pieces that wait at most: what keeps a fast ffmpeg from filling the memory.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 4;

/// How long a child that has closed its output may take to end.
const LEAVE: Duration = Duration::from_secs(5);

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
    listener: Option<JoinHandle<Words>>,
}

impl Child {
    /// Starts `ffmpeg` on the file at `path`.
    pub fn start(ffmpeg: &Path, path: &Path) -> Result<Self, AudioError> {
        let trouble = |e: std::io::Error| AudioError::Ffmpeg(format!("{} cannot be started: {e}", ffmpeg.display()));
        let mut process = command(ffmpeg, path).map_err(trouble)?.spawn().map_err(trouble)?;
        let (sender, pieces) = sync_channel(WAITING);
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let mut child = Self { process, pieces, listener: None };
        // From here on a failure ends the process, by `drop`.
        if let Some(stdout) = stdout {
            thread::Builder::new().name("ffmpeg".into()).spawn(move || pass_on(stdout, &sender)).map_err(trouble)?;
        }
        if let Some(stderr) = stderr {
            let listen = thread::Builder::new().name("ffmpeg's words".into()).spawn(move || listen(stderr));
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
    pub fn end(&mut self) -> (bool, Words) {
        let begun = Instant::now();
        let status = loop {
            match self.process.try_wait() {
                Ok(None) if begun.elapsed() < LEAVE => thread::sleep(Duration::from_millis(5)),
                Ok(status) => break status,
                Err(_) => break None,
            }
        };
        self.kill();
        let words = self.listener.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        (status.is_some_and(|status| status.success()), words)
    }

    fn kill(&mut self) {
        // Both fail only where it has ended and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(ffmpeg: &Path, path: &Path) -> std::io::Result<Command> {
    let mut input = OsString::from("file:");
    input.push(std::path::absolute(path)?);
    let mut command = Command::new(ffmpeg);
    command
        .args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-max_alloc", "268435456"])
        .args(["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-threads", "1", "-i"])
        .arg(input)
        .args(["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32le", "-bitexact", "-f", "wav", "pipe:1"])
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        .env_remove("FFREPORT") // would write files
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
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

fn listen(stderr: ChildStderr) -> Words {
    let (mut words, mut stderr, mut line) = (Words::default(), BufReader::new(stderr), Vec::new());
    // A line without end is taken in pieces.
    while let Ok(1..) = stderr.by_ref().take(4096).read_until(b'\n', &mut line) {
        words.hear(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    words
}
