//! The configuration of HE-AAC (ISO/IEC 14496-3, 1.6.2.1): finds the plain AAC-LC core in it. Decodes nothing.
//!
//! The core has half the rate, and symphonia decodes it when it gets the core's configuration. What is lost lies above a
//! quarter of the full rate: at 44.1 kHz above 11 kHz, while the speech model receives frequencies up to 8 kHz.

use std::io;

use bitstream_io::{BigEndian, BitRead, BitReader, BitWrite, BitWriter};

/// The object types: plain, with spectral band replication, and with parametric stereo on top.
const LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// The number that begins an extension.
const SYNC_EXTENSION: u32 = 0x2B7;

/// The index that stands for a rate that is written out.
const EXPLICIT_RATE: u32 = 15;

/// Frames by which the core is earlier than the output of a decoder with spectral band replication, for which encoders
/// allow. Its filterbanks' delay is 962 frames at the full rate, measured against ffmpeg.
pub(super) const CORE_IS_EARLIER: u64 = 481;

/// The configuration of the core; `None` where `config` is not that of HE-AAC.
pub(super) fn core_of(config: &[u8]) -> Option<Box<[u8]>> {
    read_core(config).ok().flatten()
}

fn read_core(config: &[u8]) -> io::Result<Option<Box<[u8]>>> {
    let mut bits = BitReader::endian(config, BigEndian);
    let kind: u32 = bits.read::<5, _>()?;
    if kind == LC {
        return Ok(if has_extension(&mut bits)? { config.get(..2).map(Box::from) } else { None });
    }
    if !matches!(kind, SBR | PS) {
        return Ok(None);
    }
    let (rate, explicit_rate) = read_rate(&mut bits)?;
    let channels: u32 = bits.read::<4, _>()?;
    read_rate(&mut bits)?;
    if bits.read::<5, u32>()? != LC {
        return Ok(None);
    }
    let flags: u32 = bits.read::<3, _>()?;
    let mut core = BitWriter::endian(Vec::new(), BigEndian);
    core.write::<5, _>(LC)?;
    core.write::<4, _>(rate)?;
    if let Some(hertz) = explicit_rate {
        core.write::<24, _>(hertz)?;
    }
    core.write::<4, _>(channels)?;
    core.write::<3, _>(flags)?;
    core.byte_align()?;
    Ok(Some(core.into_writer().into()))
}

/// Whether the configuration of plain AAC-LC, after its type, has an extension that announces spectral band replication.
/// Decoders that do not know it decode the core.
fn has_extension(bits: &mut impl BitRead) -> io::Result<bool> {
    let (index, channels, flags) = (bits.read::<4, u32>()?, bits.read::<4, u32>()?, bits.read::<3, u32>()?);
    if index == EXPLICIT_RATE || channels == 0 || flags != 0 {
        return Ok(false);
    }
    let found = bits
        .read::<11, u32>()
        .and_then(|sync| Ok(sync == SYNC_EXTENSION && bits.read::<5, u32>()? == SBR && bits.read_bit()?));
    Ok(found.unwrap_or(false)) // the configuration may end before
}

/// A rate's index, and the rate itself where it has no index.
fn read_rate(bits: &mut impl BitRead) -> io::Result<(u32, Option<u32>)> {
    let index = bits.read::<4, _>()?;
    Ok((index, if index == EXPLICIT_RATE { Some(bits.read::<24, _>()?) } else { None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_plain_core() {
        // 00101 0110 0010 0011 00010 000: HE-AAC, 24 kHz, stereo, 48 kHz in all; LC.
        let config = [0b0010_1011, 0b0001_0001, 0b1000_1000, 0];
        // 00010 0110 0010 000
        assert_eq!(core_of(&config).as_deref(), Some(&[0b0001_0011, 0b0001_0000][..]));
        assert_eq!(core_of(&[0b0001_0011, 0b0001_0000]), None, "plain already");
        // 00010 0110 0010 000 01010110111 00101 1 0011: the same with an extension.
        let config = [0b0001_0011, 0b0001_0000, 0b0101_0110, 0b1110_0101, 0b1001_1000];
        assert_eq!(core_of(&config).as_deref(), Some(&config[..2]));
        assert!((0..4).all(|len| core_of(&config[..len]).is_none()));
        assert_eq!(core_of(&[config[0], config[1], config[2], config[3], 0b0001_1000]), None, "without replication");
        assert!((0..3).all(|len| core_of(&config[..len]).is_none()));
    }
}
