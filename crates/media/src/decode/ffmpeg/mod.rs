//! Decodes a recording with an installed `ffmpeg`: a child process that streams samples.
//!
//! The child reads one file and nothing else: no network, no playlist, no format that refers to other files. It is killed
//! when the decoder is dropped. A read blocks for [`READ_TIMEOUT`] at most, so that a run can check for a shutdown.

mod child;
mod limits;
mod stderr_parser;
mod wav_header;

use std::{
    collections::VecDeque,
    env,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::NamedTempFile;

use self::{child::Child, stderr_parser::StderrSummary, wav_header::Header};
use super::{Block, Damage, SourceInfo, TrackChoice, check_spec};
use crate::{AudioError, MediaInput};

/// If no samples arrive for this time, an empty block is returned.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// If no samples arrive for this time, the child is killed.
const MAX_SILENCE: Duration = Duration::from_secs(120);

/// Limits of a recording's length: seconds for each byte of the file, and seconds that are always allowed. The most
/// efficient codec takes a byte for five seconds of digital silence. Without a limit, a faulty child could write for ever.
const SECONDS_PER_BYTE: u64 = 10;
const MIN_SECONDS: u64 = 3600;

/// The ffmpeg on the `PATH`. Relative folders, which depend on the working directory, are ignored.
pub fn find_ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name)).find(|f| f.is_file())
}

/// Copies `len` bytes to a temporary file. A pipe is not sufficient: ffmpeg seeks, since the index of many MP4 files is at
/// their end.
fn copy_to_file(input: &dyn MediaInput, len: u64) -> Result<NamedTempFile, AudioError> {
    let mut file = NamedTempFile::with_prefix("prepare-audio-")
        .map_err(|error| AudioError::Ffmpeg(format!("no temporary file for its input: {error}")))?;
    let reader = input.open().map_err(|error| AudioError::from_io(error, &input.name()))?;
    io::copy(&mut reader.take(len), file.as_file_mut()).map_err(AudioError::Io)?;
    Ok(file)
}

/// A decoder that runs ffmpeg.
pub(super) struct Ffmpeg {
    child: Child,
    /// The copy that the child reads if the input is not a local file; removed with the decoder.
    _copy: Option<NamedTempFile>,
    /// Bytes that arrived and do not form whole frames or a header yet.
    bytes: VecDeque<u8>,
    header: Option<Header>,
    /// The error to report if ffmpeg cannot decode the file either.
    instead: Option<AudioError>,
    info: SourceInfo,
    damage: Damage,
    last_read: Instant,
    frames: u64,
    samples: Vec<f32>,
    over: bool,
}

impl Ffmpeg {
    pub fn open(
        ffmpeg: &Path,
        input: &dyn MediaInput,
        bytes: u64,
        track: &TrackChoice,
        instead: Option<AudioError>,
    ) -> Result<Self, AudioError> {
        let (child, copy) = match input.local_path() {
            Some(path) => (Child::start(ffmpeg, path, track)?, None),
            None => {
                let copy = copy_to_file(input, bytes)?;
                (Child::start(ffmpeg, copy.path(), track)?, Some(copy))
            }
        };
        let (container, codec) = ("?".into(), "ffmpeg:?".into());
        let info = SourceInfo {
            container,
            codec,
            sample_rate: 0,
            channels: 0,
            bits: None,
            bytes,
            start_offset_s: None,
            track: match track {
                TrackChoice::Number(number) => Some(*number),
                _ => None,
            },
            tracks: Vec::new(),
        };
        Ok(Self {
            child,
            _copy: copy,
            bytes: VecDeque::new(),
            header: None,
            instead,
            info,
            damage: Damage::default(),
            last_read: Instant::now(),
            frames: 0,
            samples: Vec::new(),
            over: false,
        })
    }

    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    pub fn damage(&self) -> Damage {
        self.damage.clone()
    }

    /// The samples that have arrived. A block is empty if none arrived for [`READ_TIMEOUT`].
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        if self.over {
            return Ok(None);
        }
        match self.child.read(READ_TIMEOUT) {
            child::Read::Bytes(bytes) => {
                self.last_read = Instant::now();
                self.bytes.extend(bytes);
            }
            child::Read::Nothing if self.last_read.elapsed() > MAX_SILENCE => {
                let message = format!("it has sent no samples for {} s", MAX_SILENCE.as_secs());
                return Err(AudioError::Ffmpeg(message));
            }
            child::Read::Nothing => {}
            child::Read::End => return self.end().map(|()| None),
        }
        self.take_samples()?;
        let Some(Header { rate, channels }) = self.header else {
            return Ok(Some(Block { samples: &[], channels: 1, rate: 0 }));
        };
        Ok(Some(Block { samples: &self.samples, channels, rate }))
    }

    fn take_samples(&mut self) -> Result<(), AudioError> {
        self.samples.clear();
        if self.header.is_none() {
            let Some((header, len)) = wav_header::header(self.bytes.make_contiguous())? else { return Ok(()) };
            check_spec(header.rate, header.channels)?;
            self.bytes.drain(..len);
            (self.info.sample_rate, self.info.channels) = (header.rate, header.channels);
            self.header = Some(header);
        }
        let channels = self.info.channels;
        let frames = self.bytes.len() / (4 * channels);
        let whole = frames * channels * 4;
        let floats = self.bytes.make_contiguous()[..whole].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        self.samples.extend(floats);
        self.bytes.drain(..whole);
        self.frames += frames as u64;
        self.check_length()
    }

    /// Fails if the samples so far are longer than the file can be.
    fn check_length(&self) -> Result<(), AudioError> {
        let seconds = self.info.bytes.saturating_mul(SECONDS_PER_BYTE).saturating_add(MIN_SECONDS);
        if self.frames / u64::from(self.info.sample_rate.max(1)) > seconds {
            return Err(AudioError::Corrupt(format!(
                "ffmpeg decodes more than {seconds} s of it, which a file of this size cannot hold"
            )));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), AudioError> {
        self.over = true;
        let (succeeded, summary) = self.child.end();
        if self.frames == 0 {
            return Err(self.no_samples(summary, succeeded));
        }
        self.info.container = summary.container.unwrap_or_else(|| "?".into());
        self.info.codec = format!("ffmpeg:{}", summary.codec.as_deref().unwrap_or("?"));
        self.damage = Damage { decode_errors: summary.decode_errors, truncated: !succeeded, ..Damage::default() };
        Ok(())
    }

    /// The error for a child that ended without samples.
    fn no_samples(&mut self, summary: StderrSummary, succeeded: bool) -> AudioError {
        if let Some(error) = self.instead.take() {
            return error;
        }
        match summary.last_error {
            _ if summary.codec.is_none() && summary.container.is_some() => {
                AudioError::NoAudioTrack(summary.container.unwrap_or_default())
            }
            Some(error) => AudioError::Corrupt(format!("ffmpeg says: {error}")),
            None if succeeded => AudioError::NoSamples,
            None => AudioError::Ffmpeg("it ended without a message".into()),
        }
    }
}
