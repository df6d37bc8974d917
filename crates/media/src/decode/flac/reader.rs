//! The demuxer.

use crc::{CRC_16_UMTS, Crc, Table};
use memchr::{memchr, memchr2};
use symphonia::core::{
    errors::{Error, Result, SeekErrorKind, decode_error, seek_error, unsupported_error},
    formats::{
        Attachment, FormatInfo, FormatOptions, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track,
        probe::{ProbeDataMatchSpec, ProbeFormatData, ProbeableFormat, Score, Scoreable},
        well_known::FORMAT_ID_FLAC,
    },
    io::{MediaSourceStream, ScopedStream},
    meta::{Metadata, MetadataLog},
    packet::Packet,
    units::{Duration, Timestamp},
};

use super::{
    super::{byte_window::ByteWindow, skipped_bytes::SkippedBytes},
    frame_header::{FrameHeader, is_sync},
    frame_length::frame_length,
    frame_positions::FramePositions,
    stream_info::StreamInfo,
};

const INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_FLAC, short_name: "flac", long_name: "Free Lossless Audio Codec Native" };

static CRC_16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_UMTS);

/// The marker of a stream, and the number of bytes up to the end of the block STREAMINFO that follows it.
const MARK: &[u8; 4] = b"fLaC";
const STREAM_HEAD: usize = 4 + 4 + StreamInfo::LEN;

/// The maximum of metadata blocks before the frames.
const MOST_BLOCKS: usize = 10_000;

/// Bytes that are searched at once.
const STEP: usize = 16 << 10;

/// The maximum of headers within a frame at which its end is tried. More than one by chance is rare. The checksum of each
/// byte is computed once for each frame that might contain it.
const MOST_ENDS: usize = 5;

/// The maximum of bytes of frames that are parsed for their length: for each byte of the file, and in a row.
const CREDIT: usize = 8;
const MOST_CREDIT: usize = 64 << 20;

/// Skipped bytes that are kept, to recognise a tag.
const TAG_LEN: usize = 32;

/// The track's number.
const TRACK: u32 = 0;

/// A reader of native FLAC.
pub(in crate::decode) struct FlacReader<'s> {
    window: ByteWindow<'s>,
    info: StreamInfo,
    positions: FramePositions,
    tracks: Vec<Track>,
    media_info: MediaInfo,
    metadata: MetadataLog,
    /// Bytes skipped since the last frame, and the first of them.
    skipped: u64,
    first_skipped: Vec<u8>,
    skipped_bytes: SkippedBytes,
    /// How many bytes may still be parsed for the length of a frame.
    credit: usize,
}

/// What begins at the start of the window.
enum Found {
    /// A frame of this length.
    Frame(FrameHeader, usize),
    Stream,
}

impl<'s> FlacReader<'s> {
    /// Reads up to the first frame.
    ///
    /// # Errors
    /// If this is not FLAC, or has no frame.
    pub fn try_new(source: MediaSourceStream<'s>, options: FormatOptions) -> Result<Self> {
        let mut window = ByteWindow::new(source);
        window.fill(STREAM_HEAD)?;
        if !window.bytes().starts_with(MARK) {
            return unsupported_error("flac: missing flac stream marker");
        }
        let Some(info) = stream_head(window.bytes()) else {
            return decode_error("flac: no stream info block");
        };
        let mut reader = Self {
            window,
            info,
            positions: FramePositions::default(),
            tracks: Vec::new(),
            media_info: MediaInfo::default(),
            metadata: options.external_data.metadata.unwrap_or_default(),
            skipped: 0,
            first_skipped: Vec::new(),
            skipped_bytes: SkippedBytes::new(),
            credit: MOST_CREDIT,
        };
        reader.begin_stream()?;
        // The format of the first frame is used, even if STREAMINFO contradicts it.
        match reader.find()? {
            Some(Found::Frame(header, _)) if reader.is_other(&header) => reader.change_format(&header),
            Some(_) => {}
            None => return Err(end_of_stream()),
        }
        Ok(reader)
    }

    /// Reads the metadata blocks. Where one would end beyond the file, the search for frames begins there.
    fn begin_stream(&mut self) -> Result<()> {
        self.count_skipped();
        if let Some(info) = stream_head(self.window.bytes()) {
            self.info = info;
        }
        let mut is_last = self.window.bytes().get(MARK.len()).is_some_and(|head| head & 0x80 != 0);
        self.pass(STREAM_HEAD);
        for _ in 0..MOST_BLOCKS {
            if is_last {
                break;
            }
            self.window.fill(4)?;
            let &[kind, a, b, c, ..] = self.window.bytes() else { break };
            let len = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
            self.window.fill(len)?;
            if kind & 0x7F == 0x7F || self.window.bytes().len() < len {
                break;
            }
            is_last = kind & 0x80 != 0;
            self.pass(len);
        }
        (self.positions, self.skipped) = (FramePositions::default(), 0);
        self.set_track();
        Ok(())
    }

    fn set_track(&mut self) {
        let track = self.info.track(TRACK);
        self.media_info = MediaInfo::from_track(&track);
        self.tracks = vec![track];
    }

    /// Moves on by `len` bytes.
    fn pass(&mut self, len: usize) {
        self.window.consume(len);
        self.credit = self.credit.saturating_add(len.saturating_mul(CREDIT)).min(MOST_CREDIT);
    }

    /// Skips what is neither a frame nor the beginning of a stream; `None` at the end.
    fn find(&mut self) -> Result<Option<Found>> {
        loop {
            self.window.fill(STEP)?;
            let bytes = self.window.bytes();
            let Some(at) = memchr2(0xFF, MARK[0], bytes) else {
                let len = bytes.len();
                if len == 0 {
                    return Ok(None);
                }
                self.skip(len);
                continue;
            };
            self.skip(at);
            self.window.fill(STREAM_HEAD)?;
            let bytes = self.window.bytes();
            if stream_head(bytes).is_some() {
                return Ok(Some(Found::Stream));
            }
            if let Some(header) = FrameHeader::read(bytes)
                && let Some(len) = self.length(&header)?
            {
                return Ok(Some(Found::Frame(header, len)));
            }
            self.skip(1);
        }
    }

    fn skip(&mut self, len: usize) {
        let room = TAG_LEN.saturating_sub(self.first_skipped.len()).min(len);
        self.first_skipped.extend_from_slice(&self.window.bytes()[..room]);
        self.pass(len);
        self.skipped += len as u64;
    }

    /// Counts the bytes skipped since the last frame, unless they are a tag or zeros, and returns their number.
    fn count_skipped(&mut self) -> u64 {
        let skipped = std::mem::take(&mut self.skipped);
        if !is_tag_or_padding(&self.first_skipped) {
            self.skipped_bytes.add(skipped);
        }
        self.first_skipped.clear();
        skipped
    }

    /// The length of the frame with `header` at the head of the window; `None` if its checksum matches nowhere.
    fn length(&mut self, header: &FrameHeader) -> Result<Option<usize>> {
        let longest = header.longest_frame(self.info.bits);
        let (mut digest, mut summed, mut from) = (CRC_16.digest(), 0, header.len);
        for _ in 0..MOST_ENDS {
            let end = match self.next_header(from, longest)? {
                Some(end) => end,
                // The last frame of the file.
                None if self.window.has_ended() && self.window.bytes().len() <= longest => self.window.bytes().len(),
                None => break,
            };
            digest.update(&self.window.bytes()[summed..end]);
            // The checksum over a frame and its own checksum is 0.
            if digest.clone().finalize() == 0 {
                // Trailing zeros, which are not part of the frame, do not change that.
                let has_zeros = self.window.bytes()[..end].ends_with(&[0, 0]);
                let shorter = if has_zeros { self.parsed_length(header, longest)? } else { None };
                return Ok(shorter.or(Some(end)));
            }
            if end == self.window.bytes().len() {
                break;
            }
            (summed, from) = (end, end + 1);
        }
        self.parsed_length(header, longest)
    }

    /// The position of the first header between `from` and `to` in the window.
    fn next_header(&mut self, mut from: usize, to: usize) -> Result<Option<usize>> {
        while from < to {
            let step = (from + STEP).min(to);
            self.window.fill(step + FrameHeader::MAX_LEN)?;
            let bytes = self.window.bytes();
            let step = step.min(bytes.len());
            while let Some(at) = bytes.get(from..step).and_then(|part| memchr(0xFF, part)) {
                let candidate = &bytes[from + at..];
                if is_sync(candidate) && FrameHeader::read(candidate).is_some() {
                    return Ok(Some(from + at));
                }
                from += at + 1;
            }
            if step == bytes.len() && self.window.has_ended() {
                return Ok(None);
            }
            from = step.max(from);
        }
        Ok(None)
    }

    /// The length of a frame that is not followed by a header.
    fn parsed_length(&mut self, header: &FrameHeader, longest: usize) -> Result<Option<usize>> {
        let Some(credit) = self.credit.checked_sub(longest) else { return Ok(None) };
        self.credit = credit;
        self.window.fill(longest)?;
        let bytes = self.window.bytes();
        let bytes = &bytes[..bytes.len().min(longest)];
        let frame = frame_length(bytes, header, self.info.bits).and_then(|len| bytes.get(..len));
        Ok(frame.filter(|frame| CRC_16.checksum(frame) == 0).map(<[u8]>::len))
    }

    /// Whether a frame has another format than the track.
    fn is_other(&self, header: &FrameHeader) -> bool {
        let rate = header.rate.is_some_and(|rate| rate != self.info.rate);
        rate || header.channels != self.info.channels || header.block > self.info.longest_block
    }

    fn change_format(&mut self, header: &FrameHeader) {
        let rate = header.rate.unwrap_or(self.info.rate);
        self.info = self.info.with_format(rate, header.channels, header.block);
        self.positions.restart();
        self.set_track();
    }
}

/// Whether skipped bytes that begin with `first` are no audio: an ID3 or APE tag, or zeros.
fn is_tag_or_padding(first: &[u8]) -> bool {
    [&b"TAG"[..], b"ID3", b"APETAGEX"].iter().any(|mark| first.starts_with(mark)) || first.iter().all(|&byte| byte == 0)
}

/// The STREAMINFO of a stream that begins with `bytes`.
fn stream_head(bytes: &[u8]) -> Option<StreamInfo> {
    let (head, info) = bytes.strip_prefix(MARK)?.split_first_chunk::<4>()?;
    let is_info = head[0] & 0x7F == 0 && head[1..] == [0, 0, StreamInfo::LEN as u8];
    info.first_chunk().filter(|_| is_info).map(StreamInfo::read)
}

fn end_of_stream() -> Error {
    Error::IoError(std::io::ErrorKind::UnexpectedEof.into())
}

impl Scoreable for FlacReader<'_> {
    fn score(_: ScopedStream<&mut MediaSourceStream<'_>>) -> Result<Score> {
        Ok(Score::Supported(255))
    }
}

impl ProbeableFormat<'_> for FlacReader<'_> {
    fn try_probe_new(source: MediaSourceStream<'_>, options: FormatOptions) -> Result<Box<dyn FormatReader + '_>> {
        Ok(Box::new(FlacReader::try_new(source, options)?))
    }

    fn probe_data() -> &'static [ProbeFormatData] {
        const SPEC: ProbeDataMatchSpec =
            ProbeDataMatchSpec { extensions: &["flac"], mime_types: &["audio/flac"], markers: &[MARK] };
        &[ProbeFormatData { spec: SPEC, info: INFO }]
    }
}

impl FormatReader for FlacReader<'_> {
    fn format_info(&self) -> &FormatInfo {
        &INFO
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media_info
    }

    fn attachments(&self) -> &[Attachment] {
        self.skipped_bytes.attachments()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        seek_error(SeekErrorKind::Unseekable)
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        match self.find()? {
            Some(Found::Frame(header, _)) if self.is_other(&header) => {
                self.change_format(&header);
                Err(Error::ResetRequired)
            }
            Some(Found::Frame(header, len)) => {
                let skipped = self.count_skipped();
                let at = self.positions.place(&header, &self.info, skipped);
                if skipped > 0 {
                    tracing::debug!(skipped, at, "skipped bytes that are not FLAC frames");
                }
                let frame: Box<[u8]> = self.window.bytes()[..len].into();
                self.pass(len);
                let pts = Timestamp::from(i64::try_from(at).unwrap_or(i64::MAX));
                Ok(Some(Packet::new(TRACK, pts, Duration::from(u64::from(header.block)), frame)))
            }
            Some(Found::Stream) => {
                self.begin_stream()?;
                Err(Error::ResetRequired)
            }
            None => {
                self.count_skipped();
                match self.info.samples.is_some_and(|samples| self.positions.end() < samples) {
                    true => Err(end_of_stream()),
                    false => Ok(None),
                }
            }
        }
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.window.into_inner()
    }
}
