//! A stream of frames of one format, and the time stamps of its packets.

use symphonia::core::{
    audio::{Channels, Position, layouts},
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters,
            well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3},
        },
    },
    formats::Track,
    units::{Duration, Timestamp},
};

use super::{
    frame_header::{Codec, Format, FrameHeader},
    frames::Frame,
    gaps::{FrameLengths, GapPlan},
    tags::StreamInfo,
};

/// A part of the file.
#[derive(Debug)]
pub(super) struct Part {
    pub format: Format,
    /// Its Xing or VBRI header.
    pub info: Option<StreamInfo>,
    /// Its position in the file.
    pub at: u64,
    /// The time stamp of the next packet.
    next: i64,
    /// The end of the audio, and the end of the encoder's padding after it.
    end: Option<(i64, i64)>,
    pub lengths: FrameLengths,
    /// Frames lost in gaps so far.
    pub lost: u64,
    /// Made at the first gap that needs it.
    pub plan: Option<GapPlan>,
    bitrate: Option<u32>,
}

/// The time stamp of a packet, and the samples to be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub pts: Timestamp,
    pub trim_start: Duration,
    pub trim_end: Duration,
}

impl Part {
    /// The part that begins with `frame`.
    pub fn begin(frame: &Frame, info: Option<StreamInfo>) -> Self {
        let header = &frame.header;
        let trim = info.and_then(|info| info.trim);
        let (delay, padding) = trim.unwrap_or((0, 0));
        let end = total(header, info).filter(|_| trim.is_some()).map(|total| {
            let end = total.saturating_sub(u64::from(delay) + u64::from(padding));
            (clamp(end), clamp(end.saturating_add(u64::from(padding))))
        });
        Self {
            format: header.format,
            info,
            at: frame.at,
            next: -i64::from(delay),
            end,
            lengths: FrameLengths::default(),
            lost: 0,
            plan: None,
            bitrate: Some(header.bitrate).filter(|&rate| info.is_none() && rate > 0),
        }
    }

    /// The track. `estimate` is its length if no header has one.
    pub fn track(&self, header: &FrameHeader, estimate: Option<u64>) -> Track {
        let mut params = AudioCodecParameters::new();
        let codec = match self.format.codec {
            Codec::Layer1 => CODEC_ID_MP1,
            Codec::Layer2 => CODEC_ID_MP2,
            Codec::Layer3 => CODEC_ID_MP3,
            Codec::Aac(_) => CODEC_ID_AAC,
        };
        params.for_codec(codec).with_sample_rate(self.format.sample_rate);
        if let Some(channels) = channels(self.format) {
            params.with_channels(channels);
        }
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        let (delay, padding) = self.info.and_then(|info| info.trim).unzip();
        if let Some((delay, padding)) = delay.zip(padding) {
            track.with_delay(delay).with_padding(padding);
        }
        let discarded = u64::from(delay.unwrap_or(0)) + u64::from(padding.unwrap_or(0));
        let declared = total(header, self.info).map(|total| total.saturating_sub(discarded));
        let estimate = estimate.filter(|_| self.info.is_none());
        if let Some(frames) = declared.or(estimate) {
            track.with_num_frames(frames).with_duration(Duration::from(frames));
        }
        track
    }

    /// The number of frames lost before `frame`, if all frames have the same bitrate.
    pub fn lost_at_constant_bitrate(&self, frame: &Frame) -> Option<u64> {
        let is_constant = self.bitrate == Some(frame.header.bitrate) && self.lengths.frames > 0;
        is_constant.then(|| (frame.skipped as f64 / frame.header.mean_len() + 0.5) as u64)
    }

    /// The number of frames lost before `frame`, by the mean length of those before it.
    pub fn lost_by_mean(&self, frame: &Frame) -> u64 {
        let mean = match self.lengths.frames {
            0 => frame.header.len as f64,
            frames => self.lengths.mean_around(frames),
        };
        (frame.skipped as f64 / mean.max(1.0) + 0.5) as u64
    }

    /// Advances by `frames` lost frames.
    pub fn lose(&mut self, frames: u64, header: &FrameHeader) {
        self.lost = self.lost.saturating_add(frames);
        self.next = self.next.saturating_add(clamp(frames.saturating_mul(header.samples.into())));
    }

    /// Advances by the frame of `header` and returns its times; `None` if the time stamp would overflow.
    pub fn advance(&mut self, header: &FrameHeader) -> Option<Times> {
        if self.lengths.frames == 0 && self.info.is_some() {
            self.bitrate = Some(header.bitrate).filter(|&rate| rate > 0);
        }
        self.bitrate = self.bitrate.filter(|&rate| rate == header.bitrate);
        self.lengths.add(header.len);
        // What follows the padding is another recording that was appended. The padding is trimmed, so it takes no time.
        if let Some((audio, padded)) = self.end.take_if(|&mut (_, padded)| self.next >= padded) {
            self.next = self.next.saturating_sub(padded - audio);
        }
        let (begin, samples) = (self.next, i64::from(header.samples));
        let end = begin.checked_add(samples)?;
        self.next = end;
        let trim_start = begin.saturating_neg().clamp(0, samples);
        let trim_end = self.end.map_or(0, |(audio, _)| end.saturating_sub(audio).max(0));
        Some(Times {
            pts: Timestamp::from(begin),
            trim_start: Duration::from(trim_start.unsigned_abs()),
            trim_end: Duration::from(trim_end.unsigned_abs()),
        })
    }
}

/// Samples of each channel by the stream's header, delay and padding included.
fn total(header: &FrameHeader, info: Option<StreamInfo>) -> Option<u64> {
    let frames = info?.frames?;
    Some(u64::from(frames) * u64::from(header.samples))
}

fn clamp(samples: u64) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

fn channels(format: Format) -> Option<Channels> {
    Some(match (format.codec.is_aac(), format.channels) {
        (false, 1) => Channels::Positioned(Position::FRONT_LEFT),
        (_, 1) => layouts::CHANNEL_LAYOUT_MONO,
        (_, 2) => layouts::CHANNEL_LAYOUT_STEREO,
        (_, 3) => layouts::CHANNEL_LAYOUT_AAC_3P0,
        (_, 4) => layouts::CHANNEL_LAYOUT_AAC_4P0,
        (_, 5) => layouts::CHANNEL_LAYOUT_AAC_5P0,
        (_, 6) => layouts::CHANNEL_LAYOUT_AAC_5P1,
        (_, 8) => layouts::CHANNEL_LAYOUT_AAC_7P1,
        _ => return None,
    })
}
