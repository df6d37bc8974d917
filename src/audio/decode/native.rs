//! Through symphonia, and Opus beside it.

use std::path::Path;

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::{AudioCodecParameters, AudioDecoder, CODEC_ID_NULL_AUDIO},
    errors::Error as SymphoniaError,
    formats::{FormatReader, Track, TrackType},
    packet::Packet,
};

use super::{
    Block, Damage, RATES, SourceInfo, check_spec, codecs::make_decoder, open::open_container, timeline::Timeline,
};
use crate::audio::AudioError;

/// A file may end this many frames before its header's count and still be whole: encoders round to packets.
const TRUNCATION_SLACK: u64 = 4096;

/// A recording that symphonia reads.
pub(super) struct Native {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    timeline: Timeline,
    /// A packet that may be the last one.
    held: Option<Packet>,
    /// Frames that the header promises.
    promised: Option<u64>,
    /// Whether the promise is the header's own and no estimate.
    vouched: bool,
    info: SourceInfo,
    damage: Damage,
    frames: u64,
    samples: Vec<f32>,
    over: bool,
}

impl Native {
    /// Opens the file at `path`, of so many bytes, and finds its audio track.
    pub fn open(path: &Path, bytes: u64) -> Result<Self, AudioError> {
        let reader = open_container(path)?;
        let container = reader.format_info().short_name;
        let track = audio_track(&*reader)?;
        let params = audio_params(track, container)?.clone();
        let (id, promised, vouched) = (track.id, track.num_frames, is_vouched(track, container));
        let timeline = Timeline::of(track, &params, container, path);
        let decoder = make_decoder(&params, container)?;
        let info = SourceInfo {
            container: container.to_owned(),
            codec: decoder.codec_info().short_name.to_owned(),
            sample_rate: params.sample_rate.unwrap_or(0),
            channels: params.channels.as_ref().map_or(0, |c| c.count()),
            bits: params.bits_per_sample,
            bytes,
        };
        check_header(&params)?;
        Ok(Self {
            reader,
            decoder,
            track: id,
            timeline,
            held: None,
            promised,
            vouched,
            info,
            damage: Damage::default(),
            frames: 0,
            samples: Vec::new(),
            over: false,
        })
    }

    /// Vorbis of more than two channels: symphonia 0.6.1 decodes some of them 20 to 30 dB off libvorbis and ffmpeg.
    pub fn is_better_by_ffmpeg(&self) -> bool {
        self.info.codec == "vorbis" && self.info.channels > 2
    }

    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    pub fn damage(&self) -> Damage {
        self.damage
    }

    pub fn promised_seconds(&self) -> Option<f64> {
        let rate = self.info.sample_rate;
        self.promised.filter(|_| rate > 0).map(|frames| frames as f64 / f64::from(rate))
    }

    /// The samples of the next packet that holds some; `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        while !self.over {
            if let Some((rate, channels)) = self.step()? {
                return Ok(Some(Block { samples: &self.samples, channels, rate }));
            }
        }
        Ok(None)
    }

    /// Reads one packet; its rate and channels where it held samples.
    fn step(&mut self) -> Result<Option<(u32, usize)>, AudioError> {
        let packet = match self.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.end(false),
            Err(SymphoniaError::ResetRequired) => return self.reset().map(|()| None),
            Err(error) => return self.end_by(error),
        };
        if !self.timeline.plays(&packet) {
            return Ok(None);
        }
        match self.decoder.decode(&packet) {
            Ok(buffer) => {
                let spec = take_samples(&buffer, &mut self.samples)?;
                self.timeline.trim(&packet, spec, &mut self.samples);
                self.account(spec)
            }
            Err(SymphoniaError::ResetRequired) => self.reset().map(|()| None),
            Err(error) => {
                tracing::debug!(%error, "packet left out");
                self.damage.decode_errors += 1;
                Ok(None)
            }
        }
    }

    /// The track's next packet. Where the last one is to be cut, each is held back until another follows.
    fn next_packet(&mut self) -> Result<Option<Packet>, SymphoniaError> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => continue,
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    let mut last = self.held.take();
                    last.iter_mut().for_each(|packet| self.timeline.end_at(packet));
                    return Ok(last);
                }
                // The error comes again at the next call.
                Err(error) => return self.held.take().map_or(Err(error), |packet| Ok(Some(packet))),
            };
            if !self.timeline.looks_ahead() {
                return Ok(Some(packet));
            }
            if let Some(before) = self.held.replace(packet) {
                return Ok(Some(before));
            }
        }
    }

    /// Books a decoded buffer. The decoder knows better than the header: HE-AAC doubles the rate.
    fn account(&mut self, (rate, channels): (u32, usize)) -> Result<Option<(u32, usize)>, AudioError> {
        if self.samples.is_empty() {
            return Ok(None);
        }
        if self.frames == 0 {
            (self.info.sample_rate, self.info.channels) = (rate, channels);
        }
        self.frames += (self.samples.len() / channels) as u64;
        Ok(Some((rate, channels)))
    }

    /// Goes on with a new stream, as chained Ogg files have them.
    fn reset(&mut self) -> Result<(), AudioError> {
        let container = self.info.container.as_str();
        let track = audio_track(&*self.reader)?;
        let params = audio_params(track, container)?;
        check_header(params)?;
        self.decoder = make_decoder(params, container)?;
        self.timeline = Timeline::of_stream(params);
        // The frames of the first stream say nothing of the second's.
        (self.track, self.promised) = (track.id, None);
        Ok(())
    }

    /// The container gave up: an end where there is something to keep, an error where there is not.
    fn end_by<T>(&mut self, error: SymphoniaError) -> Result<Option<T>, AudioError> {
        match AudioError::from_container(error) {
            AudioError::Corrupt(cause) if self.frames == 0 => Err(AudioError::Corrupt(cause)),
            AudioError::Corrupt(cause) => {
                tracing::debug!(cause, "the file ends early");
                self.end(true)
            }
            other => Err(other),
        }
    }

    fn end<T>(&mut self, early: bool) -> Result<Option<T>, AudioError> {
        self.over = true;
        let short = self.vouched && self.promised.is_some_and(|n| self.frames.saturating_add(TRUNCATION_SLACK) < n);
        self.damage.truncated = early || short;
        match (self.frames, self.damage.decode_errors) {
            (0, 0) => Err(AudioError::NoSamples),
            (0, n) => Err(AudioError::Corrupt(format!("none of its {n} packets can be decoded"))),
            _ => Ok(None),
        }
    }
}

fn audio_track(reader: &dyn FormatReader) -> Result<&Track, AudioError> {
    reader
        .default_track(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| AudioError::NoAudioTrack(reader.format_info().short_name.to_owned()))
}

/// Streams of MPEG audio without a header of their own get a length that is guessed from their first packets' size. It
/// helps a progress bar, and says nothing of what is missing.
fn is_vouched(track: &Track, container: &str) -> bool {
    match container {
        "aac" => false,
        "mp1" | "mp2" | "mp3" => track.delay.is_some(), // of LAME's header
        _ => true,
    }
}

fn audio_params<'t>(track: &'t Track, container: &str) -> Result<&'t AudioCodecParameters, AudioError> {
    match track.codec_params.as_ref().and_then(|p| p.audio()) {
        Some(params) if params.codec != CODEC_ID_NULL_AUDIO => Ok(params),
        _ => Err(AudioError::UnsupportedCodec { container: container.to_owned(), codec: "an unknown codec".into() }),
    }
}

/// Refuses lies before anything is allocated for them. What the header leaves open, the first block tells.
fn check_header(params: &AudioCodecParameters) -> Result<(), AudioError> {
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    check_spec(params.sample_rate.unwrap_or(*RATES.start()), channels)
}

fn take_samples(buffer: &GenericAudioBufferRef<'_>, samples: &mut Vec<f32>) -> Result<(u32, usize), AudioError> {
    let spec = (buffer.spec().rate(), buffer.spec().channels().count());
    check_spec(spec.0, spec.1)?;
    buffer.copy_to_vec_interleaved(samples);
    Ok(spec)
}
