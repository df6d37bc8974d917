//! What can be seen and heard of a recording: some seconds around one of its segments.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prepare_audio_media::{
    AudioError, AudioStream, ChannelChoice, DecodeOptions, LocalFile, OpenOptions, SegmentFormat, SegmentSpec,
    encode_segment, to_pcm16,
};
use prepare_audio_types::Segment;

use super::{Excerpt, Settings};
use crate::{
    preview::{RATE, WINDOW, locate, means, open_options, peaks, probabilities},
    store::{DoneRecording, Result, Selection, Store},
};

/// Bit rate of the audio, bit/s.
const BIT_RATE: u32 = 24_000;
/// Bytes of the audio of all excerpts. In base64 they are 2 MB, and a report may have 3 MB.
const AUDIO_BYTES: usize = 1_500_000;
/// Seconds of all excerpts together.
const ALL_S: f64 = 420.0;
/// Seconds of one excerpt, at most.
const LONGEST_S: f64 = 30.0;
/// Columns of all drawings together.
const ALL_COLUMNS: usize = 7_200;
/// Columns of one drawing.
const COLUMNS: std::ops::RangeInclusive<usize> = 150..=600;
/// Columns of the overview of the whole recording.
const OVERVIEW_COLUMNS: usize = 240;
/// Seconds before a segment.
const LEAD_S: f64 = 1.0;
/// Segments that one is chosen from.
const SEGMENTS: usize = 1_000;
/// A segment is chosen from this beginning of the recording, if there is one: decoding starts at the beginning.
const BEGINNING_S: f64 = 1_800.0;
/// Windows that are read, at most: 35 hours.
const MOST_WINDOWS: u64 = 4_000_000;
/// How long the audio of a recording may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads excerpts, as long as there is room for them.
pub(super) struct Reader {
    store: Arc<Store>,
    audio_dir: PathBuf,
    longest_s: f64,
    columns: usize,
    bytes_left: usize,
}

impl Reader {
    /// A reader of `number` excerpts.
    pub fn new(store: Arc<Store>, settings: &Settings, number: usize) -> Self {
        Self {
            store,
            audio_dir: settings.audio_dir.clone(),
            longest_s: (ALL_S / number as f64).min(LONGEST_S),
            columns: (ALL_COLUMNS / number).clamp(*COLUMNS.start(), *COLUMNS.end()),
            bytes_left: AUDIO_BYTES,
        }
    }

    /// Reads an excerpt around a segment that is chosen by chance.
    pub async fn read(&mut self, recording: &DoneRecording, random: &mut fastrand::Rng) -> Result<Excerpt> {
        let rows = self.store.segments(&Selection::Id(recording.id), None, SEGMENTS).await?;
        let segments: Vec<Segment> = rows.into_iter().map(|row| row.segment).collect();
        let packed = self.store.probabilities_of(recording.id, MOST_WINDOWS).await?;
        let (path, part) = locate(&self.audio_dir, &recording.source);
        let first_s = part.map_or(0.0, |part| part.start_s);
        let chosen = choose(&segments, first_s, random);
        let end_s = first_s + recording.duration_s;
        let start_s = chosen.map_or(first_s, |segment| (segment.start_s - LEAD_S).max(first_s));
        let length_s = (end_s - start_s).clamp(0.0, self.longest_s);
        let channel = chosen.and_then(|segment| segment.channel);
        let overlaps = |segment: &&Segment| {
            segment.channel == channel && segment.start_s < start_s + length_s && segment.end_s > start_s
        };
        let mut excerpt = Excerpt {
            first_s,
            start_s,
            length_s,
            segments: segments.iter().filter(overlaps).map(|s| (s.start_s, s.end_s, s.mean_probability)).collect(),
            ..Excerpt::default()
        };
        if let Some(all) = packed.as_ref().and_then(|packed| probabilities(packed, recording.duration_s, channel)) {
            let window = |seconds: f64| ((seconds - first_s).max(0.0) * RATE / WINDOW) as usize;
            let (from, to) = (window(start_s).min(all.len()), (window(start_s + length_s) + 1).min(all.len()));
            excerpt.probabilities = means(&all[from..to], self.columns);
            excerpt.overview = means(&all, OVERVIEW_COLUMNS);
        }
        let wanted = Wanted {
            path,
            open: packed.as_ref().map_or_else(OpenOptions::default, |packed| open_options(&packed.model_key)),
            channels: channel.map_or(ChannelChoice::Mix, ChannelChoice::One),
            first: (start_s * RATE) as u64,
            length: (length_s * RATE) as usize,
        };
        match decode(wanted).await {
            Ok(samples) => self.add_audio(&mut excerpt, &samples),
            Err(problem) => excerpt.problem = Some(problem),
        }
        Ok(excerpt)
    }

    fn add_audio(&mut self, excerpt: &mut Excerpt, samples: &[f32]) {
        excerpt.peaks = peaks(samples, self.columns);
        let pcm: Vec<i16> = samples.iter().map(|&sample| to_pcm16(sample)).collect();
        let spec = SegmentSpec::analysis(SegmentFormat::Opus, Some(BIT_RATE));
        match encode_segment(&spec, pcm.len() as u64, std::iter::once(Ok(Cow::Borrowed(pcm.as_slice())))) {
            Ok(opus) if opus.len() <= self.bytes_left => {
                self.bytes_left -= opus.len();
                excerpt.opus = opus;
            }
            Ok(_) => excerpt.problem = Some("the report has no room for more audio".into()),
            Err(error) => excerpt.problem = Some(error.to_string()),
        }
    }
}

/// A segment of the recording's beginning, or else its first.
fn choose<'s>(segments: &'s [Segment], first_s: f64, random: &mut fastrand::Rng) -> Option<&'s Segment> {
    let early: Vec<&Segment> = segments.iter().filter(|segment| segment.start_s < first_s + BEGINNING_S).collect();
    random.choice(early).or_else(|| segments.first())
}

/// Some samples of a file.
struct Wanted {
    path: PathBuf,
    open: OpenOptions,
    channels: ChannelChoice,
    /// The first sample at 16 kHz.
    first: u64,
    /// Number of samples.
    length: usize,
}

/// Decodes on a thread of its own. A decoder that panics or hangs costs no more than this excerpt.
async fn decode(wanted: Wanted) -> std::result::Result<Vec<f32>, String> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    let decoding = tokio::task::spawn_blocking(move || read(&wanted, &flag));
    match tokio::time::timeout(PATIENCE, decoding).await {
        Ok(Ok(Ok(samples))) if samples.is_empty() => Err("the source is shorter than it was".into()),
        Ok(Ok(Ok(samples))) => Ok(samples),
        Ok(Ok(Err(error))) => Err(format!("{}: {error}", error.code())),
        Ok(Err(_)) => Err("the decoder failed".into()),
        Err(_) => {
            ended.store(true, Ordering::Relaxed);
            Err(format!("reading it takes longer than {} s", PATIENCE.as_secs()))
        }
    }
}

fn read(wanted: &Wanted, ended: &AtomicBool) -> std::result::Result<Vec<f32>, AudioError> {
    let options = DecodeOptions { channels: wanted.channels, ..DecodeOptions::default() };
    let mut stream = AudioStream::open_with(&LocalFile::new(&wanted.path), &wanted.open, options)?;
    let (mut samples, mut position) = (Vec::new(), 0_u64);
    // `Some(None)`: there is enough.
    let outcome = stream.for_each_block(RATE as usize, false, Some, |block| {
        let Some(channel) = block.analysis.first() else { return Ok(()) };
        let skipped = usize::try_from(wanted.first.saturating_sub(position)).unwrap_or(usize::MAX);
        let missing = wanted.length - samples.len();
        samples.extend(channel.iter().skip(skipped).take(missing));
        position += channel.len() as u64;
        if samples.len() >= wanted.length || ended.load(Ordering::Relaxed) { Err(None) } else { Ok(()) }
    });
    match outcome {
        Err(Some(error)) if samples.is_empty() => Err(error),
        _ => Ok(samples),
    }
}
