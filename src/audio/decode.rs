//! From a file to blocks of samples, through symphonia.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, CODEC_ID_NULL_AUDIO},
    errors::Error as SymphoniaError,
    formats::{FormatOptions, FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream, ReadOnlySource},
    meta::MetadataOptions,
};

use super::AudioError;

/// Sample rates outside these are lies: a WAV header may claim 4,294,967,295 Hz, for which a resampler would try to
/// allocate until the process aborts.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// More channels than any recorder writes.
const MAX_CHANNELS: usize = 64;

/// Full scale is 1.
const ABSURD: f32 = 1e6;

/// A file may end this many frames before its header's count and still be whole: encoders round to packets.
const TRUNCATION_SLACK: u64 = 4096;

/// What the file says of itself, corrected by what the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The container's short name, as `wav`.
    pub container: &'static str,
    /// The codec's short name, as `pcm_s16le`.
    pub codec: &'static str,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: usize,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// What was wrong on the way and was passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Packets that did not decode.
    pub decode_errors: u64,
    /// The file ended before it should have.
    pub truncated: bool,
}

/// Samples of one packet, interleaved, full scale 1.0.
#[derive(Debug)]
pub struct Block<'a> {
    samples: &'a [f32],
    channels: usize,
    /// Sample rate of just this block, Hz.
    pub rate: u32,
}

impl Block<'_> {
    /// Appends the mean of the channels to `mono`. What no recorder writes (infinite, not a number, a million times full
    /// scale) becomes silence: a single such sample would spoil all that is computed after it.
    pub fn downmix(&self, mono: &mut Vec<f32>) {
        let from = mono.len();
        self.mix(mono);
        for sample in &mut mono[from..] {
            *sample = if sample.abs() < ABSURD { *sample } else { 0.0 };
        }
    }

    fn mix(&self, mono: &mut Vec<f32>) {
        match self.channels {
            1 => mono.extend_from_slice(self.samples),
            2 => mono.extend(self.samples.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5)),
            n => {
                let scale = 1.0 / n as f32;
                mono.extend(self.samples.chunks_exact(n).map(|frame| frame.iter().sum::<f32>() * scale));
            }
        }
    }
}

/// An open recording, read from its beginning to its end.
pub struct Decoder {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Frames that the header promises.
    promised: Option<u64>,
    info: SourceInfo,
    damage: Damage,
    frames: u64,
    samples: Vec<f32>,
    over: bool,
}

impl Decoder {
    /// Opens the file at `path` and finds its audio track.
    ///
    /// # Errors
    /// Whatever keeps the file from being decoded at all; see [`AudioError::code`].
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        let bytes = check_file(path)?.len();
        let reader = open_container(path)?;
        let container = reader.format_info().short_name;
        let track = audio_track(&*reader)?;
        let params = audio_params(track, container)?.clone();
        let (id, promised) = (track.id, track.num_frames);
        let decoder = make_decoder(&params, container)?;
        let info = SourceInfo {
            container,
            codec: decoder.codec_info().short_name,
            sample_rate: params.sample_rate.unwrap_or(0),
            channels: params.channels.as_ref().map_or(0, |c| c.count()),
            bytes,
        };
        check_header(&params)?;
        Ok(Self {
            reader,
            decoder,
            track: id,
            promised,
            info,
            damage: Damage::default(),
            frames: 0,
            samples: Vec::new(),
            over: false,
        })
    }

    /// What is known of the source; exact once a block has been decoded.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// What was passed over so far; complete once [`Decoder::next_block`] has returned `None`.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// Length in seconds as the header has it.
    pub fn promised_seconds(&self) -> Option<f64> {
        let rate = self.info.sample_rate;
        self.promised.filter(|_| rate > 0).map(|frames| frames as f64 / f64::from(rate))
    }

    /// Decodes the next packet that holds samples; `None` at the end.
    ///
    /// # Errors
    /// A read error of the disk, or [`AudioError::Corrupt`] where nothing at all could be decoded. Faults of single
    /// packets are counted in [`Decoder::damage`] instead.
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
        let packet = match self.reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.end(false),
            Err(SymphoniaError::ResetRequired) => return self.reset().map(|()| None),
            Err(error) => return self.end_by(error),
        };
        if packet.track_id != self.track {
            return Ok(None);
        }
        match self.decoder.decode(&packet) {
            Ok(buffer) => {
                let spec = take_samples(&buffer, &mut self.samples)?;
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
        let container = self.info.container;
        let track = audio_track(&*self.reader)?;
        let params = audio_params(track, container)?;
        check_header(params)?;
        self.decoder = make_decoder(params, container)?;
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
        let short = self.promised.is_some_and(|n| self.frames.saturating_add(TRUNCATION_SLACK) < n);
        self.damage.truncated = early || short;
        match (self.frames, self.damage.decode_errors) {
            (0, 0) => Err(AudioError::NoSamples),
            (0, n) => Err(AudioError::Corrupt(format!("none of its {n} packets can be decoded"))),
            _ => Ok(None),
        }
    }
}

/// Length in seconds as the header of the file at `path` has it, without decoding anything.
pub fn probe_seconds(path: &Path) -> Option<f64> {
    Decoder::open(path).ok()?.promised_seconds()
}

/// Looks before opening: to open a pipe would wait for its writer for ever.
fn check_file(path: &Path) -> Result<Metadata, AudioError> {
    let metadata = fs::metadata(path).map_err(|e| AudioError::from_io(e, path))?;
    if metadata.is_dir() {
        return Err(AudioError::NotAFile("a folder"));
    }
    if !metadata.is_file() {
        return Err(AudioError::NotAFile("a device, a pipe or a socket"));
    }
    if metadata.len() == 0 {
        return Err(AudioError::EmptyFile);
    }
    Ok(metadata)
}

/// Finds the container. Some that were cut off (AIFF, MKV, Ogg FLAC, fragmented MP4) are refused while the reader
/// can seek to what is missing, but are read to their end as a stream.
fn open_container(path: &Path) -> Result<Box<dyn FormatReader>, AudioError> {
    let open = || File::open(path).map_err(|e| AudioError::from_io(e, path));
    probe(path, Box::new(open()?)).or_else(|error| match error {
        AudioError::Io(_) => Err(error),
        _ => probe(path, Box::new(ReadOnlySource::new(open()?))).map_err(|_| error),
    })
}

fn probe(path: &Path, source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, AudioError> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(source, Default::default());
    symphonia::default::get_probe().probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()).map_err(
        |error| match error {
            SymphoniaError::Unsupported(_) => AudioError::UnsupportedFormat(first_bytes(path)),
            SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                AudioError::UnsupportedFormat(first_bytes(path))
            }
            other => AudioError::from_container(other),
        },
    )
}

/// The beginning of the file for the message, so that a user sees what it is: text, HTML, another format's mark.
fn first_bytes(path: &Path) -> String {
    let mut head = [0; 12];
    let n = File::open(path).and_then(|mut f| io::Read::read(&mut f, &mut head)).unwrap_or(0);
    format!("it begins with \"{}\"", head[..n].escape_ascii())
}

fn audio_track(reader: &dyn FormatReader) -> Result<&Track, AudioError> {
    reader
        .default_track(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| AudioError::NoAudioTrack(reader.format_info().short_name.to_owned()))
}

fn audio_params<'t>(track: &'t Track, container: &str) -> Result<&'t AudioCodecParameters, AudioError> {
    match track.codec_params.as_ref().and_then(|p| p.audio()) {
        Some(params) if params.codec != CODEC_ID_NULL_AUDIO => Ok(params),
        _ => Err(AudioError::UnsupportedCodec { container: container.to_owned(), codec: "an unknown codec".into() }),
    }
}

fn make_decoder(params: &AudioCodecParameters, container: &str) -> Result<Box<dyn AudioDecoder>, AudioError> {
    symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|error| {
        match error {
            SymphoniaError::Unsupported(_) => {
                AudioError::UnsupportedCodec { container: container.to_owned(), codec: codec_name(params) }
            }
            other => AudioError::from_container(other),
        }
    })
}

fn codec_name(params: &AudioCodecParameters) -> String {
    use symphonia::core::codecs::audio::well_known::*;
    match params.codec {
        CODEC_ID_OPUS => "Opus".into(),
        CODEC_ID_AC3 => "AC-3".into(),
        CODEC_ID_EAC3 => "E-AC-3".into(),
        CODEC_ID_DCA => "DTS".into(),
        CODEC_ID_WAVPACK => "WavPack".into(),
        CODEC_ID_SPEEX => "Speex".into(),
        CODEC_ID_AAC => "an AAC profile other than LC".into(),
        other => format!("codec {other:?}"),
    }
}

/// Refuses lies before anything is allocated for them. What the header leaves open, the first block tells.
fn check_header(params: &AudioCodecParameters) -> Result<(), AudioError> {
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    check_spec(params.sample_rate.unwrap_or(*RATES.start()), channels)
}

fn check_spec(rate: u32, channels: usize) -> Result<(), AudioError> {
    if !RATES.contains(&rate) {
        return Err(AudioError::ImplausibleHeader(format!("a sample rate of {rate} Hz")));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(AudioError::ImplausibleHeader(format!("{channels} channels")));
    }
    Ok(())
}

fn take_samples(buffer: &GenericAudioBufferRef<'_>, samples: &mut Vec<f32>) -> Result<(u32, usize), AudioError> {
    let spec = (buffer.spec().rate(), buffer.spec().channels().count());
    check_spec(spec.0, spec.1)?;
    buffer.copy_to_vec_interleaved(samples);
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(samples: &[f32], channels: usize) -> Vec<f32> {
        let mut mono = vec![9.0];
        Block { samples, channels, rate: 16_000 }.downmix(&mut mono);
        mono.split_off(1)
    }

    #[test]
    fn channels_become_their_mean() {
        assert_eq!(mixed(&[0.5, -0.25], 1), [0.5, -0.25]);
        assert_eq!(mixed(&[0.5, -0.25, 1.0, 1.0], 2), [0.125, 1.0]);
        assert_eq!(mixed(&[0.25, 0.5, 0.0, 1.0], 4), [0.4375]);
    }

    #[test]
    fn absurd_samples_become_silence() {
        let absurd = [f32::NAN, f32::INFINITY, -1e30, 0.5];
        assert_eq!(mixed(&absurd, 1), [0.0, 0.0, 0.0, 0.5]);
        assert_eq!(mixed(&absurd, 2), [0.0, 0.0]);
    }
}
