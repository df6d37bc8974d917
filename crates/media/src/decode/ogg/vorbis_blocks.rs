//! How long the blocks of a Vorbis stream are: its setup defines which modes have long ones (Vorbis I, section 4.2.4).

use std::io;

use bitstream_io::BitRead;

use super::super::vorbis_codebooks::{Bits, MOST_ENTRIES, book, skip};

/// The block lengths of the modes, and that of the previous block.
#[derive(Clone, Debug)]
pub(super) struct VorbisBlocks {
    /// The block length of each mode.
    modes: Vec<u32>,
    /// The length of the previous block, if it is known.
    previous: Option<u32>,
}

impl VorbisBlocks {
    /// Reads the identification header and the setup header.
    pub fn read(identification: &[u8], setup: &[u8]) -> Option<Self> {
        let (channels, sizes) = (*identification.get(11)?, *identification.get(28)?);
        let (short, long) = (sizes & 15, sizes >> 4);
        let is_valid = channels > 0 && 6 <= short && short <= long && long <= 13;
        let flags = long_modes(setup.get(7..)?, channels).ok().filter(|_| is_valid)?;
        let modes = flags.iter().map(|&is_long| 1 << if is_long { long } else { short }).collect();
        Some(Self { modes, previous: None })
    }

    /// The number of frames that `packet` completes: none, if the previous block is missing.
    pub fn frames(&mut self, packet: &[u8]) -> u64 {
        let Some(block) = self.mode(packet).ok().flatten().and_then(|mode| self.modes.get(mode).copied()) else {
            return 0;
        };
        let previous = self.previous.replace(block);
        previous.map_or(0, |previous| u64::from(previous / 4 + block / 4))
    }

    /// The number of the mode of an audio packet.
    fn mode(&self, packet: &[u8]) -> io::Result<Option<usize>> {
        let mut bits = Bits::new(packet);
        let last = (self.modes.len() as u32).saturating_sub(1);
        let is_audio = !bits.read_bit()?;
        let mode = bits.read_var::<u32>(32 - last.leading_zeros())?;
        Ok(is_audio.then_some(mode as usize))
    }

    /// Whether the previous block is known.
    pub fn is_primed(&self) -> bool {
        self.previous.is_some()
    }

    /// Forgets the previous block, which was lost.
    pub fn reset(&mut self) {
        self.previous = None;
    }
}

/// Which modes have long blocks. All fields before them are skipped.
fn long_modes(setup: &[u8], channels: u8) -> io::Result<Vec<bool>> {
    let bits = &mut Bits::new(setup);
    for _ in 0..=bits.read::<8, u8>()? {
        if !book(bits, MOST_ENTRIES)?.is_whole {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let transforms = bits.read::<6, u32>()? + 1;
    bits.skip(transforms * 16)?;
    for _ in 0..=bits.read::<6, u8>()? {
        floor(bits)?;
    }
    for _ in 0..=bits.read::<6, u8>()? {
        residue(bits)?;
    }
    for _ in 0..=bits.read::<6, u8>()? {
        mapping(bits, channels)?;
    }
    let modes = bits.read::<6, u8>()? + 1;
    (0..modes)
        .map(|_| {
            let is_long = bits.read_bit()?;
            bits.skip(16 + 16 + 8)?;
            Ok(is_long)
        })
        .collect()
}

fn floor(bits: &mut Bits<'_>) -> io::Result<()> {
    match bits.read::<16, u16>()? {
        0 => {
            bits.skip(8 + 16 + 16 + 6 + 8)?;
            let books = bits.read::<4, u32>()? + 1;
            bits.skip(books * 8)
        }
        1 => {
            let partitions = bits.read::<5, u8>()?;
            let classes = (0..partitions).map(|_| bits.read::<4, u8>()).collect::<io::Result<Vec<u8>>>()?;
            let mut dimensions = [0; 16];
            let count = classes.iter().max().map_or(0, |&class| usize::from(class) + 1);
            for dimension in dimensions.iter_mut().take(count) {
                *dimension = bits.read::<3, u64>()? + 1;
                let subclasses = bits.read::<2, u32>()?;
                bits.skip(if subclasses > 0 { 8 } else { 0 })?;
                bits.skip(8 << subclasses)?;
            }
            bits.skip(2)?;
            let width = bits.read::<4, u64>()?;
            let points: u64 = classes.iter().filter_map(|&class| dimensions.get(usize::from(class))).sum();
            skip(bits, points * width)
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn residue(bits: &mut Bits<'_>) -> io::Result<()> {
    bits.skip(16 + 3 * 24)?;
    let classes = bits.read::<6, u8>()? + 1;
    bits.skip(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = bits.read::<3, u8>()?;
        let high = if bits.read_bit()? { bits.read::<5, u8>()? } else { 0 };
        books += low.count_ones() + high.count_ones();
    }
    bits.skip(books * 8)
}

fn mapping(bits: &mut Bits<'_>, channels: u8) -> io::Result<()> {
    if bits.read::<16, u16>()? != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let submaps = if bits.read_bit()? { bits.read::<4, u32>()? + 1 } else { 1 };
    if bits.read_bit()? {
        let steps = bits.read::<8, u32>()? + 1;
        let width = 8 - (channels - 1).leading_zeros();
        bits.skip(steps * 2 * width)?;
    }
    bits.skip(2)?;
    if submaps > 1 {
        bits.skip(u32::from(channels) * 4)?;
    }
    bits.skip(submaps * 24)
}
