//! What is drawn and played of a recording.

use std::{io, path::Path as FilePath, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use prepare_audio_media::{
    ChannelChoice, DecoderChoice, LocalFile, MediaInput, OpenOptions, SegmentFormat, find_ffmpeg,
};
use prepare_audio_types::{PackedProbabilities, Segment};
use prepare_audio_vad::Parameters;
use serde_json::{Value, json};

use super::{
    Failure, Inspector, Query, Shared,
    audio::{Audio, Wanted},
    files, json_response,
    recent::Key,
    sources::Decoding,
    spectrogram,
};
use crate::{
    preview::{RATE, WINDOW, locate, probabilities as of_channel, split},
    store::RecordingDetails,
};

/// Columns of a drawing, at most.
const MOST_COLUMNS: usize = 4_000;
/// Segments that are read at a time.
const SEGMENTS: usize = 10_000;
/// Windows of all channels together that are read, at most: 355 hours.
const MOST_WINDOWS: u64 = 40_000_000;
/// How long an answer waits for the decoder, before it says how far the decoder is.
const PATIENCE: Duration = Duration::from_millis(200);

/// A recording that a request names, and the channel of it.
pub struct Opened {
    /// Its row.
    pub row: RecordingDetails,
    /// The recipe in words; null for a recording that is not done.
    pub recipe: Value,
    /// The channel, from 1; `None` where channels were mixed.
    pub channel: Option<u16>,
    /// The channels that may be chosen; empty unless each was analysed by itself.
    pub channels: Vec<u16>,
}

/// The probabilities of a channel.
pub struct Probabilities(pub Vec<f32>);

impl Probabilities {
    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        self.0.len() as u64 * 4
    }
}

impl Opened {
    /// Reads the row.
    pub async fn new(inspector: &Inspector, id: &str, query: &Query) -> Result<Self, Failure> {
        let missing = || Failure::NotFound(format!("There is no recording {id}."));
        let row = inspector.store.recording(id.parse().map_err(|_| missing())?).await?.ok_or_else(missing)?;
        let recipe: Value =
            row.parameters.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let choice = recipe["channels"].as_str().map_or(Ok(ChannelChoice::Mix), str::parse).unwrap_or_default();
        let number = u16::try_from(row.channels.unwrap_or(1)).unwrap_or(1);
        let wanted = query.value("channel")?;
        let (channel, channels) = match choice {
            ChannelChoice::Mix => (None, Vec::new()),
            ChannelChoice::One(channel) => (Some(channel), Vec::new()),
            ChannelChoice::Split => (Some(wanted.unwrap_or(1)), (1..=number.max(1)).collect()),
        };
        match channel {
            Some(channel) if choice == ChannelChoice::Split && !channels.contains(&channel) => {
                Err(Failure::NotFound(format!("The recording has {number} channels.")))
            }
            _ => Ok(Self { row, recipe, channel, channels }),
        }
    }

    /// The parameters of the recipe.
    pub fn parameters(&self) -> Parameters {
        serde_json::from_value(self.recipe["vad"].clone()).unwrap_or_default()
    }

    /// Its length in samples at 16 kHz, if it is done.
    pub fn samples(&self) -> Result<u64, Failure> {
        let message = || Failure::Unavailable("The recording is not done.".into());
        self.row.samples.filter(|&samples| samples > 0).ok_or_else(message)
    }

    /// The first sample of the recording in its file, which the samples of its segments count from.
    pub async fn first_sample(&self, inspector: &Inspector) -> u64 {
        self.wanted(inspector).await.first
    }

    fn key(&self) -> Key {
        Key { recording: self.row.id, token: self.row.token, channel: self.channel }
    }

    async fn wanted(&self, inspector: &Inspector) -> Wanted {
        let (folder, source) = (inspector.settings.audio_dir.clone(), self.row.source.clone());
        let located = tokio::task::spawn_blocking(move || locate(&folder, &source)).await;
        let (path, part) = located.unwrap_or_else(|_| (inspector.settings.audio_dir.join(&self.row.source), None));
        Wanted {
            path,
            open: self.open_options(),
            channels: self.channel.map_or(ChannelChoice::Mix, ChannelChoice::One),
            first: part.map_or(0, |part| (part.start_s * RATE).round() as u64),
            samples: self.row.samples.unwrap_or_default(),
        }
    }

    /// How the source was opened when it was prepared.
    fn open_options(&self) -> OpenOptions {
        let text = |name: &str| self.recipe[name].as_str();
        // ffmpeg decodes some damaged files that the program could open itself.
        let by_ffmpeg = self.row.codec.as_deref().is_some_and(|codec| codec.starts_with("ffmpeg:"));
        OpenOptions {
            decoder: if by_ffmpeg && find_ffmpeg().is_some() { DecoderChoice::Ffmpeg } else { DecoderChoice::Auto },
            track: text("audio_track").and_then(|track| track.parse().ok()).unwrap_or_default(),
            raw: text("raw").and_then(|raw| raw.parse().ok()),
        }
    }

    async fn decoding(&self, inspector: &Inspector) -> Result<Arc<Decoding>, Failure> {
        self.samples()?;
        Ok(inspector.sources.open(self.key(), self.wanted(inspector).await))
    }

    /// The decoded source.
    pub async fn audio(&self, inspector: &Inspector) -> Result<Arc<Audio>, Failure> {
        self.decoding(inspector).await?.wait().await.map_err(Failure::Unavailable)
    }

    /// The stored probabilities of the channel.
    pub async fn probabilities(&self, inspector: &Inspector) -> Result<Arc<Probabilities>, Failure> {
        let samples = self.samples()?;
        if let Some(kept) = inspector.probabilities.get(self.key()) {
            return Ok(kept);
        }
        let missing = || Failure::Unavailable("no probabilities are stored for this recording".into());
        let packed = inspector.store.probabilities_of(self.row.id, MOST_WINDOWS).await?.ok_or_else(missing)?;
        let channel = self.channel.filter(|_| !self.channels.is_empty());
        let unpack = move |packed: &PackedProbabilities| of_channel(packed, samples as f64 / RATE, channel);
        let unpacked = tokio::task::spawn_blocking(move || unpack(&packed)).await.ok().flatten();
        let is_complete = |all: &Vec<f32>| all.len() as u64 == samples.div_ceil(WINDOW as u64);
        let unusable = || Failure::Unavailable("the stored probabilities do not fit the recording".into());
        let unpacked = Arc::new(Probabilities(unpacked.filter(is_complete).ok_or_else(unusable)?));
        Ok(inspector.probabilities.get_or_make(self.key(), |_| true, || unpacked))
    }

    /// The segments of the channel, in order of time.
    async fn segments(&self, inspector: &Inspector) -> Result<Vec<Segment>, Failure> {
        let (id, mut segments) = (self.row.id, Vec::new());
        loop {
            let after = segments.last().map(|segment: &Segment| (id, segment.idx));
            let page = inspector.store.segments_between(id, id, after, SEGMENTS).await?;
            let is_last = page.len() < SEGMENTS;
            segments.extend(page.into_iter().map(|(_, segment)| segment));
            if is_last {
                segments.retain(|segment| self.channels.is_empty() || segment.channel == self.channel);
                return Ok(segments);
            }
        }
    }
}

/// What the page needs at its beginning.
pub async fn data(State(inspector): Shared, Path(id): Path<String>, query: Query) -> Result<Response, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let segments = opened.segments(&inspector).await?;
    let has_probabilities = opened.probabilities(&inspector).await.is_ok();
    let row = &opened.row;
    let gaps: Value = row.gap_spans.as_deref().and_then(|spans| serde_json::from_str(spans).ok()).unwrap_or_default();
    Ok(json_response(&json!({
        "id": row.id,
        "token": row.token,
        "channel": opened.channel,
        "first": opened.first_sample(&inspector).await,
        "samples": opened.samples()?,
        "gaps": gaps,
        "has_probabilities": has_probabilities,
        "parameters": super::cuts::adjustable(&opened.parameters()),
        "segments": segments.iter().map(segment).collect::<Vec<_>>(),
    })))
}

fn segment(segment: &Segment) -> Value {
    json!({
        "idx": segment.idx,
        "start": segment.start_sample,
        "end": segment.end_sample,
        "probability": segment.mean_probability,
        "snr_db": segment.snr_db,
        "level_dbfs": segment.level_dbfs,
        "cut": segment.cut,
        "has_file": segment.path.is_some(),
        "tag": segment.tag,
        "note": segment.note,
    })
}

/// The columns of a drawing: samples of the recording, from its beginning.
struct View {
    from: u64,
    to: u64,
    columns: usize,
}

impl View {
    fn new(query: &Query, opened: &Opened) -> Result<Self, Failure> {
        let samples = opened.samples()?;
        let from = query.value("from")?.unwrap_or(0).min(samples);
        let to = query.value("to")?.unwrap_or(samples).clamp(from, samples);
        let columns = query.value("columns")?.unwrap_or(1_000).clamp(1, MOST_COLUMNS);
        Ok(Self { from, to, columns })
    }
}

/// What is computed from the decoded source. While that is decoded, the answer is 202 with the share that is.
async fn drawn<C>(inspector: &Inspector, opened: &Opened, compute: C) -> Result<Response, Failure>
where
    C: FnOnce(&Audio) -> io::Result<Vec<u8>> + Send + 'static,
{
    let decoding = opened.decoding(inspector).await?;
    let Ok(outcome) = tokio::time::timeout(PATIENCE, decoding.wait()).await else {
        let progress = json!({ "decoded": decoding.progress() });
        return Ok((StatusCode::ACCEPTED, json_response(&progress)).into_response());
    };
    let audio = outcome.map_err(Failure::Unavailable)?;
    let failed = |_| Failure::Unavailable("the drawing failed".into());
    Ok(binary(tokio::task::spawn_blocking(move || compute(&audio)).await.map_err(failed)??))
}

/// The peaks of the columns: pairs of 16-bit samples, little-endian.
pub async fn peaks(State(inspector): Shared, Path(id): Path<String>, query: Query) -> Result<Response, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let View { from, to, columns } = View::new(&query, &opened)?;
    let pairs = move |audio: &Audio| {
        let peaks = audio.peaks(from, to, columns)?;
        Ok(peaks.into_iter().flat_map(|(low, high)| [low, high]).flat_map(i16::to_le_bytes).collect())
    };
    drawn(&inspector, &opened, pairs).await
}

/// The spectrogram: columns of [`spectrogram::BANDS`] bytes.
pub async fn spectrogram(State(inspector): Shared, Path(id): Path<String>, query: Query) -> Result<Response, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let View { from, to, columns } = View::new(&query, &opened)?;
    drawn(&inspector, &opened, move |audio| spectrogram::spectrogram(audio, from, to, columns)).await
}

/// The probability curve: the least and the greatest probability of each column, as 32-bit floats, little-endian. There are as
/// many columns as windows in view, if these are fewer.
pub async fn probabilities(
    State(inspector): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let View { from, to, columns } = View::new(&query, &opened)?;
    let all = opened.probabilities(&inspector).await?;
    let window = |sample: f64| ((sample / WINDOW) as usize).min(all.0.len());
    let in_view = &all.0[window(from as f64)..window(to as f64 + WINDOW - 1.0)];
    let bounds = |part: &[f32]| {
        part.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], &p| [low.min(p), high.max(p)])
    };
    Ok(binary(split(in_view, columns).flat_map(bounds).flat_map(f32::to_le_bytes).collect()))
}

/// The decoded source as a WAV file.
pub async fn wav(
    State(inspector): Shared,
    Path(id): Path<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let audio = Opened::new(&inspector, &id, &query).await?.audio(&inspector).await?;
    Ok(files::respond(&headers, "audio/wav", audio.wav_bytes(), move |from, bytes| audio.read_wav(from, bytes)))
}

/// A segment's file. Its name is that of the row, and it must be what this program writes: the database may be a stranger's.
pub async fn segment_file(
    State(inspector): Shared,
    Path((id, idx)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let missing = || Failure::NotFound("There is no such segment.".into());
    let (id, idx) = (id.parse().map_err(|_| missing())?, idx.parse().map_err(|_| missing())?);
    let segment = inspector.store.segment(id, idx).await?.ok_or_else(missing)?;
    let path = segment.path.ok_or_else(|| Failure::NotFound("The segment has no file.".into()))?;
    let opened = tokio::task::spawn_blocking(move || open_segment(&path)).await;
    let (file, media_type, len) = opened
        .unwrap_or_else(|_| Err("it cannot be opened".into()))
        .map_err(|cause| Failure::Unavailable(format!("the segment's file cannot be played: {cause}")))?;
    Ok(files::respond(&headers, media_type, len, move |from, bytes| {
        let mut buffer = vec![0; bytes];
        let read = file.read_at(from, &mut buffer)?;
        buffer.truncate(read);
        Ok(buffer)
    }))
}

/// Opens a segment's file, and finds out its media type and length.
fn open_segment(path: &str) -> Result<(LocalFile, &'static str, u64), String> {
    let extension = FilePath::new(path).extension().and_then(|extension| extension.to_str());
    let format = SegmentFormat::ALL.into_iter().find(|format| Some(format.name()) == extension);
    let (media_type, magic) = match format.ok_or("its name is not that of a segment's file")? {
        SegmentFormat::Wav => ("audio/wav", b"RIFF"),
        SegmentFormat::Flac => ("audio/flac", b"fLaC"),
        SegmentFormat::Opus => ("audio/ogg", b"OggS"),
    };
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let file = LocalFile::new(path);
    let mut first = [0; 4];
    if !metadata.is_file() || file.read_at(0, &mut first).map_err(|error| error.to_string())? < 4 || first != *magic {
        return Err("its content is not that of a segment's file".into());
    }
    Ok((file, media_type, metadata.len()))
}

fn binary(bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}
