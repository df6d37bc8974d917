//! What symphonia cannot decode, through an `ffmpeg` that is on the machine: a child process that streams samples.
//!
//! It reads this one file and nothing else: no network, no playlist, no format that names other files. It is ended when
//! the decoder is dropped, and a read never blocks for longer than [`PATIENCE`], so that a run can look up meanwhile.

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

/// How long a block is waited for before an empty one is given out.
const PATIENCE: Duration = Duration::from_millis(200);

/// A child that has said nothing for so long is given up.
const SILENT: Duration = Duration::from_secs(120);

/// Seconds that a byte of a file can hold at most, and those that every file may play for. The tightest codec needs a
/// byte for five seconds of digital silence; a child that writes without end would never be done.
const SECONDS_OF_A_BYTE: u64 = 10;
const SECONDS_AT_LEAST: u64 = 3600;

/// The ffmpeg on the `PATH`. Folders that depend on where the program runs are passed over.
pub fn find_ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name)).find(|f| f.is_file())
}

/// Copies `len` bytes to a temporary file. A pipe would not do: ffmpeg seeks, since the index of many MP4 files is at
/// their end.
fn copy_to_file(input: &dyn MediaInput, len: u64) -> Result<NamedTempFile, AudioError> {
    let mut file = NamedTempFile::with_prefix("prepare-audio-")
        .map_err(|error| AudioError::Ffmpeg(format!("no temporary file for its input: {error}")))?;
    let reader = input.open().map_err(|error| AudioError::from_io(error, &input.name()))?;
    io::copy(&mut reader.take(len), file.as_file_mut()).map_err(AudioError::Io)?;
    Ok(file)
}

/// A recording that ffmpeg decodes.
pub(super) struct Ffmpeg {
    child: Child,
    /// The copy that the child reads where the input is no local file; removed with the decoder.
    _copy: Option<NamedTempFile>,
    /// Bytes that came and do not yet make whole frames, or a header.
    bytes: VecDeque<u8>,
    header: Option<Header>,
    /// What to say where ffmpeg cannot decode it either.
    instead: Option<AudioError>,
    info: SourceInfo,
    damage: Damage,
    heard: Instant,
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
            heard: Instant::now(),
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

    /// The samples that have come. A block may be empty: then nothing came for a while.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        if self.over {
            return Ok(None);
        }
        match self.child.read(PATIENCE) {
            child::Read::Bytes(bytes) => {
                self.heard = Instant::now();
                self.bytes.extend(bytes);
            }
            child::Read::Nothing if self.heard.elapsed() > SILENT => {
                let told = format!("it has said nothing for {} s", SILENT.as_secs());
                return Err(AudioError::Ffmpeg(told));
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

    /// Whether what came so far can be in the file.
    fn check_length(&self) -> Result<(), AudioError> {
        let seconds = self.info.bytes.saturating_mul(SECONDS_OF_A_BYTE).saturating_add(SECONDS_AT_LEAST);
        if self.frames / u64::from(self.info.sample_rate.max(1)) > seconds {
            return Err(AudioError::Corrupt(format!(
                "ffmpeg plays it for more than {seconds} s, which it cannot hold"
            )));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), AudioError> {
        self.over = true;
        let (well, words) = self.child.end();
        if self.frames == 0 {
            return Err(self.trouble(words, well));
        }
        self.info.container = words.container.unwrap_or_else(|| "?".into());
        self.info.codec = format!("ffmpeg:{}", words.codec.as_deref().unwrap_or("?"));
        self.damage = Damage { decode_errors: words.decode_errors, truncated: !well, ..Damage::default() };
        Ok(())
    }

    fn trouble(&mut self, words: StderrSummary, well: bool) -> AudioError {
        if let Some(error) = self.instead.take() {
            return error;
        }
        match words.last_error {
            _ if words.codec.is_none() && words.container.is_some() => {
                AudioError::NoAudioTrack(words.container.unwrap_or_default())
            }
            Some(error) => AudioError::Corrupt(format!("ffmpeg says: {error}")),
            None if well => AudioError::NoSamples,
            None => AudioError::Ffmpeg("it ended without a word".into()),
        }
    }
}
