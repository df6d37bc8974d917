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

/// The buffered writer of a segment file.
type Buffered<'a> = BufWriter<&'a File>;

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
    let out = BufWriter::with_capacity(1 << 16, &file);
    match spec.format {
        SegmentFormat::Wav => wav::write(out, spec, blocks)?,
        SegmentFormat::Flac => flac::write(out, spec, frames, blocks)?,
        SegmentFormat::Opus => opus::write(out, spec, blocks)?,
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(hash(file)?)
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
