//! The length of a frame, found by parsing its subframes (RFC 9639, section 9.2). This is needed for the frame before a
//! damaged header, and for the last one before bytes that are not FLAC.

use super::{bits::Bits, frame_header::FrameHeader};

/// Bytes of the frame with `header` at the beginning of `bytes`, checksum included; `None` if they do not form a valid frame.
pub(super) fn frame_length(bytes: &[u8], header: &FrameHeader, stream_bits: u32) -> Option<usize> {
    let mut bits = Bits::new(bytes.get(header.len..)?);
    for channel in 0..header.channels {
        let width = header.bits.unwrap_or(stream_bits) + u32::from(header.side == Some(channel));
        subframe(&mut bits, width as usize, header.block as usize)?;
    }
    Some(header.len + bits.bytes() + 2)
}

fn subframe(bits: &mut Bits<'_>, width: usize, block: usize) -> Option<()> {
    let kind = bits.take(7)? as usize; // the first of these bits is zero padding
    let wasted = if bits.take(1)? == 1 { bits.unary()? + 1 } else { 0 };
    let width = width.checked_sub(wasted)?;
    match kind {
        0 => bits.skip(width),
        1 => bits.skip(width * block),
        8..=12 => {
            bits.skip(width * (kind - 8))?;
            residual(bits, kind - 8, block)
        }
        32..=63 => {
            let order = kind - 31;
            bits.skip(width * order)?;
            let precision = bits.take(4)? as usize + 1;
            bits.skip(5 + precision * order)?;
            residual(bits, order, block)
        }
        _ => None,
    }
}

fn residual(bits: &mut Bits<'_>, order: usize, block: usize) -> Option<()> {
    let width = match bits.take(2)? {
        0 => 4,
        1 => 5,
        _ => return None,
    };
    let partitions = bits.take(4)?;
    let each = block >> partitions;
    for partition in 0..1usize << partitions {
        let samples = if partition == 0 { each.checked_sub(order)? } else { each };
        let parameter = bits.take(width)?;
        if parameter == (1 << width) - 1 {
            let raw = bits.take(5)? as usize;
            bits.skip(raw * samples)?;
        } else {
            for _ in 0..samples {
                bits.unary()?;
                bits.skip(parameter as usize)?;
            }
        }
    }
    Some(())
}
