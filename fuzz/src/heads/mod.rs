//! Small files whose header fields the fuzzer chooses. Signatures, lengths and checksums are valid, so that readers parse the
//! rest.

mod boxes;
mod plain;
mod streams;

/// The file that `data` describes: the first byte selects the format, the next bytes are the header's fields, and the rest is
/// the audio.
pub fn file(data: &[u8]) -> Option<Vec<u8>> {
    let (kind, rest) = data.split_first()?;
    let mut numbers = Numbers(rest);
    let make = [
        plain::wav,
        plain::aiff,
        plain::caf,
        plain::flac,
        streams::opus,
        streams::vorbis,
        streams::flac,
        boxes::mp4,
        boxes::fragments,
        boxes::mkv,
    ];
    Some(make[usize::from(*kind) % make.len()](&mut numbers))
}

/// Reads numbers from the fuzzer's bytes.
pub struct Numbers<'d>(&'d [u8]);

impl<'d> Numbers<'d> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let len = self.0.len().min(N);
        let (taken, rest) = self.0.split_at(len);
        bytes[..len].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    /// `usual`, or any number, or one at an end of what fits.
    fn number(&mut self, usual: u64) -> u64 {
        match self.byte() {
            0..128 => usual,
            128 => 0,
            129 => 1,
            130 => u64::MAX,
            131 => u64::from(u32::MAX),
            132 => i64::MAX as u64,
            133 => i32::MAX as u64,
            134 => 0x8000_0000,
            135..192 => usual.wrapping_add(self.byte().cast_signed() as u64),
            _ => u64::from_le_bytes(self.take()),
        }
    }

    /// One of these.
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Up to so many bytes.
    fn bytes(&mut self, most: usize) -> &'d [u8] {
        let len = usize::from(self.byte()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    /// All that is left.
    fn rest(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.0)
    }
}
