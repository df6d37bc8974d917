//! Writes segment files.

mod flac;
mod opus;
mod sample;
mod settings;
mod wav;

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

pub use self::{
    sample::{Sample, to_pcm16, to_pcm24},
    settings::{OPUS_RATES, SegmentFileSettings, SegmentFormat, SegmentRate, SegmentSpec, SourceCut, bitrate},
};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// What an encoder writes to: memory, or a file.
trait Target: Write + Seek {}

impl<T: Write + Seek> Target for T {}

/// What encoders take.
type Output<'a> = &'a mut dyn Target;

/// Segments of at most this many bytes of samples are encoded in memory and written at once: 4 minutes at 16 kHz.
const IN_MEMORY: u64 = 8 << 20;

/// Writes `frames` frames, in blocks of interleaved samples, to a new, empty file that is also open for reading. The file is
/// not synced: the caller does that, outside of the compute threads.
///
/// # Errors
/// [`EncodeError::Unsupported`] if the format cannot hold such samples; [`EncodeError::Io`] for errors of the file system and
/// of the blocks.
pub fn write_segment<'s, S: Sample>(
    mut file: File,
    spec: &SegmentSpec,
    frames: u64,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<WrittenFile, EncodeError> {
    if spec.format == SegmentFormat::Wav && spec.bytes(frames) > u64::from(u32::MAX) {
        return Err(unsupported("a segment of more than 4 GB, which WAV cannot hold"));
    }
    if spec.bytes(frames) <= IN_MEMORY {
        let mut encoded = io::Cursor::new(Vec::with_capacity(spec.bytes(frames) as usize));
        encode(&mut encoded, spec, frames, blocks)?;
        let encoded = encoded.into_inner();
        file.write_all(&encoded)?;
        begin_writeback(&file);
        return Ok(WrittenFile { bytes: encoded.len() as u64, sha256: hex::encode(Sha256::digest(&encoded)) });
    }
    let mut out = BufWriter::with_capacity(1 << 16, &file);
    encode(&mut out, spec, frames, blocks)?;
    out.flush()?;
    drop(out);
    begin_writeback(&file);
    file.seek(SeekFrom::Start(0))?;
    Ok(hash(file)?)
}

/// Encodes `frames` frames, in blocks of interleaved samples, in memory.
///
/// # Errors
/// Those of [`write_segment`].
pub fn encode_segment<'s, S: Sample>(
    spec: &SegmentSpec,
    frames: u64,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<Vec<u8>, EncodeError> {
    let mut encoded = io::Cursor::new(Vec::new());
    encode(&mut encoded, spec, frames, blocks)?;
    Ok(encoded.into_inner())
}

fn encode<'s, S: Sample>(
    out: Output<'_>,
    spec: &SegmentSpec,
    frames: u64,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<(), EncodeError> {
    match spec.format {
        SegmentFormat::Wav => wav::write(out, spec, blocks),
        SegmentFormat::Flac => flac::write(out, spec, frames, blocks),
        SegmentFormat::Opus => opus::write(out, spec, blocks),
    }
}

/// Lets the system begin to write the file to the disk, without waiting. Then a sync has little left to do, and syncing
/// several files costs about as much as syncing one: their blocks are in the same transaction of the file system.
///
/// On Linux the advice that the pages are not needed any more has this effect. Pages that are not on the disk yet stay in
/// the cache.
fn begin_writeback(file: &File) {
    #[cfg(target_os = "linux")]
    {
        // What it says of the pages is a hint, so an error means nothing.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// The length and the hash of an existing file.
///
/// # Errors
/// Those of the file system.
pub fn hash_file(path: &Path) -> io::Result<WrittenFile> {
    hash(File::open(path)?)
}

fn hash(mut file: File) -> io::Result<WrittenFile> {
    let mut digest = Sha256::new();
    let mut buffer = [0; 1 << 16];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        digest.update(&buffer[..n]);
        bytes += n as u64;
    }
    Ok(WrittenFile { bytes, sha256: hex::encode(digest.finalize()) })
}

/// Why a segment could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The format cannot hold these channels, this sample rate or this length.
    #[error("{0}")]
    Unsupported(String),
    /// The file system, or the source of the blocks, reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn unsupported(reason: impl ToString) -> EncodeError {
    EncodeError::Unsupported(reason.to_string())
}

#[cfg(test)]
mod tests;
