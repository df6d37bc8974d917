//! Segments as 16-bit WAV files.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom},
    path::Path,
};

use hound::{SampleFormat, WavSpec, WavWriter};
use sha2::{Digest, Sha256};

/// 16-bit mono PCM at 16 kHz.
const SPEC: WavSpec =
    WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: SampleFormat::Int };

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// The nearest 16-bit value of a sample of full scale 1.0, ties to even; what lies outside is clipped.
///
/// Samples that came from 16-bit audio at 16 kHz come back bit for bit.
pub fn to_pcm16(sample: f32) -> i16 {
    // Added to it, a small number is rounded to its last bit, by the rule of IEEE 754 and without a call to `rintf`, so
    // that the loop over samples becomes SIMD on any processor.
    const TO_INTEGER: f32 = 12_582_912.0; // 1.5 * 2^23
    let scaled = (sample * 32_768.0).clamp(-32_768.0, 32_767.0) + TO_INTEGER;
    (scaled.to_bits() as i32 - TO_INTEGER.to_bits() as i32) as i16
}

/// Writes blocks of samples to a new, empty file that is open for reading, too. It is not synced: the caller does that,
/// off the threads that compute.
///
/// # Errors
/// What the file system says: no space, no permission, the folder gone; or what the blocks do.
pub fn write_wav<'s>(mut file: File, blocks: impl Iterator<Item = io::Result<Cow<'s, [i16]>>>) -> io::Result<Written> {
    let mut writer = WavWriter::new(BufWriter::with_capacity(1 << 16, &file), SPEC).map_err(into_io)?;
    for samples in blocks {
        let samples = samples?;
        let mut block = writer.get_i16_writer(samples.len() as u32);
        samples.iter().for_each(|&s| block.write_sample(s));
        block.flush().map_err(into_io)?;
    }
    writer.finalize().map_err(into_io)?;
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

fn into_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(e) => e,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_value_survives() {
        for value in i16::MIN..=i16::MAX {
            assert_eq!(to_pcm16(f32::from(value) / 32_768.0), value);
        }
    }

    #[test]
    fn loud_samples_are_clipped_not_wrapped() {
        let loud = [1.0, 1.5, f32::INFINITY, -1.0, -2.0, f32::MIN];
        assert_eq!(loud.map(to_pcm16), [i16::MAX, i16::MAX, i16::MAX, i16::MIN, i16::MIN, i16::MIN]);
    }

    proptest::proptest! {
        #[test]
        fn rounding_is_that_of_the_standard_library(sample in -1.1f32..1.1) {
            proptest::prop_assert_eq!(to_pcm16(sample), (sample * 32_768.0).round_ties_even() as i16);
        }
    }

    #[test]
    fn the_file_reads_back_and_its_hash_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let samples: Vec<i16> = (0..40_000).map(|n| (n * 7 % 65_536 - 32_768) as i16).collect();
        let blocks = samples.chunks(9_999).map(|block| Ok(Cow::Borrowed(block)));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let written = write_wav(file, blocks).unwrap();
        assert_eq!(written, hash_file(&path).unwrap());
        let mut reader = hound::WavReader::open(&path).unwrap();
        assert_eq!((reader.spec(), reader.len()), (SPEC, 40_000));
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);
        assert_eq!(written.bytes, 44 + 80_000);
        assert_eq!(written.sha256.len(), 64);
    }
}
