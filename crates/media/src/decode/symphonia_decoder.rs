//! Through symphonia, and Opus beside it.

use symphonia::core::{
    codecs::audio::{AudioCodecParameters, AudioDecoder, CODEC_ID_NULL_AUDIO},
    errors::Error as SymphoniaError,
    formats::{FormatReader, Track, TrackType},
};

use super::{
    Block, Damage, RATES, SourceInfo, check_spec,
    codecs::make_decoder,
    open::open_container,
    packet_outcome::{PacketOutcome, decode, time_of},
    parallel::{Decoded, ParallelDecoder, Preroll},
    sample_clock::{Precision, SampleClock},
    start_offset::start_offset,
    timeline::Timeline,
    track_packets::TrackPackets,
    tracks::{TrackChoice, audio_tracks},
};
use crate::{AudioError, MediaInput};

/// A file may end this many frames before its header's count and still be whole: encoders round to packets.
const TRUNCATION_SLACK: u64 = 4096;

/// Samples of silence in one block, at most.
const SILENCE_AT_ONCE: usize = 1 << 16;

/// A recording that symphonia reads.
pub(super) struct SymphoniaDecoder {
    packets: TrackPackets,
    decoder: PacketDecoder,
    /// How many threads may decode.
    threads: usize,
    /// Frames that the header promises.
    declared_frames: Option<u64>,
    /// Whether the promise is the header's own and no estimate.
    length_is_exact: bool,
    info: SourceInfo,
    damage: Damage,
    /// Where the next sample is in the present stream.
    clock: SampleClock,
    /// Frames of silence that come next.
    silence: u64,
    /// A packet that comes after the silence.
    waiting: Option<DecodedPacket>,
    /// What silence is made of.
    zeros: Vec<f32>,
    /// Frames so far, of all streams.
    frames: u64,
    /// Seconds so far.
    seconds: f64,
    over: bool,
}

/// Who decodes: a decoder here, or several beside each other.
enum PacketDecoder {
    Serial { decoder: Box<dyn AudioDecoder>, samples: Vec<f32> },
    Parallel(Box<ParallelDecoder>),
}

/// A packet that held something to be heard.
#[derive(Clone, Copy)]
struct DecodedPacket {
    rate: u32,
    channels: usize,
    /// Samples at its beginning that are not part of the recording.
    skipped: usize,
    /// Samples that are, after these.
    len: usize,
}

impl SymphoniaDecoder {
    /// Opens `input`, of so many bytes, and finds its audio track.
    pub fn open(input: &dyn MediaInput, bytes: u64, wanted: &TrackChoice) -> Result<Self, AudioError> {
        let reader = open_container(input)?;
        let container = reader.format_info().short_name;
        let tracks = audio_tracks(&*reader, input);
        let track = match wanted {
            TrackChoice::Default => audio_track(&*reader, None)?,
            _ => {
                let chosen = wanted.choose(&tracks)?;
                let unknown = || unsupported_codec(container, &chosen.codec);
                reader.tracks().iter().find(|track| track.id == chosen.id).ok_or_else(unknown)?
            }
        };
        let params = audio_params(track, container)?.clone();
        let (id, declared_frames, length_is_exact) = (track.id, track.num_frames, has_exact_length(track, container));
        let timeline = Timeline::of(track, &params, container, input);
        let start_offset_s = start_offset(input, container, id);
        let clock = clock_of(track, container, start_offset_s);
        let decoder = make_decoder(&params, container)?;
        let info = SourceInfo {
            container: container.to_owned(),
            codec: decoder.codec_info().short_name.to_owned(),
            sample_rate: params.sample_rate.unwrap_or(0),
            channels: params.channels.as_ref().map_or(0, |c| c.count()),
            bits: params.bits_per_sample,
            bytes,
            start_offset_s,
            track: tracks.iter().find(|track| track.id == id).map(|track| track.number),
            tracks,
        };
        check_header(&params)?;
        Ok(Self {
            packets: TrackPackets::new(reader, id, timeline),
            decoder: PacketDecoder::Serial { decoder, samples: Vec::new() },
            threads: 1,
            declared_frames,
            length_is_exact,
            info,
            damage: Damage::default(),
            clock,
            silence: 0,
            waiting: None,
            zeros: Vec::new(),
            frames: 0,
            seconds: 0.0,
            over: false,
        })
    }

    /// Vorbis of more than two channels: symphonia 0.6.1 decodes some of them 20 to 30 dB off libvorbis and ffmpeg. And
    /// HE-AAC, of which it decodes the core.
    pub fn is_better_by_ffmpeg(&self) -> bool {
        self.info.codec == "vorbis" && self.info.channels > 2 || self.packets.timeline.is_of_core()
    }

    /// Decodes with so many threads, where the codec lets them give the same samples. To be said before the first block.
    pub fn decode_in_parallel(&mut self, threads: usize) -> Result<(), AudioError> {
        self.threads = threads;
        self.decoder = self.new_decoder()?;
        Ok(())
    }

    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    pub fn damage(&self) -> Damage {
        Damage { skipped_bytes: self.packets.skipped_bytes(), ..self.damage.clone() }
    }

    pub fn declared_seconds(&self) -> Option<f64> {
        let rate = self.info.sample_rate;
        self.declared_frames.filter(|_| rate > 0).map(|frames| frames as f64 / f64::from(rate))
    }

    /// The samples of the next packet that holds some; `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        while !self.over {
            if let Some(DecodedPacket { rate, channels, skipped, len }) = self.waiting {
                if self.silence > 0 {
                    let frames = self.silence.min((SILENCE_AT_ONCE / channels) as u64);
                    self.silence -= frames;
                    self.zeros.resize(frames as usize * channels, 0.0);
                    return Ok(Some(Block { samples: &self.zeros, channels, rate }));
                }
                self.waiting = None;
                if len > 0 {
                    return Ok(Some(Block { samples: &self.decoder.samples()[skipped..], channels, rate }));
                }
            }
            self.waiting = self.step()?;
        }
        Ok(None)
    }

    /// Decodes one packet.
    fn step(&mut self) -> Result<Option<DecodedPacket>, AudioError> {
        let (time, outcome) = match self.decoder.next(&mut self.packets) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return self.end(false),
            Err(SymphoniaError::ResetRequired) => return self.reset().map(|()| None),
            Err(error) => return self.end_by(error),
        };
        self.damage.packets += 1;
        match outcome {
            PacketOutcome::Samples { len: 0, .. } => {
                // The first packet of Vorbis only prepares the next one. Of other codecs, such a packet is damaged.
                if self.info.codec != "vorbis" {
                    self.clock.packet_lost();
                }
                Ok(None)
            }
            PacketOutcome::Samples { rate, channels, len } => {
                let silence = self.clock.pass(time, rate, (len / channels) as u64);
                let skipped = self.packets.timeline.skip(time.pts, rate, silence);
                self.add_gap(silence - skipped, rate);
                let skipped = self.packets.timeline.skip(time.pts, rate, (len / channels) as u64) as usize * channels;
                Ok(self.account(DecodedPacket { rate, channels, skipped, len: len - skipped }))
            }
            PacketOutcome::Damaged => {
                self.damage.decode_errors += 1;
                self.clock.packet_lost();
                Ok(None)
            }
            PacketOutcome::Reset => self.reset().map(|()| None),
            PacketOutcome::Implausible(error) => Err(error),
        }
    }

    /// Puts `frames` frames of silence before the next packet.
    fn add_gap(&mut self, frames: u64, rate: u32) {
        if frames > 0 {
            let start = self.seconds;
            self.seconds += frames as f64 / f64::from(rate);
            self.damage.gaps.push(start, self.seconds);
            self.frames += frames;
            self.silence = frames;
        }
    }

    /// Counts a decoded packet. The decoder knows better than the header: HE-AAC doubles the rate.
    fn account(&mut self, found: DecodedPacket) -> Option<DecodedPacket> {
        let frames = found.len / found.channels;
        if frames == 0 && self.silence == 0 {
            return None;
        }
        if self.frames == self.silence {
            (self.info.sample_rate, self.info.channels) = (found.rate, found.channels);
        }
        self.frames += frames as u64;
        self.seconds += frames as f64 / f64::from(found.rate);
        Some(found)
    }

    /// Goes on with a new stream, as chained Ogg files have them.
    fn reset(&mut self) -> Result<(), AudioError> {
        let container = self.info.container.as_str();
        let track = audio_track(&*self.packets.reader, Some(self.packets.track))?;
        let params = audio_params(track, container)?;
        check_header(params)?;
        let clock = clock_of(track, container, None);
        let (track, timeline) = (track.id, Timeline::of_stream(params));
        self.clock = clock;
        // The frames of the first stream say nothing of the second's.
        self.declared_frames = None;
        self.packets.begin_stream(track, timeline);
        self.decoder = self.new_decoder()?;
        Ok(())
    }

    /// For the stream that begins.
    fn new_decoder(&self) -> Result<PacketDecoder, AudioError> {
        let container = self.info.container.clone();
        let params = audio_params(audio_track(&*self.packets.reader, Some(self.packets.track))?, &container)?.clone();
        let decoder = make_decoder(&params, &container)?;
        Ok(match Preroll::of(params.codec).filter(|_| self.threads > 1) {
            Some(preroll) => {
                let make = Box::new(move || make_decoder(&params, &container).ok());
                PacketDecoder::Parallel(Box::new(ParallelDecoder::new(decoder, preroll, self.threads, make)))
            }
            None => PacketDecoder::Serial { decoder, samples: Vec::new() },
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
        let short = self.length_is_exact
            && self.declared_frames.is_some_and(|n| self.frames.saturating_add(TRUNCATION_SLACK) < n);
        self.damage.truncated = early || short;
        match (self.frames, self.damage.decode_errors) {
            (0, 0) => Err(AudioError::NoSamples),
            (0, n) => Err(AudioError::Corrupt(format!("none of its {n} packets can be decoded"))),
            _ => Ok(None),
        }
    }
}

impl PacketDecoder {
    fn next(&mut self, packets: &mut TrackPackets) -> Result<Option<Decoded>, SymphoniaError> {
        match self {
            Self::Serial { decoder, samples } => {
                samples.clear();
                let packet = packets.next()?;
                Ok(packet.map(|packet| (time_of(&packet), decode(&mut **decoder, &packet.packet, samples))))
            }
            Self::Parallel(spread) => spread.next(packets),
        }
    }

    /// Those of the latest packet.
    fn samples(&self) -> &[f32] {
        match self {
            Self::Serial { samples, .. } => samples,
            Self::Parallel(spread) => spread.samples(),
        }
    }
}

/// The clock of a stream that begins. Containers of films take their time stamps from a clock; all others count samples.
fn clock_of(track: &Track, container: &str, start_offset_s: Option<f64>) -> SampleClock {
    let (precision, start) = match container {
        // Opus begins with the encoder's delay, before time 0.
        "ogg" => (Precision::Exact, Some(-i64::from(track.delay.unwrap_or(0)))),
        "flac" | "mp1" | "mp2" | "mp3" | "aac" => (Precision::Exact, Some(0)),
        "matroska" | "isomp4" => {
            (Precision::Coarse, Some(0).filter(|_| start_offset_s.is_none_or(|offset| offset == 0.0)))
        }
        _ => (Precision::Exact, None),
    };
    SampleClock::new(track.time_base, precision).starting_at(start)
}

/// The track `id`, where the stream has it still, or else the default one.
fn audio_track(reader: &dyn FormatReader, id: Option<u32>) -> Result<&Track, AudioError> {
    let known = reader.tracks().iter().find(|track| Some(track.id) == id);
    known
        .or_else(|| reader.default_track(TrackType::Audio))
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| AudioError::NoAudioTrack(reader.format_info().short_name.to_owned()))
}

/// Streams of MPEG audio without a header of their own get a length that is guessed from their first packets' size. It
/// helps a progress bar, and says nothing of what is missing.
fn has_exact_length(track: &Track, container: &str) -> bool {
    match container {
        "aac" => false,
        "mp1" | "mp2" | "mp3" => track.delay.is_some(), // of LAME's header
        _ => true,
    }
}

fn audio_params<'t>(track: &'t Track, container: &str) -> Result<&'t AudioCodecParameters, AudioError> {
    match track.codec_params.as_ref().and_then(|p| p.audio()) {
        Some(params) if params.codec != CODEC_ID_NULL_AUDIO => Ok(params),
        _ => Err(unsupported_codec(container, "an unknown codec")),
    }
}

fn unsupported_codec(container: &str, codec: &str) -> AudioError {
    AudioError::UnsupportedCodec { container: container.to_owned(), codec: codec.to_owned() }
}

/// Refuses lies before anything is allocated for them. What the header leaves open, the first block tells.
fn check_header(params: &AudioCodecParameters) -> Result<(), AudioError> {
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    check_spec(params.sample_rate.unwrap_or(*RATES.start()), channels)
}
