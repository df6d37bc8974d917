//! Divides a range of a file into packets of whole blocks. Does not interpret headers.

use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

use symphonia::core::{
    audio::Channels,
    codecs::{
        CodecParameters,
        audio::{AudioCodecId, AudioCodecParameters},
    },
    errors::{Error, Result, SeekErrorKind},
    formats::{Attachment, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{ChapterGroup, Metadata, MetadataLog},
    packet::Packet,
    units::{Duration, TimeBase, Timestamp},
};

use crate::{MediaRead, decode::skipped_bytes::SkippedBytes};

/// Frames in a packet, unless one block has more.
const FRAMES_PER_PACKET: u64 = 1152;

/// Length of a read in bytes.
const BUFFER: usize = 64 << 10;

/// The encoding of samples, and the way in which they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub codec: AudioCodecId,
    /// Sample rate in Hz.
    pub rate: u32,
    pub channels: u16,
    /// Bits of a sample, if the codec is lossless.
    pub bits: Option<u32>,
    /// Length in bytes of the smallest unit that can be decoded: a frame of PCM, a block of ADPCM.
    pub block_bytes: u64,
    /// Number of frames in a block.
    pub block_frames: u64,
}

/// The range of the file that holds samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Samples {
    pub start: u64,
    /// The end that the header declares.
    pub declared_end: u64,
    /// The end of the samples in the file.
    pub end: u64,
}

/// A demuxer of one track whose blocks have a fixed length.
pub(super) struct BlockReader {
    file: BufReader<Box<dyn MediaRead>>,
    info: &'static FormatInfo,
    format: Format,
    samples: Samples,
    /// The offset of the next packet.
    at: u64,
    tracks: [Track; 1],
    media_info: MediaInfo,
    skipped: SkippedBytes,
    metadata: MetadataLog,
}

impl BlockReader {
    /// A demuxer of `samples` in `file`. `format` has no field that is 0.
    ///
    /// # Errors
    /// Errors of seeking.
    pub fn new(
        file: Box<dyn MediaRead>,
        info: &'static FormatInfo,
        format: Format,
        samples: Samples,
    ) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER, file);
        file.seek(SeekFrom::Start(samples.start))?;
        let track = track(&format, samples);
        Ok(Self {
            file,
            info,
            format,
            samples,
            at: samples.start,
            media_info: MediaInfo::from_track(&track),
            tracks: [track],
            skipped: SkippedBytes::new(),
            metadata: MetadataLog::default(),
        })
    }

    /// Reports bytes that are not in the range of the samples, although they are probably audio.
    pub fn report_skipped(&mut self, bytes: u64) {
        self.skipped.set(bytes);
    }
}

/// Frames in a packet: as many whole blocks as fit into [`FRAMES_PER_PACKET`], and at least one.
fn packet_blocks(format: &Format) -> u64 {
    (FRAMES_PER_PACKET / format.block_frames).max(1)
}

fn track(format: &Format, samples: Samples) -> Track {
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(format.codec)
        .with_sample_rate(format.rate)
        .with_channels(Channels::Discrete(format.channels))
        .with_max_frames_per_packet(packet_blocks(format).saturating_mul(format.block_frames))
        .with_frames_per_block(format.block_frames);
    if let Some(bits) = format.bits {
        params.with_bits_per_sample(bits);
    }
    let blocks = samples.declared_end.saturating_sub(samples.start) / format.block_bytes;
    let frames = blocks.saturating_mul(format.block_frames);
    let mut track = Track::new(0);
    track
        .with_codec_params(CodecParameters::Audio(params))
        .with_num_frames(frames)
        .with_duration(Duration::from(frames));
    if let Some(base) = TimeBase::try_new(1, format.rate) {
        track.with_time_base(base);
    }
    track
}

impl FormatReader for BlockReader {
    fn format_info(&self) -> &FormatInfo {
        self.info
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media_info
    }

    fn attachments(&self) -> &[Attachment] {
        self.skipped.attachments()
    }

    fn chapters(&self) -> Option<&ChapterGroup> {
        None
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// An incomplete block at the end is ignored.
    ///
    /// # Errors
    /// Errors of reading, and [`io::ErrorKind::UnexpectedEof`] at the end of a file that is shorter than its header declares.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let Format { block_bytes, block_frames, .. } = self.format;
        let left = self.samples.end.saturating_sub(self.at) / block_bytes;
        let blocks = left.min(packet_blocks(&self.format));
        if blocks == 0 {
            let is_cut = self.samples.end < self.samples.declared_end;
            return if is_cut { Err(Error::IoError(io::ErrorKind::UnexpectedEof.into())) } else { Ok(None) };
        }
        let mut data = vec![0; usize::try_from(blocks * block_bytes).unwrap_or(usize::MAX)];
        self.file.read_exact(&mut data).map_err(Error::IoError)?;
        let first = (self.at - self.samples.start) / block_bytes * block_frames;
        self.at += blocks * block_bytes;
        let pts = Timestamp::new(i64::try_from(first).unwrap_or(i64::MAX));
        Ok(Some(Packet::new(0, pts, Duration::from(blocks * block_frames), data)))
    }

    /// Recordings are read from their beginning to their end.
    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        Err(Error::SeekError(SeekErrorKind::Unseekable))
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        MediaSourceStream::new(Box::new(io::Cursor::new(Vec::new())), Default::default())
    }
}
