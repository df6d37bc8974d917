//! The demuxer, behind symphonia's interface.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::{
    errors::{Error, Result, SeekErrorKind},
    formats::{Attachment, FormatInfo, FormatOptions, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::{MediaSource, MediaSourceStream, ReadBytes, SeekBuffered},
    meta::{ChapterGroup, Metadata, MetadataLog},
    packet::{Packet, PacketBuilder},
    units::Duration,
};

use super::{
    super::skipped_bytes::SkippedBytes,
    frame_header::{FrameHeader, Syntax},
    frames::{Frame, Frames},
    gaps::Survey,
    part::Part,
    probe::format_info,
    tags::{StreamInfo, stream_info},
};

/// The number of places at which frames are sampled to estimate the length of a stream without a header.
const SAMPLED_PLACES: u64 = 4;

/// Reads bare MPEG audio and ADTS.
///
/// A packet's time stamp is its position in the undamaged recording. [`Error::ResetRequired`] announces a new part, whose
/// time stamps begin at 0.
pub(in crate::decode) struct MpegAudioReader<'s> {
    frames: Frames<'s>,
    /// Bytes before the first frame.
    leading: u64,
    skipped_bytes: SkippedBytes,
    part: Part,
    /// The frame that began the part, if it holds audio.
    first: Option<Frame>,
    media_info: MediaInfo,
    tracks: [Track; 1],
    chapters: Option<ChapterGroup>,
    metadata: MetadataLog,
}

impl<'s> MpegAudioReader<'s> {
    /// The reader of `source`, which is at the beginning of a frame.
    pub fn open(mut source: MediaSourceStream<'s>, options: FormatOptions) -> Result<Self> {
        let syntax = syntax(&mut source)?;
        let leading = leading_bytes(&mut source)?;
        let mut frames = Frames::new(source, syntax);
        let Some(frame) = frames.next()? else { return Err(Error::Unsupported("no frame of MPEG audio")) };
        let info = stream_info(&frame.header, frames.bytes());
        let part = Part::begin(&frame, info);
        let estimate = if info.is_none() { estimated_samples(&mut frames, &frame.header)? } else { None };
        let track = part.track(&frame.header, estimate);
        Ok(Self {
            // Less than a frame is no audio, but a header that is not known.
            leading: if leading > frame.header.len as u64 { leading } else { 0 },
            skipped_bytes: SkippedBytes::new(),
            frames,
            part,
            first: info.is_none().then_some(frame),
            media_info: MediaInfo::from_track(&track),
            tracks: [track],
            chapters: options.external_data.chapters,
            metadata: options.external_data.metadata.unwrap_or_default(),
        })
    }

    /// Begins a part with `frame`.
    fn begin(&mut self, frame: Frame, info: Option<StreamInfo>) {
        self.part = Part::begin(&frame, info);
        self.tracks = [self.part.track(&frame.header, None)];
        self.media_info = MediaInfo::from_track(&self.tracks[0]);
        self.first = info.is_none().then_some(frame);
        tracing::debug!(at = frame.at, format = ?frame.header.format, "a new part begins");
    }

    fn pass_gap(&mut self, frame: &Frame) -> Result<()> {
        let lost = match self.part.lost_at_constant_bitrate(frame) {
            Some(lost) => lost,
            None => self.planned(frame)?.unwrap_or_else(|| self.part.lost_by_mean(frame)),
        };
        tracing::debug!(at = frame.at, bytes = frame.skipped, frames = lost, "skipped bytes");
        self.part.lose(lost, &frame.header);
        Ok(())
    }

    /// The number of frames lost before `frame`, estimated from the whole part; `None` if the source cannot seek.
    fn planned(&mut self, frame: &Frame) -> Result<Option<u64>> {
        if self.part.plan.is_none() {
            let Some(here) = self.frames.save() else { return Ok(None) };
            let (survey, end) = self.survey(frame)?;
            self.frames.restore(here)?;
            let total = self.part.info.and_then(|info| {
                let is_whole = u64::from(info.bytes?).abs_diff(end - self.part.at) <= 2 * frame.header.len as u64;
                info.frames.filter(|_| is_whole).map(u64::from)
            });
            self.part.plan = Some(survey.plan(self.part.lost, total));
        }
        Ok(self.part.plan.as_ref().and_then(|plan| plan.lost(frame.at)))
    }

    /// Scans the rest of the part from `frame` on. Returns where it ends, too. Each part is scanned once at most.
    fn survey(&mut self, frame: &Frame) -> Result<(Survey, u64)> {
        let mut survey = Survey::after(self.part.lengths.clone());
        let mut next = *frame;
        loop {
            survey.add(next.at, next.skipped, next.header.len);
            let end = next.at + next.header.len as u64;
            match self.frames.next()? {
                Some(frame) if !self.is_of_another_part(&frame) => next = frame,
                _ => return Ok((survey, end)),
            }
        }
    }

    fn is_of_another_part(&self, frame: &Frame) -> bool {
        frame.header.format != self.part.format || stream_info(&frame.header, self.frames.bytes()).is_some()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let frame = self.frames.next()?;
        self.skipped_bytes.set(self.leading + self.frames.skipped());
        let Some(frame) = frame else { return self.end() };
        if self.is_of_another_part(&frame) {
            let info = stream_info(&frame.header, self.frames.bytes());
            self.begin(frame, info);
            return Err(Error::ResetRequired);
        }
        if frame.skipped > 0 {
            self.pass_gap(&frame)?;
        }
        Ok(Some(frame))
    }

    /// The end of the file. Where no header has the length, a cut frame is the sign of a truncated file.
    fn end<T>(&self) -> Result<Option<T>> {
        let has_length = self.part.info.is_some_and(|info| info.frames.is_some());
        if self.frames.is_cut() && !has_length {
            return Err(Error::IoError(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(None)
    }
}

/// The syntax of the frames that begin where `source` is.
fn syntax(source: &mut MediaSourceStream<'_>) -> Result<Syntax> {
    let mark = source.read_double_bytes()?;
    source.seek_buffered_rel(-2);
    Syntax::of(&mark).ok_or(Error::Unsupported("no frame of MPEG audio"))
}

/// The number of bytes before the position of `source`, 0 if they are all zeros or cannot be read.
fn leading_bytes(source: &mut MediaSourceStream<'_>) -> Result<u64> {
    let here = source.pos();
    if here == 0 || !source.is_seekable() {
        return Ok(0);
    }
    source.seek(SeekFrom::Start(0))?;
    let (mut left, mut has_content, mut buffer) = (here, false, [0; 4096]);
    while left > 0 && !has_content {
        let read = source.read(&mut buffer[..left.min(4096) as usize])?;
        has_content = read == 0 || buffer[..read].iter().any(|&byte| byte != 0);
        left -= read as u64;
    }
    source.seek(SeekFrom::Start(here))?;
    Ok(if has_content { here } else { 0 })
}

/// The length of a stream without a header, estimated from frames at some places.
fn estimated_samples(frames: &mut Frames<'_>, header: &FrameHeader) -> Result<Option<u64>> {
    let mean = frames.mean_len(SAMPLED_PLACES)?;
    Ok(mean.map(|(mean, left)| (left as f64 / mean.max(1.0)) as u64 * u64::from(header.samples)))
}

impl FormatReader for MpegAudioReader<'_> {
    fn format_info(&self) -> &FormatInfo {
        format_info(self.part.format.codec)
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media_info
    }

    fn chapters(&self) -> Option<&ChapterGroup> {
        self.chapters.as_ref()
    }

    fn attachments(&self) -> &[Attachment] {
        self.skipped_bytes.attachments()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    /// Not supported: nothing in this program seeks in bare streams.
    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        Err(Error::SeekError(SeekErrorKind::Unseekable))
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let Some(Frame { header, .. }) = self.next_frame()? else { return Ok(None) };
        let Some(times) = self.part.advance(&header) else { return Ok(None) };
        let data = self.frames.bytes().get(header.skip..).unwrap_or_default();
        let packet = PacketBuilder::new().track_id(0).pts(times.pts).dur(Duration::from(header.samples));
        Ok(Some(packet.trim_start(times.trim_start).trim_end(times.trim_end).data(data).build()))
    }

    fn into_inner<'t>(self: Box<Self>) -> MediaSourceStream<'t>
    where
        Self: 't,
    {
        self.frames.into_inner()
    }
}
