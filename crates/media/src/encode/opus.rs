//! Writes Opus (RFC 6716) in Ogg (RFC 7845), with libopus and the crate `ogg`.

use std::{borrow::Cow, io};

use ogg::{PacketWriteEndInfo, PacketWriter};

use super::{EncodeError, OPUS_RATES, Output, Sample, SegmentSpec, Write, bitrate, unsupported};
use crate::libopus::{Encoder, RATE};

/// The serial number of the stream. Any number will do, since the file has no other stream.
const SERIAL: u32 = 1;

/// Packets in a page of Ogg: one second. More would make seeking slower, fewer would take more space.
const PACKETS_PER_PAGE: usize = 50;

pub(super) fn write<'s, S: Sample>(
    out: Output<'_>,
    spec: &SegmentSpec,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<(), EncodeError> {
    if spec.channels > 2 || !OPUS_RATES.contains(&spec.rate) {
        return Err(unsupported(format!(
            "Opus holds one or two channels at 8, 12, 16, 24 or 48 kHz, and this would be {} at {} Hz",
            spec.channels, spec.rate
        )));
    }
    let bits = spec.opus_bitrate.unwrap_or_else(|| bitrate(spec.rate, spec.channels));
    let mut stream = Stream::begin(out, spec, bits)?;
    for samples in blocks {
        stream.waiting.extend(samples?.iter().map(|sample| f32::from(sample.to_i16()) / 32_768.0));
        stream.encode()?;
    }
    stream.end()
}

struct Stream<'a> {
    pages: PacketWriter<'static, Output<'a>>,
    encoder: Encoder,
    channels: usize,
    /// Samples at 48 kHz for each sample of the file.
    step: u64,
    /// Samples that do not fill a packet yet.
    waiting: Vec<f32>,
    /// A packet that may be the last one, and its end in frames.
    held: Option<(Vec<u8>, u64)>,
    /// Number of frames so far.
    frames: u64,
    /// Number of frames in packets so far.
    packed: u64,
    packets: usize,
}

impl<'a> Stream<'a> {
    fn begin(out: Output<'a>, spec: &SegmentSpec, bits: u32) -> Result<Self, EncodeError> {
        let encoder = Encoder::new(spec.rate, spec.channels.into(), bits).map_err(unsupported)?;
        let step = u64::from(RATE / spec.rate);
        let skip = u16::try_from(encoder.delay() as u64 * step).map_err(unsupported)?;
        let mut pages = PacketWriter::new(out);
        let mut head = b"OpusHead\x01".to_vec();
        head.push(spec.channels as u8);
        head.extend(skip.to_le_bytes());
        head.extend(spec.rate.to_le_bytes());
        head.extend([0; 3]); // no gain, plain mono or stereo
        pages.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let vendor = b"prepare-audio";
        let mut tags = b"OpusTags".to_vec();
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0u32.to_le_bytes());
        pages.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let (channels, waiting) = (spec.channels.into(), Vec::new());
        Ok(Self { pages, encoder, channels, step, waiting, held: None, frames: 0, packed: 0, packets: 0 })
    }

    /// Encodes the samples that fill whole packets.
    fn encode(&mut self) -> Result<(), EncodeError> {
        let size = self.encoder.frame() * self.channels;
        let whole = self.waiting.len() / size * size;
        let waiting = std::mem::take(&mut self.waiting);
        self.frames += (whole / self.channels) as u64;
        for frame in waiting[..whole].chunks_exact(size) {
            self.pack(frame)?;
        }
        self.waiting = waiting[whole..].to_vec();
        Ok(())
    }

    fn pack(&mut self, frame: &[f32]) -> Result<(), EncodeError> {
        let packet = self.encoder.encode(frame).map_err(io::Error::other)?;
        self.packed += self.encoder.frame() as u64;
        if let Some((packet, end)) = self.held.replace((packet, self.packed)) {
            self.packets += 1;
            let full = self.packets.is_multiple_of(PACKETS_PER_PAGE);
            let info = if full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            self.pages.write_packet(packet, SERIAL, info, end * self.step)?;
        }
        Ok(())
    }

    /// Ends the stream. Silence flushes the encoder's delay, and the last page's granule position is the exact end.
    fn end(mut self) -> Result<(), EncodeError> {
        self.frames += (self.waiting.len() / self.channels) as u64;
        let end = self.frames + self.encoder.delay() as u64;
        let size = self.encoder.frame() * self.channels;
        let mut rest = std::mem::take(&mut self.waiting);
        while self.packed < end || self.held.is_none() {
            rest.resize(size, 0.0);
            self.pack(&rest)?;
            rest.clear();
        }
        if let Some((packet, _)) = self.held.take() {
            self.pages.write_packet(packet, SERIAL, PacketWriteEndInfo::EndStream, end * self.step)?;
        }
        Ok(self.pages.inner_mut().flush()?)
    }
}
