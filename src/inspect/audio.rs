//! The decoded samples of a recording, in a temporary file, and their peaks.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use prepare_audio_media::{AudioError, AudioStream, ChannelChoice, DecodeOptions, LocalFile, OpenOptions, to_pcm16};
use prepare_audio_pipeline::Level;

use crate::preview::split;

/// Sample rate, Hz.
const RATE: u32 = 16_000;
/// Samples that a pair of kept peaks stands for.
const BLOCK: usize = 256;
/// Samples that are decoded at a time.
const DECODED_BLOCK: usize = 4 * RATE as usize;
/// Recordings of at least this length, in samples, are decoded on several threads.
const LONG: u64 = 120 * RATE as u64;
/// Samples that are read at a time for a level.
const READ: u64 = 1 << 16;
/// Bytes of a WAV file's header.
const HEADER: u64 = 44;
/// The most samples that a WAV file can hold: 37 hours.
pub const MOST_SAMPLES: u64 = (u32::MAX as u64 - HEADER) / 2;

/// What is decoded.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// How it is opened.
    pub open: OpenOptions,
    /// The channel, or the mix.
    pub channels: ChannelChoice,
    /// The recording's first sample in the file.
    pub first: u64,
    /// Its length in samples.
    pub samples: u64,
}

/// How far a decoder has come, and whether it is to end.
#[derive(Debug, Default)]
pub struct Progress {
    samples: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Samples that are decoded.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Ends the decoder: nobody waits for it any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// The samples of one channel of a recording, or of the mix: 16 bits at 16 kHz.
#[derive(Debug)]
pub struct Audio {
    /// It has no name, so it is gone with the program, however that ends.
    file: Mutex<File>,
    samples: u64,
    /// The least and the greatest sample of each block.
    peaks: Vec<(i16, i16)>,
}

/// Why a decoder ended before the end of the source.
enum Interruption {
    Decode(AudioError),
    Write(io::Error),
    Enough,
}

impl Audio {
    /// Decodes a source.
    ///
    /// # Errors
    /// Why not, for the user.
    pub fn decode(wanted: &Wanted, progress: &Progress) -> Result<Self, String> {
        if wanted.samples > MOST_SAMPLES {
            return Err("the recording is longer than 37 hours, which is too long to be shown".into());
        }
        let failed = |interruption| match interruption {
            Interruption::Decode(error) => format!("{}: {error}", error.code()),
            Interruption::Write(error) => format!("the decoded source cannot be written to a temporary file: {error}"),
            Interruption::Enough => "stopped".to_owned(),
        };
        let file = tempfile::tempfile().map_err(|error| failed(Interruption::Write(error)))?;
        let mut writer = Writer::new(file, wanted);
        match writer.decode(wanted, progress) {
            // What was decoded before an error can be shown.
            Err(Interruption::Decode(_)) if writer.written > 0 => {}
            Err(Interruption::Enough) if writer.written >= wanted.samples => {}
            decoded => decoded.map_err(failed)?,
        }
        writer.finish().map_err(|error| failed(Interruption::Write(error)))
    }

    /// The least and the greatest sample of each of `columns` columns from sample `from` to `to`; fewer columns where there are
    /// not as many samples.
    pub fn peaks(&self, from: u64, to: u64, columns: usize) -> io::Result<Vec<(i16, i16)>> {
        let (from, to) = (from.min(self.samples), to.min(self.samples));
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if length < BLOCK * columns {
            let samples = self.read(from, length)?;
            return Ok(split(&samples, columns).filter_map(bounds).collect());
        }
        let block = |sample: u64| usize::try_from(sample).unwrap_or(usize::MAX) / BLOCK;
        let blocks = &self.peaks[block(from)..block(to)];
        let widest = |part: &[(i16, i16)]| {
            part.iter().fold((i16::MAX, i16::MIN), |(low, high), peak| (low.min(peak.0), high.max(peak.1)))
        };
        Ok(split(blocks, columns).map(widest).collect())
    }

    /// The level of the samples from `from` to `to`, dB below full scale.
    pub fn level_dbfs(&self, from: u64, to: u64) -> io::Result<f64> {
        let mut level = Level::default();
        let mut position = from;
        while position < to {
            let samples = self.read(position, READ.min(to - position) as usize)?;
            if samples.is_empty() {
                break;
            }
            level.add(&samples);
            position += samples.len() as u64;
        }
        Ok(level.dbfs())
    }

    /// Samples from `from` on; fewer at the end.
    pub fn read(&self, from: u64, samples: usize) -> io::Result<Vec<i16>> {
        let bytes = self.read_bytes(from * 2, samples * 2)?;
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Bytes of a WAV file.
    pub fn wav_bytes(&self) -> u64 {
        HEADER + self.samples * 2
    }

    /// Bytes of the WAV file from `from` on; fewer at its end.
    pub fn read_wav(&self, from: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let header = wav_header(self.samples);
        let mut read: Vec<u8> = header.iter().skip(from.min(HEADER) as usize).take(bytes).copied().collect();
        let rest = bytes - read.len();
        read.extend(self.read_bytes(from.saturating_sub(HEADER), rest)?);
        Ok(read)
    }

    fn read_bytes(&self, from: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let bytes = (bytes as u64).min((self.samples * 2).saturating_sub(from));
        let mut read = Vec::with_capacity(bytes as usize);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(from))?;
        (&mut *file).take(bytes).read_to_end(&mut read)?;
        Ok(read)
    }
}

/// Writes what is decoded.
struct Writer {
    file: BufWriter<File>,
    /// Samples of the file before the recording that are still to come.
    skipped: u64,
    written: u64,
    peaks: Vec<(i16, i16)>,
    /// The samples of the block that is not full.
    block: Vec<i16>,
}

impl Writer {
    fn new(file: File, wanted: &Wanted) -> Self {
        let (peaks, block) = (Vec::new(), Vec::with_capacity(BLOCK));
        Self { file: BufWriter::with_capacity(1 << 16, file), skipped: wanted.first, written: 0, peaks, block }
    }

    fn decode(&mut self, wanted: &Wanted, progress: &Progress) -> Result<(), Interruption> {
        let options = DecodeOptions { channels: wanted.channels, ..DecodeOptions::default() };
        let input = LocalFile::new(&wanted.path);
        let mut stream = AudioStream::open_with(&input, &wanted.open, options).map_err(Interruption::Decode)?;
        let parallel = wanted.first + wanted.samples >= LONG;
        stream.for_each_block(DECODED_BLOCK, parallel, Interruption::Decode, |block| {
            let samples = block.analysis.first().map_or(&[][..], Vec::as_slice);
            let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(samples.len());
            self.skipped -= skipped as u64;
            let missing = usize::try_from(wanted.samples - self.written).unwrap_or(usize::MAX);
            for &sample in samples[skipped..].iter().take(missing) {
                self.push(to_pcm16(sample)).map_err(Interruption::Write)?;
            }
            progress.samples.store(self.written, Ordering::Relaxed);
            let is_enough = self.written >= wanted.samples || progress.stopped.load(Ordering::Relaxed);
            if is_enough { Err(Interruption::Enough) } else { Ok(()) }
        })
    }

    fn push(&mut self, sample: i16) -> io::Result<()> {
        self.file.write_all(&sample.to_le_bytes())?;
        self.written += 1;
        self.block.push(sample);
        if self.block.len() == BLOCK {
            self.peaks.extend(bounds(&self.block));
            self.block.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Audio> {
        self.peaks.extend(bounds(&self.block));
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Audio { file: Mutex::new(file), samples: self.written, peaks: self.peaks })
    }
}

/// The least and the greatest sample, if there is one.
fn bounds(samples: &[i16]) -> Option<(i16, i16)> {
    Some((*samples.iter().min()?, *samples.iter().max()?))
}

/// The header of a WAV file with this number of 16-bit samples.
fn wav_header(samples: u64) -> [u8; HEADER as usize] {
    let bytes = u32::try_from(samples * 2).unwrap_or(u32::MAX);
    let mut header = [0; HEADER as usize];
    let fields: [(usize, &[u8]); 13] = [
        (0, b"RIFF"),
        (4, &bytes.saturating_add(HEADER as u32 - 8).to_le_bytes()),
        (8, b"WAVE"),
        (12, b"fmt "),
        (16, &16_u32.to_le_bytes()), // length of the format
        (20, &1_u16.to_le_bytes()),  // PCM
        (22, &1_u16.to_le_bytes()),  // channels
        (24, &RATE.to_le_bytes()),
        (28, &(RATE * 2).to_le_bytes()), // bytes a second
        (32, &2_u16.to_le_bytes()),      // bytes of a frame
        (34, &16_u16.to_le_bytes()),     // bits
        (36, b"data"),
        (40, &bytes.to_le_bytes()),
    ];
    for (at, field) in fields {
        header[at..at + field.len()].copy_from_slice(field);
    }
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn audio(samples: &[i16]) -> Audio {
        let wanted = Wanted {
            path: PathBuf::new(),
            open: OpenOptions::default(),
            channels: ChannelChoice::Mix,
            first: 0,
            samples: samples.len() as u64,
        };
        let mut writer = Writer::new(tempfile::tempfile().unwrap(), &wanted);
        samples.iter().for_each(|&sample| writer.push(sample).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn the_wav_file_is_read_in_pieces() {
        let samples: Vec<i16> = (0..1000).map(|n| n * 7 - 3000).collect();
        let audio = audio(&samples);
        let wav: Vec<u8> =
            (0..).step_by(13).map_while(|at| audio.read_wav(at, 13).ok().filter(|b| !b.is_empty())).flatten().collect();
        assert_eq!(wav.len() as u64, audio.wav_bytes());
        let mut reader = hound::WavReader::new(wav.as_slice()).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (16_000, 1));
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);
        assert_eq!(audio.read(990, 50).unwrap(), samples[990..]);
    }

    proptest! {
        /// However far it is zoomed in, the peaks of all columns are those of the samples.
        #[test]
        fn peaks_are_those_of_the_samples(
            samples in prop::collection::vec(any::<i16>(), 1..9000),
            columns in 1_usize..40,
        ) {
            let audio = audio(&samples);
            let end = samples.len() as u64;
            let peaks = audio.peaks(0, end, columns).unwrap();
            prop_assert_eq!(peaks.len(), columns.min(samples.len()));
            // Where blocks are joined, the incomplete last one is left out.
            let whole = if samples.len() < BLOCK * columns { samples.len() } else { samples.len() / BLOCK * BLOCK };
            let low = peaks.iter().map(|peak| peak.0).min();
            let high = peaks.iter().map(|peak| peak.1).max();
            prop_assert_eq!((low, high), (samples[..whole].iter().min().copied(), samples[..whole].iter().max().copied()));
            prop_assert!(audio.peaks(end + 5, end + 9, columns).unwrap().is_empty());
        }
    }

    #[test]
    fn levels_are_read_in_blocks() {
        let audio = audio(&[16_384; 200_000]);
        assert!((audio.level_dbfs(5, 199_000).unwrap() + 6.0206).abs() < 1e-4);
    }
}
