//! Lhotse's manifests: recordings.jsonl.gz, supervisions.jsonl.gz and cuts.jsonl.gz.
//!
//! Source: the documentation of Lhotse 1.x, "Representing a corpus" and "Cuts", and the dictionaries that its
//! `to_dict` methods return.

use std::io::Write as _;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use prepare_audio_types::Segment;
use serde_json::{Map, Value, json};

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{
    AudioFiles, RATE,
    paths::{absolute, relative_to},
    target::OutputFile,
};

/// Bytes to collect before they are compressed, and compressed bytes before they are written. The encoder takes about as long
/// for a few bytes as for many.
const CHUNK: usize = 1 << 16;

/// Writes the manifests.
pub struct Lhotse {
    sources: bool,
    relative_paths: bool,
    recordings: Gzip,
    supervisions: Gzip,
    cuts: Gzip,
}

/// A compressed file of JSON lines.
struct Gzip {
    file: OutputFile,
    /// Lines that are not compressed yet.
    lines: Vec<u8>,
    /// `None` after the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    fn new(file: OutputFile) -> Self {
        // No time and no name in the header: the same rows give the same bytes.
        let encoder = GzBuilder::new().write(Vec::new(), Compression::fast());
        Self { file, lines: Vec::new(), encoder: Some(encoder) }
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        let Self { file, lines, encoder } = self;
        let Some(encoder) = encoder else { return Ok(()) };
        file.write(|out| {
            serde_json::to_writer(&mut *lines, value)?;
            lines.push(b'\n');
            if lines.len() >= CHUNK {
                encoder.write_all(lines)?;
                lines.clear();
            }
            if encoder.get_ref().len() >= CHUNK { out.write_all(&std::mem::take(encoder.get_mut())) } else { Ok(()) }
        })
    }

    fn close(&mut self) -> Result<()> {
        let Self { file, lines, encoder } = self;
        let Some(mut encoder) = encoder.take() else { return Ok(()) };
        file.write(|out| {
            encoder.write_all(lines)?;
            out.write_all(&encoder.finish()?)
        })?;
        file.sync()
    }
}

impl Lhotse {
    /// Manifests for the settings.
    pub fn new(settings: &Settings, target: &mut Target) -> Result<Self> {
        Ok(Self {
            sources: settings.audio == Some(AudioFiles::Sources),
            relative_paths: settings.relative_paths,
            recordings: Gzip::new(target.file("recordings.jsonl.gz")?),
            supervisions: Gzip::new(target.file("supervisions.jsonl.gz")?),
            cuts: Gzip::new(target.file("cuts.jsonl.gz")?),
        })
    }

    fn path(&self, path: &str, target: &Target) -> String {
        if self.relative_paths {
            relative_to(path.as_ref(), &absolute(target.folder())).display().to_string()
        } else {
            path.to_owned()
        }
    }
}

/// Samples of the timeline at another rate, to the nearest.
fn at_rate(samples: u64, rate: u32) -> u64 {
    (samples as f64 * f64::from(rate) / RATE).round() as u64
}

fn recording_value(id: &str, path: &str, channels: u16, rate: u32, samples: u64) -> Value {
    let channels: Vec<u16> = (0..channels).collect();
    json!({
        "id": id,
        "sources": [{ "type": "file", "channels": channels, "source": path }],
        "sampling_rate": rate,
        "num_samples": samples,
        "duration": samples as f64 / f64::from(rate),
        "channel_ids": channels,
    })
}

/// What Lhotse has no field for.
fn custom(recording: &Recording, segment: &Segment) -> Map<String, Value> {
    let mut custom = recording.metadata.clone();
    for (key, value) in [
        ("source", json!(recording.source)),
        ("recipe", json!(recording.recipe)),
        ("mean_probability", json!(segment.mean_probability)),
        ("level_dbfs", json!(segment.level_dbfs)),
        ("snr_db", json!(segment.snr_db)),
        ("denoised_snr_db", json!(segment.denoised_snr_db)),
        ("loudness_lufs", json!(segment.loudness_lufs)),
        ("bandwidth_hz", json!(segment.bandwidth_hz)),
        ("cut", json!(segment.cut)),
    ] {
        custom.entry(key).or_insert(value);
    }
    for (key, score) in segment.dnsmos() {
        custom.entry(key).or_insert(score.into());
    }
    for (key, value) in segment.annotation() {
        custom.entry(key).or_insert(value.into());
    }
    custom
}

impl Writer for Lhotse {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        let source_rate = recording.sample_rate.filter(|rate| *rate > 0).unwrap_or(16_000);
        let of_source = || {
            let samples = (recording.span.1 * f64::from(source_rate)).round() as u64;
            let path = self.path(&recording.file, target);
            recording_value(&name.recording, &path, recording.channels.unwrap_or(1).max(1), source_rate, samples)
        };
        let source = self.sources.then(of_source);
        if let Some(source) = &source {
            self.recordings.line(source)?;
        }
        let text = recording.segment_text();
        for segment in &recording.segments {
            let id = name.segment(segment);
            let (recording_value, start, duration, channel) = match &source {
                Some(source) => {
                    let channel = segment.channel.map_or(0, |channel| channel - 1);
                    (source.clone(), segment.start_s, segment.end_s - segment.start_s, channel)
                }
                None => {
                    let rate = segment.sample_rate.filter(|rate| *rate > 0).unwrap_or(16_000);
                    let samples = at_rate(segment.end_sample, rate) - at_rate(segment.start_sample, rate);
                    let path = self.path(segment.path.as_deref().unwrap_or_default(), target);
                    let value = recording_value(&id, &path, segment.channels.unwrap_or(1), rate, samples);
                    self.recordings.line(&value)?;
                    (value, 0.0, samples as f64 / f64::from(rate), 0)
                }
            };
            let mut supervision = json!({
                "id": id,
                "recording_id": recording_value["id"],
                "start": start,
                "duration": duration,
                "channel": channel,
                "custom": custom(recording, segment),
            });
            for (key, value) in
                [("text", &text), ("speaker", &recording.speaker()), ("language", &recording.language())]
            {
                if let Some(value) = value {
                    supervision[key] = value.clone().into();
                }
            }
            self.supervisions.line(&supervision)?;
            // Within a cut, times count from its start.
            supervision["start"] = 0.0.into();
            self.cuts.line(&json!({
                "id": id,
                "start": start,
                "duration": duration,
                "channel": channel,
                "supervisions": [supervision],
                "recording": recording_value,
                "type": "MonoCut",
            }))?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.recordings.close()?;
        self.supervisions.close()?;
        self.cuts.close()
    }
}
