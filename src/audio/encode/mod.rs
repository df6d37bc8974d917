//! Samples into segment files.

mod files;
mod flac;
mod opus;
mod sample;
mod wav;

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

pub use self::{
    files::{Cut, OPUS_RATES, SegmentFiles, SegmentFormat, SegmentRate, Spec, bitrate},
    sample::{Sample, to_pcm16, to_pcm24},
};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// What is written through while a file is made.
type Buffered<'a> = BufWriter<&'a File>;

/// Writes `frames` frames, in blocks of interleaved samples, to a new, empty file that is open for reading, too. It is
/// not synced: the caller does that, off the threads that compute.
///
/// # Errors
/// What the file system says: no space, no permission, the folder gone; or what the blocks do; or
/// [`io::ErrorKind::Unsupported`] where the format cannot hold such samples.
pub fn write_segment<'s, S: Sample>(
    mut file: File,
    spec: &Spec,
    frames: u64,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> io::Result<Written> {
    if spec.format == SegmentFormat::Wav && spec.bytes(frames) > u64::from(u32::MAX) {
        return Err(unsupported("a segment of more than 4 GB, which WAV cannot hold: use --format flac"));
    }
    let out = BufWriter::with_capacity(1 << 16, &file);
    match spec.format {
        SegmentFormat::Wav => wav::write(out, spec, blocks)?,
        SegmentFormat::Flac => flac::write(out, spec, frames, blocks)?,
        SegmentFormat::Opus => opus::write(out, spec, blocks)?,
    }
    file.seek(SeekFrom::Start(0))?;
    hash(file)
}

/// The hash of what a reader of the file will find.
///
/// # Errors
/// What the file system says.
pub fn hash_file(path: &Path) -> io::Result<Written> {
    hash(File::open(path)?)
}

fn hash(mut file: File) -> io::Result<Written> {
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
    let sha256 = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(Written { bytes, sha256 })
}

/// A format's own objection, as an error of the file.
fn unsupported(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

#[cfg(test)]
mod tests;
