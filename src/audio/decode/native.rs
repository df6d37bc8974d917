//! Through symphonia, and Opus beside it.

use std::path::Path;

use symphonia::core::{
    codecs::audio::{AudioCodecParameters, AudioDecoder, CODEC_ID_NULL_AUDIO},
    errors::Error as SymphoniaError,
    formats::{FormatReader, Track, TrackType},
};

use super::{
    Block, Damage, RATES, SourceInfo, check_spec,
    codecs::make_decoder,
    feed::Feed,
    open::open_container,
    packet::{Outcome, decode},
    run_in::RunIn,
    spread::{Decoded, Spread},
    timeline::Timeline,
};
use crate::audio::AudioError;

/// A file may end this many frames before its header's count and still be whole: encoders round to packets.
const TRUNCATION_SLACK: u64 = 4096;

/// A recording that symphonia reads.
pub(super) struct Native {
    feed: Feed,
    hands: Hands,
    /// How many threads may decode.
    threads: usize,
    /// Frames that the header promises.
    promised: Option<u64>,
    /// Whether the promise is the header's own and no estimate.
    vouched: bool,
    info: SourceInfo,
    damage: Damage,
    frames: u64,
    over: bool,
}

/// Who decodes: a decoder here, or several beside each other.
enum Hands {
    One { decoder: Box<dyn AudioDecoder>, samples: Vec<f32> },
    Many(Box<Spread>),
}

/// A packet that held something to be heard.
struct Found {
    rate: u32,
    channels: usize,
    /// Samples at its beginning that are not part of the recording.
    skipped: usize,
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
            feed: Feed::new(reader, id, timeline),
            hands: Hands::One { decoder, samples: Vec::new() },
            threads: 1,
            promised,
            vouched,
            info,
            damage: Damage::default(),
            frames: 0,
            over: false,
        })
    }

    /// Vorbis of more than two channels: symphonia 0.6.1 decodes some of them 20 to 30 dB off libvorbis and ffmpeg. And
    /// HE-AAC, of which it decodes the core.
    pub fn is_better_by_ffmpeg(&self) -> bool {
        self.info.codec == "vorbis" && self.info.channels > 2 || self.feed.timeline.is_of_core()
    }

    /// Decodes with so many threads, where the codec lets them give the same samples. To be said before the first block.
    pub fn spread(&mut self, threads: usize) -> Result<(), AudioError> {
        self.threads = threads;
        self.hands = self.new_hands()?;
        Ok(())
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
            if let Some(Found { rate, channels, skipped }) = self.step()? {
                return Ok(Some(Block { samples: &self.hands.samples()[skipped..], channels, rate }));
            }
        }
        Ok(None)
    }

    /// Decodes one packet.
    fn step(&mut self) -> Result<Option<Found>, AudioError> {
        let (pts, outcome) = match self.hands.next(&mut self.feed) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return self.end(false),
            Err(SymphoniaError::ResetRequired) => return self.reset().map(|()| None),
            Err(error) => return self.end_by(error),
        };
        match outcome {
            Outcome::Samples { rate, channels, len } => {
                let frames = self.feed.timeline.skip(pts, rate, len / channels);
                Ok(self.account(Found { rate, channels, skipped: frames * channels }, len))
            }
            Outcome::Damaged => {
                self.damage.decode_errors += 1;
                Ok(None)
            }
            Outcome::Reset => self.reset().map(|()| None),
            Outcome::Absurd(error) => Err(error),
        }
    }

    /// Books a decoded packet of `len` samples. The decoder knows better than the header: HE-AAC doubles the rate.
    fn account(&mut self, found: Found, len: usize) -> Option<Found> {
        let frames = (len - found.skipped) / found.channels;
        if frames == 0 {
            return None;
        }
        if self.frames == 0 {
            (self.info.sample_rate, self.info.channels) = (found.rate, found.channels);
        }
        self.frames += frames as u64;
        Some(found)
    }

    /// Goes on with a new stream, as chained Ogg files have them.
    fn reset(&mut self) -> Result<(), AudioError> {
        let container = self.info.container.as_str();
        let track = audio_track(&*self.feed.reader)?;
        let params = audio_params(track, container)?;
        check_header(params)?;
        self.feed.timeline = Timeline::of_stream(params);
        // The frames of the first stream say nothing of the second's.
        (self.feed.track, self.promised) = (track.id, None);
        self.hands = self.new_hands()?;
        Ok(())
    }

    /// For the stream that begins.
    fn new_hands(&self) -> Result<Hands, AudioError> {
        let container = self.info.container.clone();
        let params = audio_params(audio_track(&*self.feed.reader)?, &container)?.clone();
        let decoder = make_decoder(&params, &container)?;
        Ok(match RunIn::of(params.codec).filter(|_| self.threads > 1) {
            Some(run_in) => {
                let make = Box::new(move || make_decoder(&params, &container).ok());
                Hands::Many(Box::new(Spread::new(decoder, run_in, self.threads, make)))
            }
            None => Hands::One { decoder, samples: Vec::new() },
        })
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

impl Hands {
    fn next(&mut self, feed: &mut Feed) -> Result<Option<Decoded>, SymphoniaError> {
        match self {
            Self::One { decoder, samples } => {
                samples.clear();
                let packet = feed.next()?;
                Ok(packet.map(|packet| (packet.pts.get(), decode(&mut **decoder, &packet, samples))))
            }
            Self::Many(spread) => spread.next(feed),
        }
    }

    /// Those of the latest packet.
    fn samples(&self) -> &[f32] {
        match self {
            Self::One { samples, .. } => samples,
            Self::Many(spread) => spread.samples(),
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
