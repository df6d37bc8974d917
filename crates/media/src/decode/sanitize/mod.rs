//! Finds the parts of a file that symphonia must not read, and hides or corrects them.
//!
//! symphonia reads pictures, attachments, comments and the tables of video tracks into memory before the first sample,
//! whatever their size. They are not needed here. So their names (of a chunk or a box) or numbers (of an element) are
//! replaced, while symphonia reads the file, by those of free space, which each demuxer skips. No byte moves. Headers that
//! are needed, but would take more time or memory than a recording may, are refused.

mod caf_chunks;
mod flac_blocks;
mod id3_tags;
mod matroska_elements;
mod mp4_encryption;
mod mp4_layout;
mod mp4_tables;

use std::io;

pub(super) use self::mp4_layout::Layout;

use super::mp4_fragment_times::Fragment;
use crate::{AudioError, MediaInput};

/// Maximum number of replaced bytes. Each costs time before the first sample.
const MAX_OVERRIDES: usize = 20_000;

/// What is known about a file's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing. The demuxer decides.
    #[default]
    Unknown,
    /// The file ends before the end that its header declares.
    CutOff,
    /// The file is complete although its header declares no length, as in live recordings.
    Whole,
}

/// Bytes of a file that are replaced while it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct ByteOverrides {
    /// The offset at which the container begins, after the tags before it.
    pub start: u64,
    /// Whether the file is complete.
    pub end: End,
    /// Offsets and the bytes that replace those of the file, sorted.
    pub places: Vec<(u64, u8)>,
    /// The fragments of an MP4 file, in their order.
    pub fragments: Vec<Fragment>,
}

impl ByteOverrides {
    /// Inspects the headers of `input`.
    ///
    /// # Errors
    /// [`AudioError::ImplausibleHeader`] for headers that no recorder writes, [`AudioError::Encrypted`], and errors of
    /// reading.
    pub fn of(input: &dyn MediaInput) -> Result<Self, AudioError> {
        let unreadable = |error| AudioError::from_io(error, &input.name());
        let len = input.len().map_err(unreadable)?;
        let mut overrides = Self { start: id3_tags::end(input, len).map_err(unreadable)?, ..Self::default() };
        let mut head = [0; 12];
        let read = input.read_at(overrides.start, &mut head).map_err(unreadable)?;
        match &head[..read] {
            [b'f', b'L', b'a', b'C', ..] => flac_blocks::all(input, &mut overrides).map_err(unreadable)?,
            [b'c', b'a', b'f', b'f', ..] => caf_chunks::all(input, len, &mut overrides)?,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => matroska_elements::all(input, len, &mut overrides)?,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => mp4_tables::all(input, len, &mut overrides)?,
            _ => {}
        }
        if overrides.places.len() > MAX_OVERRIDES {
            return Err(AudioError::ImplausibleHeader("thousands of chunks without audio".into()));
        }
        overrides.places.sort_unstable();
        Ok(overrides)
    }

    /// Replaces the bytes from `at` on by `seen`. Returns `false` if there are too many replacements.
    fn put(&mut self, at: u64, seen: &[u8]) -> bool {
        self.places.extend((at..).zip(seen.iter().copied()));
        self.places.len() <= MAX_OVERRIDES
    }

    /// Replaces bytes in `bytes`, which were read from the offset `at` on.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let from = self.places.partition_point(|&(place, _)| place < at);
        for &(place, seen) in &self.places[from..] {
            match bytes.get_mut((place - at) as usize) {
                Some(byte) => *byte = seen,
                None => break,
            }
        }
    }
}

/// The error for a header that is refused.
fn implausible<T>(what: String) -> Result<T, AudioError> {
    Err(AudioError::ImplausibleHeader(what))
}

/// Reads `N` bytes at `at`; `None` if the file ends before.
pub(in crate::decode) fn bytes<const N: usize>(input: &dyn MediaInput, at: u64) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok((input.read_at(at, &mut bytes)? == N).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::MemoryInput;

    fn overrides(bytes: &[u8]) -> Result<ByteOverrides, AudioError> {
        ByteOverrides::of(&MemoryInput::new("", bytes))
    }

    /// `bytes` as the demuxer reads them.
    fn seen(bytes: &[u8]) -> Vec<u8> {
        let (overrides, mut seen) = (overrides(bytes).unwrap(), bytes.to_vec());
        overrides.apply(0, &mut seen);
        // The same bytes result if the file is read in pieces.
        let mut pieces = bytes.to_vec();
        for (number, piece) in pieces.chunks_mut(3).enumerate() {
            overrides.apply(number as u64 * 3, piece);
        }
        assert_eq!(pieces, seen);
        seen[overrides.start as usize..].to_vec()
    }

    fn chunk(name: &[u8], content: &[u8]) -> Vec<u8> {
        [name, &(content.len() as u64).to_be_bytes(), content].concat()
    }

    fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
    }

    #[test]
    fn chunks_without_audio_are_hidden() {
        let caf = |name: &[u8]| [b"caff\0\x01\0\0", &chunk(name, b"odd")[..], &chunk(b"data", b"info")].concat();
        assert_eq!(seen(&caf(b"info")), caf(b"junk"));
        assert_eq!(seen(&caf(b"kuki")), caf(b"kuki"));
        let many = (0..9_000).flat_map(|_| chunk(b"info", b"")).collect::<Vec<u8>>();
        assert!(matches!(overrides(&[b"caff\0\x01\0\0", &many[..]].concat()), Err(AudioError::ImplausibleHeader(_))));
    }

    /// The length -1 means "until the end of the file", and longer data are cut off.
    #[test]
    fn the_length_of_data_in_caf_is_corrected() {
        let caf = |size: i64| [b"caff\0\x01\0\0data", &size.to_be_bytes()[..], b"samples"].concat();
        for (size, end) in [(7, End::Unknown), (-1, End::Whole), (8, End::CutOff)] {
            assert_eq!(seen(&caf(size)), caf(7), "{size}");
            assert_eq!(overrides(&caf(size)).unwrap().end, end, "{size}");
        }
    }

    #[test]
    fn pictures_before_the_audio_are_hidden() {
        let flac = |kind: u8| [&b"fLaC\0\0\0\x02ab"[..], &[kind, 0, 0, 3], b"abc", &[0xFF, 0xF8]].concat();
        assert_eq!(seen(&flac(0x86)), flac(0x81));
        let tagged = [&b"ID3\x04\0\x10\0\0\x01\x02"[..], &[9; 130 + 10], &flac(0x86)].concat();
        assert_eq!(seen(&tagged), flac(0x81));
        // A tag that is longer than the file is ignored.
        assert_eq!(seen(b"ID3\x04\0\0\x0f\0\0\0some audio"), b"ID3\x04\0\0\x0f\0\0\0some audio");
    }

    #[test]
    fn video_tracks_are_hidden() {
        let track = |kind: &[u8]| framed(b"mdia", &[&framed(b"hdlr", &[&[0; 8], kind, &[0; 13]])]);
        let film = |name: &[u8; 4], kind: &[u8], extension: &[u8]| {
            let tracks = [framed(name, &[&track(kind)]), framed(b"trak", &[&track(b"soun")])].concat();
            [framed(b"ftyp", &[b"isom"]), framed(b"moov", &[&tracks, extension])].concat()
        };
        assert_eq!(seen(&film(b"trak", b"vide", b"")), film(b"free", b"vide", b""));
        assert_eq!(seen(&film(b"trak", b"soun", b"")), film(b"trak", b"soun", b""));
        let fragmented = film(b"trak", b"vide", &framed(b"mvex", &[]));
        assert_eq!(seen(&fragmented), fragmented, "each fragment refers to all tracks");
    }

    /// Android's recorders write a duration for each packet.
    #[test]
    fn a_long_table_of_durations_is_replaced_by_a_short_one() {
        let numbers = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
        let film = |table: &[u32]| {
            let stts = framed(b"stts", &[&[0; 4], &numbers(table)]);
            let stsz = framed(b"stsz", &[&numbers(&[0, 1, 50_000])]);
            let minf = framed(b"minf", &[&framed(b"stbl", &[&stts, &stsz])]);
            let moov = framed(b"moov", &[&framed(b"trak", &[&framed(b"mdia", &[&minf])])]);
            [framed(b"ftyp", &[b"isom"]), moov, vec![0; 60_000]].concat()
        };
        let table: Vec<u32> = (0..50_000).flat_map(|n| [1, 1_023 + n % 3]).collect();
        let long = [&[50_000][..], &table].concat();
        // 50,000 packets whose mean duration is 1,024 ticks less one tick in 50,000 packets.
        let mut short = long.clone();
        short[..5].copy_from_slice(&[2, 49_999, 1_024, 1, 1_023]);
        assert_eq!(seen(&film(&long)), film(&short));
        let brief = [&[1_000][..], &table[..2_000]].concat();
        assert_eq!(seen(&film(&brief)), film(&brief));
    }

    #[test]
    fn attachments_are_hidden() {
        let file = |last: u8| {
            let attached = [&[0x19, 0x41, 0xA4, last, 0x83][..], b"abc"].concat();
            let open = [0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xA3, 0x81, 1];
            let body = [&open[..], &attached].concat();
            [&[0x1A, 0x45, 0xDF, 0xA3, 0x81, 1, 0x18, 0x53, 0x80, 0x67, 0xFF][..], &body].concat()
        };
        assert_eq!(seen(&file(0x69)), file(0x00));
    }

    #[test]
    fn truncated_files_do_not_panic() {
        for name in [
            "formats/film_aac.mp4",
            "formats/aac_fragmented.mp4",
            "formats/film_opus.mkv",
            "formats/caf_alac_16k_mono.caf",
        ] {
            let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap();
            for cut in (0..bytes.len().min(3_000)).step_by(7) {
                let _ = overrides(&bytes[..cut]);
            }
        }
    }
}
