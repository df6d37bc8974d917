//! How long the blocks of a Vorbis stream are: its setup says which modes have long ones (Vorbis I, section 4.2.4).

use super::super::vorbis_codebooks::{Bits, MOST_ENTRIES, book};

/// Lengths of the blocks, and the block before.
#[derive(Clone, Debug)]
pub(super) struct VorbisBlocks {
    /// The length of each mode's block.
    modes: Vec<u32>,
    /// The length of the block before, if it is known.
    previous: Option<u32>,
}

impl VorbisBlocks {
    /// From the headers of identification and of setup.
    pub fn read(identification: &[u8], setup: &[u8]) -> Option<Self> {
        let (channels, sizes) = (*identification.get(11)?, *identification.get(28)?);
        let (short, long) = (sizes & 15, sizes >> 4);
        let is_valid = channels > 0 && 6 <= short && short <= long && long <= 13;
        let flags = long_modes(setup.get(7..)?, channels).filter(|_| is_valid)?;
        let modes = flags.iter().map(|&is_long| 1 << if is_long { long } else { short }).collect();
        Some(Self { modes, previous: None })
    }

    /// The frames that `packet` completes: none, where the block before it is missing.
    pub fn frames(&mut self, packet: &[u8]) -> u64 {
        let mut bits = Bits { bytes: packet, at: 0 };
        let count = (self.modes.len() as u32).saturating_sub(1);
        let is_audio = bits.take(1) == Some(0);
        let mode = bits.take(32 - count.leading_zeros()).filter(|_| is_audio);
        let Some(&block) = mode.and_then(|mode| self.modes.get(mode as usize)) else { return 0 };
        let previous = self.previous.replace(block);
        previous.map_or(0, |previous| u64::from(previous / 4 + block / 4))
    }

    /// Whether the block before is known.
    pub fn is_primed(&self) -> bool {
        self.previous.is_some()
    }

    /// The block before is lost.
    pub fn reset(&mut self) {
        self.previous = None;
    }
}

/// Which modes have long blocks. All that comes before them is passed over.
fn long_modes(setup: &[u8], channels: u8) -> Option<Vec<bool>> {
    let mut bits = Bits { bytes: setup, at: 0 };
    for _ in 0..=bits.take(8)? {
        book(&mut bits, MOST_ENTRIES).filter(|book| book.is_whole)?;
    }
    let transforms = bits.take(6)? + 1;
    bits.skip(transforms * 16)?;
    for _ in 0..=bits.take(6)? {
        floor(&mut bits)?;
    }
    for _ in 0..=bits.take(6)? {
        residue(&mut bits)?;
    }
    for _ in 0..=bits.take(6)? {
        mapping(&mut bits, channels)?;
    }
    let modes = bits.take(6)? + 1;
    (0..modes)
        .map(|_| {
            let is_long = bits.take(1)? == 1;
            bits.skip(16 + 16 + 8)?;
            Some(is_long)
        })
        .collect()
}

fn floor(bits: &mut Bits<'_>) -> Option<()> {
    match bits.take(16)? {
        0 => {
            bits.skip(8 + 16 + 16 + 6 + 8)?;
            let books = bits.take(4)? + 1;
            bits.skip(books * 8)
        }
        1 => {
            let partitions = bits.take(5)?;
            let classes: Vec<u64> = (0..partitions).map(|_| bits.take(4)).collect::<Option<_>>()?;
            let mut dimensions = [0; 16];
            let count = classes.iter().max().map_or(0, |&class| class as usize + 1);
            for dimension in dimensions.iter_mut().take(count) {
                *dimension = bits.take(3)? + 1;
                let subclasses = bits.take(2)?;
                bits.skip(if subclasses > 0 { 8 } else { 0 })?;
                bits.skip(8 << subclasses)?;
            }
            bits.skip(2)?;
            let width = bits.take(4)?;
            let points: u64 = classes.iter().filter_map(|&class| dimensions.get(class as usize)).sum();
            bits.skip(points * width)
        }
        _ => None,
    }
}

fn residue(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(16 + 3 * 24)?;
    let classes = bits.take(6)? + 1;
    bits.skip(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = bits.take(3)?;
        let high = if bits.take(1)? == 1 { bits.take(5)? } else { 0 };
        books += u64::from(low.count_ones() + high.count_ones());
    }
    bits.skip(books * 8)
}

fn mapping(bits: &mut Bits<'_>, channels: u8) -> Option<()> {
    if bits.take(16)? != 0 {
        return None;
    }
    let submaps = if bits.take(1)? == 1 { bits.take(4)? + 1 } else { 1 };
    if bits.take(1)? == 1 {
        let steps = bits.take(8)? + 1;
        let width = u64::from(8 - (channels - 1).leading_zeros());
        bits.skip(steps * 2 * width)?;
    }
    bits.skip(2)?;
    if submaps > 1 {
        bits.skip(u64::from(channels) * 4)?;
    }
    bits.skip(submaps * 24)
}
