//! Decodes a recording with symphonia's demuxers and decoders, and with libopus.

use symphonia::core::{
    codecs::audio::{
        AudioCodecParameters, AudioDecoder, CODEC_ID_NULL_AUDIO,
        well_known::{CODEC_ID_MP2, CODEC_ID_MP3},
    },
    errors::Error as SymphoniaError,
    formats::{FormatReader, Track, TrackType},
    packet::Packet,
};

use super::{
    Block, Damage, RATES, SourceInfo, check_spec,
    codecs::make_decoder,
    open::{open_container, open_raw},
    packet_outcome::{PacketOutcome, decode, time_of},
    parallel::{Decoded, ParallelDecoder, Preroll},
    pcm::RawFormat,
    sample_clock::{Precision, SampleClock},
    start_offset::start_offset,
    timeline::Timeline,
    track_packets::TrackPackets,
    tracks::{TrackChoice, audio_tracks},
};
use crate::{AudioError, MediaInput};

/// A file may have this many frames fewer than its header declares and still be complete, since encoders round the count to
/// packets.
const TRUNCATION_SLACK: u64 = 4096;

/// Maximum number of samples of silence in one block.
const MAX_SILENCE_BLOCK: usize = 1 << 16;

/// A recording that symphonia reads.
pub(super) struct SymphoniaDecoder {
    packets: TrackPackets,
    /// Whether what the container calls MPEG audio is layer 2.
    is_layer_2: bool,
    decoder: PacketDecoder,
    /// Number of threads that may decode.
    threads: usize,
    /// Number of frames that the header declares.
    declared_frames: Option<u64>,
    /// Whether `declared_frames` is the header's own value and not an estimate.
    length_is_exact: bool,
    info: SourceInfo,
    damage: Damage,
    /// The position of the next sample in the current stream.
    clock: SampleClock,
    /// Frames of silence to return before `waiting`.
    silence: u64,
    /// A decoded packet that has not been returned yet.
    waiting: Option<DecodedPacket>,
    /// The buffer for silence.
    zeros: Vec<f32>,
    /// Frames so far, of all streams.
    frames: u64,
    /// Seconds so far.
    seconds: f64,
    over: bool,
}

/// One decoder, or several on threads of their own.
enum PacketDecoder {
    Serial { decoder: Box<dyn AudioDecoder>, samples: Vec<f32> },
    Parallel(Box<ParallelDecoder>),
}

/// A decoded packet that contains samples of the recording.
#[derive(Clone, Copy)]
struct DecodedPacket {
    rate: u32,
    channels: usize,
    /// Number of samples at its beginning that do not belong to the recording.
    skipped: usize,
    /// Number of samples after these, which do.
    len: usize,
}

impl SymphoniaDecoder {
    /// Opens `input`, which has `bytes` bytes, and finds the requested audio track.
    pub fn open(input: &dyn MediaInput, bytes: u64, wanted: &TrackChoice) -> Result<Self, AudioError> {
        Self::of(open_container(input)?, input, bytes, wanted)
    }

    /// Opens `input`, which has `bytes` bytes, all of which are samples of the format `raw`.
    pub fn open_raw(input: &dyn MediaInput, bytes: u64, raw: RawFormat) -> Result<Self, AudioError> {
        Self::of(open_raw(input, raw)?, input, bytes, &TrackChoice::Default)
    }

    fn of(
        reader: Box<dyn FormatReader>,
        input: &dyn MediaInput,
        bytes: u64,
        wanted: &TrackChoice,
    ) -> Result<Self, AudioError> {
        let container = reader.format_info().short_name;
        let mut tracks = audio_tracks(&*reader, input);
        let track = match wanted {
            TrackChoice::Default => audio_track(&*reader, None)?,
            _ => {
                let chosen = wanted.choose(&tracks)?;
                let unknown = || unsupported_codec(container, &chosen.codec);
                reader.tracks().iter().find(|track| track.id == chosen.id).ok_or_else(unknown)?
            }
        };
        let mut params = audio_params(track, container)?.clone();
        let (id, media_frames, length_is_exact) = (track.id, track.num_frames, has_exact_length(track, container));
        let timeline = Timeline::of(track, &params, container, input);
        let rate = params.sample_rate.unwrap_or(0);
        let declared_frames = media_frames.map(|frames| timeline.declared_frames(frames, rate));
        let start_offset_s = start_offset(input, container, id);
        let clock = clock_of(track, container, start_offset_s);
        let mut packets = TrackPackets::new(reader, id, timeline);
        let is_layer_2 =
            container == "isomp4" && params.codec == CODEC_ID_MP3 && packets.peek().is_some_and(is_layer_2);
        if is_layer_2 {
            params.codec = CODEC_ID_MP2;
            tracks.iter_mut().filter(|track| track.id == id).for_each(|track| track.codec = "mp2".to_owned());
        }
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
            packets,
            is_layer_2,
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

    /// Whether ffmpeg decodes this codec better: Vorbis of more than two channels, where symphonia 0.6.1 differs from
    /// libvorbis and ffmpeg by 20 to 30 dB for some layouts, and HE-AAC, of which symphonia decodes only the core.
    pub fn is_better_by_ffmpeg(&self) -> bool {
        self.info.codec == "vorbis" && self.info.channels > 2 || self.packets.timeline.is_of_core()
    }

    /// Decodes with up to `threads` threads, if the codec allows that without a change of samples. Call it before the first
    /// block.
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

    /// The next samples: those of a packet, or silence. `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        while !self.over {
            if let Some(DecodedPacket { rate, channels, skipped, len }) = self.waiting {
                if self.silence > 0 {
                    let frames = self.silence.min((MAX_SILENCE_BLOCK / channels) as u64);
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

    /// Inserts `frames` frames of silence before the next packet.
    fn add_gap(&mut self, frames: u64, rate: u32) {
        if frames > 0 {
            let start = self.seconds;
            self.seconds += frames as f64 / f64::from(rate);
            self.damage.gaps.push(start, self.seconds);
            self.frames += frames;
            self.silence = frames;
        }
    }

    /// Counts a decoded packet. The rate and the channels of the decoder replace those of the header, which are wrong for
    /// HE-AAC.
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

    /// Begins the next stream of a file, such as a chained Ogg file.
    fn reset(&mut self) -> Result<(), AudioError> {
        let container = self.info.container.as_str();
        let track = audio_track(&*self.packets.reader, Some(self.packets.track))?;
        let params = audio_params(track, container)?;
        check_header(params)?;
        let clock = clock_of(track, container, None);
        let (track, timeline) = (track.id, Timeline::of_stream(params));
        self.clock = clock;
        // The declared length is that of the first stream alone.
        self.declared_frames = None;
        self.packets.begin_stream(track, timeline);
        self.decoder = self.new_decoder()?;
        Ok(())
    }

    /// The decoder for the current stream.
    fn new_decoder(&self) -> Result<PacketDecoder, AudioError> {
        let container = self.info.container.clone();
        let mut params =
            audio_params(audio_track(&*self.packets.reader, Some(self.packets.track))?, &container)?.clone();
        if self.is_layer_2 {
            params.codec = CODEC_ID_MP2;
        }
        let decoder = make_decoder(&params, &container)?;
        Ok(match Preroll::of(params.codec).filter(|_| self.threads > 1) {
            Some(preroll) => {
                let make = Box::new(move || make_decoder(&params, &container).ok());
                PacketDecoder::Parallel(Box::new(ParallelDecoder::new(decoder, preroll, self.threads, make)))
            }
            None => PacketDecoder::Serial { decoder, samples: Vec::new() },
        })
    }

    /// Handles an error of the demuxer: the recording ends early if it has samples, and fails if it has none.
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

    /// The samples of the latest packet.
    fn samples(&self) -> &[f32] {
        match self {
            Self::Serial { samples, .. } => samples,
            Self::Parallel(spread) => spread.samples(),
        }
    }
}

/// The clock for a new stream. Time stamps in video containers come from a clock; those of other containers count samples.
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

/// Whether `packet` begins with a frame of MPEG audio, layer 2. MP4 does not distinguish the layers (ISO/IEC 14496-1, object
/// types 0x69 and 0x6B), and symphonia assumes layer 3.
fn is_layer_2(packet: &Packet) -> bool {
    matches!(packet.data[..], [0xFF, second, ..] if second & 0xE6 == 0xE4)
}

/// The track `id`, or the default one if the current stream has no track `id`.
fn audio_track(reader: &dyn FormatReader, id: Option<u32>) -> Result<&Track, AudioError> {
    let known = reader.tracks().iter().find(|track| Some(track.id) == id);
    known
        .or_else(|| reader.default_track(TrackType::Audio))
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| AudioError::NoAudioTrack(reader.format_info().short_name.to_owned()))
}

/// Whether the length that the demuxer declares comes from a header. For MPEG audio without one it is an estimate from the
/// size of the first packets, which is good enough for a progress bar, but not to find out whether the file is truncated.
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

/// Refuses implausible values before memory is allocated for them. Values that the header does not declare are checked with
/// the first block.
fn check_header(params: &AudioCodecParameters) -> Result<(), AudioError> {
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    check_spec(params.sample_rate.unwrap_or(*RATES.start()), channels)
}
