//! HE-AAC that says so in its configuration (ISO/IEC 14496-3, 1.6.2.1): its core is plain AAC-LC at half the rate, which
//! decodes when the configuration is that of the core. What is lost lies above a quarter of the full rate: at 44.1 kHz
//! above 11 kHz, where the speech model does not listen.

/// The object types: plain, with spectral band replication, and with parametric stereo on top.
const LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// Frames of the core by which a decoder with spectral band replication is later, for which encoders allow: its filterbanks'
/// delay, 962 frames at the full rate (so measured against ffmpeg).
pub(super) const CORE_IS_EARLIER: u64 = 481;

/// The configuration of the core; `None` where `config` is not HE-AAC's.
pub(super) fn core_of(config: &[u8]) -> Option<Box<[u8]>> {
    let mut bits = Bits { bytes: config, at: 0 };
    if !matches!(bits.take(5)?, SBR | PS) {
        return None;
    }
    let rate = bits.rate()?;
    let channels = bits.take(4)?;
    bits.rate()?;
    if bits.take(5)? != LC {
        return None;
    }
    let rest = bits.take(3)?;
    let mut core = Written::default();
    core.put(LC, 5);
    core.put(rate.0, 4);
    if let Some(hertz) = rate.1 {
        core.put(hertz, 24);
    }
    core.put(channels, 4);
    core.put(rest, 3);
    Some(core.bytes.into())
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |number, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(number << 1 | u32::from(bit))
        })
    }

    /// A rate's index, and the rate itself where it has none.
    fn rate(&mut self) -> Option<(u32, Option<u32>)> {
        match self.take(4)? {
            15 => Some((15, Some(self.take(24)?))),
            index => Some((index, None)),
        }
    }
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    len: usize,
}

impl Written {
    fn put(&mut self, number: u32, count: usize) {
        for bit in (0..count).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let set = (number >> bit & 1) as u8;
            *self.bytes.last_mut().unwrap_or(&mut 0) |= set << (7 - self.len % 8);
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_plain_aac() {
        // 00101 0110 0010 0011 00010 000: HE-AAC, 24 kHz, stereo, 48 kHz in all; LC.
        let config = [0b0010_1011, 0b0001_0001, 0b1000_1000, 0];
        // 00010 0110 0010 000
        assert_eq!(core_of(&config).as_deref(), Some(&[0b0001_0011, 0b0001_0000][..]));
        assert_eq!(core_of(&[0b0001_0011, 0b0001_0000]), None, "plain already");
        assert!((0..3).all(|len| core_of(&config[..len]).is_none()));
    }
}
