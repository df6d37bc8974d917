//! Formats whose text is made recording by recording: the writer that they share, and NIST's RTTM, CTM, UEM and STM.
//!
//! Times are those of the medium, because annotations are laid beside it: the recording's start offset is added.

use std::fmt::Write as _;

use prepare_audio_types::Segment;

use super::{Format, Name, Recording, Result, Target, Writer};
use crate::export::{ExportError, names::identifier, recording::media_time, target::OutputFile};

/// The text of one recording.
type Text = fn(&Recording, &Name) -> String;

/// Writes the texts of recordings to one file, or to a file for each.
pub struct Texts {
    text: Text,
    format: Format,
    /// The file for all, if there is one.
    single: Option<OutputFile>,
    recordings: u64,
}

/// A writer for a format whose text is made by `text`.
pub fn writer(text: Text, format: Format, target: &mut Target) -> Result<Texts> {
    let single = if target.is_single() { Some(target.single()?) } else { None };
    Ok(Texts { text, format, single, recordings: 0 })
}

impl Writer for Texts {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        let text = (self.text)(recording, name);
        self.recordings += 1;
        let Some(single) = &mut self.single else {
            let (file, extension) = (recording.beside(), self.format.extension());
            return target.publish_for_recording(&file, &name.recording, extension, text.as_bytes());
        };
        if self.format.is_per_recording() && self.recordings > 1 {
            return Err(ExportError::Invalid(format!(
                "{} has a file for each recording: name a folder with --to, or use --beside-sources, or name one recording",
                self.format
            )));
        }
        single.write(|out| out.write_all(text.as_bytes()))
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.single.take().map_or(Ok(()), OutputFile::close)
    }
}

/// Start and duration of a segment in seconds of the medium.
fn start_and_duration(recording: &Recording, segment: &Segment) -> (f64, f64) {
    let start = media_time(recording, segment.start_s);
    (start, media_time(recording, segment.end_s) - start)
}

/// The speaker of a segment: that of the metadata, and where channels were prepared apart, one for each channel.
fn speaker(recording: &Recording, segment: &Segment) -> String {
    let name = recording.speaker().map(|speaker| identifier(&speaker));
    match (name, segment.channel) {
        (Some(name), None) => name,
        (Some(name), Some(channel)) => format!("{name}_ch{channel}"),
        (None, None) => "speech".into(),
        (None, Some(channel)) => format!("ch{channel}"),
    }
}

fn channel(segment: &Segment) -> u16 {
    segment.channel.unwrap_or(1)
}

/// RTTM, a line for each segment. Source: NIST, The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan,
/// appendix A.
pub fn rttm(recording: &Recording, name: &Name) -> String {
    let mut text = String::new();
    for segment in &recording.segments {
        let (start, duration) = start_and_duration(recording, segment);
        let (channel, speaker) = (channel(segment), speaker(recording, segment));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "SPEAKER {} {channel} {start:.3} {duration:.3} <NA> <NA> {speaker} <NA> <NA>",
            name.recording
        );
    }
    text
}

/// CTM, a line for each segment: its text's words, evenly spread, where it has a text; else the word `<speech>`.
///
/// Source: NIST sctk, doc/infmts.htm.
pub fn ctm(recording: &Recording, name: &Name) -> String {
    let mut text = String::new();
    let words = recording.segment_text().unwrap_or_else(|| "<speech>".into());
    let words: Vec<&str> = words.split(' ').collect();
    for segment in &recording.segments {
        let (start, duration) = start_and_duration(recording, segment);
        let length = duration / words.len() as f64;
        for (index, word) in words.iter().enumerate() {
            let start = start + index as f64 * length;
            let _ = writeln!(text, "{} {} {start:.3} {length:.3} {word}", name.recording, channel(segment));
        }
    }
    text
}

/// UEM, a line for each channel: from the recording's start to its end. Source: NIST's md-eval, as RTTM's.
pub fn uem(recording: &Recording, name: &Name) -> String {
    let mut text = String::new();
    let (start, end) = (media_time(recording, recording.span.0), media_time(recording, recording.span.1));
    for channel in recording.segment_channels() {
        let _ = writeln!(text, "{} {} {start:.3} {end:.3}", name.recording, channel.unwrap_or(1));
    }
    text
}

/// STM, a line for each segment. Source: NIST sctk, doc/infmts.htm. A segment whose text is not known is one that scoring
/// ignores.
pub fn stm(recording: &Recording, name: &Name) -> String {
    let mut text = String::new();
    let words = recording.segment_text().unwrap_or_else(|| "IGNORE_TIME_SEGMENT_IN_SCORING".into());
    for segment in &recording.segments {
        let (start, duration) = start_and_duration(recording, segment);
        let (channel, speaker) = (channel(segment), speaker(recording, segment));
        let _ = writeln!(text, "{} {channel} {speaker} {start:.3} {:.3} {words}", name.recording, start + duration);
    }
    text
}
