//! Files of one recording for annotation programs: Praat's TextGrid, ELAN's EAF, Audacity's labels, WhisperX's JSON.
//!
//! Where channels were prepared apart, each is a tier of its own. Times are those of the medium.

use std::fmt::Write as _;

use prepare_audio_types::Segment;
use serde_json::json;

use super::{Name, Recording};
use crate::export::recording::media_time;

/// A channel's segments, for a tier.
struct Tier<'a> {
    name: String,
    segments: Vec<&'a Segment>,
}

fn tiers(recording: &Recording) -> Vec<Tier<'_>> {
    let tier = |channel: Option<u16>| Tier {
        name: channel.map_or_else(|| "speech".into(), |channel| format!("channel {channel}")),
        segments: recording.segments.iter().filter(|segment| segment.channel == channel).collect(),
    };
    recording.segment_channels().into_iter().map(tier).collect()
}

/// What a segment is labelled with: its text, if it has one.
fn label(recording: &Recording) -> String {
    recording.segment_text().unwrap_or_else(|| "speech".into())
}

/// TextGrid in its long form. Source: the Praat manual, "TextGrid file formats". The intervals of a tier cover the whole
/// recording, those without speech being empty.
pub fn textgrid(recording: &Recording, _: &Name) -> String {
    let tiers = tiers(recording);
    let label = label(recording).replace('"', "\"\"");
    // Praat wants no interval beyond the end of its tier.
    let end = media_time(recording, recording.span.1);
    let mut text = format!(
        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = {end}\ntiers? <exists>\nsize = {}\nitem []:\n",
        tiers.len()
    );
    for (number, tier) in (1..).zip(&tiers) {
        let mut intervals = Vec::new();
        let mut at = 0.0;
        for segment in &tier.segments {
            let (start, stop) = (media_time(recording, segment.start_s).max(at), media_time(recording, segment.end_s));
            if stop <= start {
                continue;
            }
            if start > at {
                intervals.push((at, start, ""));
            }
            intervals.push((start, stop, label.as_str()));
            at = stop;
        }
        if at < end || intervals.is_empty() {
            intervals.push((at, end, ""));
        }
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "    item [{number}]:\n        class = \"IntervalTier\"\n        name = \"{}\"\n        xmin = 0\n        \
             xmax = {end}\n        intervals: size = {}\n",
            tier.name,
            intervals.len()
        );
        for (number, (start, stop, label)) in (1..).zip(intervals) {
            let _ = write!(
                text,
                "        intervals [{number}]:\n            xmin = {start}\n            xmax = {stop}\n            text = \"{label}\"\n"
            );
        }
    }
    text
}

/// Text within XML. Characters that XML 1.0 does not allow are left out.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A file URL of a path, as ELAN names media.
fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// EAF 3.0. Source: the schema EAFv3.0.xsd of the Max Planck Institute for Psycholinguistics. Times are whole
/// milliseconds.
pub fn eaf(recording: &Recording, _: &Name) -> String {
    let milliseconds = |seconds: f64| (media_time(recording, seconds) * 1000.0).round() as u64;
    let label = xml(&label(recording));
    let (mut slots, mut tiers_text, mut slot) = (String::new(), String::new(), 0);
    let mut annotation = 0;
    for tier in tiers(recording) {
        let _ = writeln!(tiers_text, "  <TIER LINGUISTIC_TYPE_REF=\"default-lt\" TIER_ID=\"{}\">", xml(&tier.name));
        for segment in tier.segments {
            for time in [segment.start_s, segment.end_s] {
                slot += 1;
                let time = milliseconds(time);
                let _ = writeln!(slots, "    <TIME_SLOT TIME_SLOT_ID=\"ts{slot}\" TIME_VALUE=\"{time}\"/>");
            }
            annotation += 1;
            let _ = writeln!(
                tiers_text,
                "    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID=\"a{annotation}\" TIME_SLOT_REF1=\"ts{}\" \
                 TIME_SLOT_REF2=\"ts{slot}\"><ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>",
                slot - 1
            );
        }
        tiers_text.push_str("  </TIER>\n");
    }
    let mime = if recording.container.as_deref() == Some("wav") { "audio/x-wav" } else { "audio/*" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ANNOTATION_DOCUMENT AUTHOR=\"prepare-audio\" DATE=\"{}\" FORMAT=\"3.0\" VERSION=\"3.0\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:noNamespaceSchemaLocation=\"http://www.mpi.nl/tools/elan/EAFv3.0.xsd\">\n  \
         <HEADER MEDIA_FILE=\"\" TIME_UNITS=\"milliseconds\">\n    \
         <MEDIA_DESCRIPTOR MEDIA_URL=\"{}\" MIME_TYPE=\"{mime}\"/>\n    \
         <PROPERTY NAME=\"lastUsedAnnotationId\">{annotation}</PROPERTY>\n  </HEADER>\n  <TIME_ORDER>\n{slots}  </TIME_ORDER>\n\
         {tiers_text}  <LINGUISTIC_TYPE GRAPHIC_REFERENCES=\"false\" LINGUISTIC_TYPE_ID=\"default-lt\" \
         TIME_ALIGNABLE=\"true\"/>\n</ANNOTATION_DOCUMENT>\n",
        humantime::format_rfc3339_seconds(prepared_at(recording)),
        xml(&file_url(&recording.file)),
    )
}

/// When the recording was prepared: the file of the same rows is the same, whenever it is exported.
fn prepared_at(recording: &Recording) -> std::time::SystemTime {
    let milliseconds = u64::try_from(recording.finished_at).unwrap_or_default();
    std::time::UNIX_EPOCH + std::time::Duration::from_millis(milliseconds)
}

/// Audacity's labels: start, end and label, separated by tabs. Source: the Audacity manual, "Importing and Exporting Labels".
pub fn audacity(recording: &Recording, _: &Name) -> String {
    let label = label(recording);
    let mut text = String::new();
    for segment in &recording.segments {
        let channel = segment.channel.map_or_else(String::new, |channel| format!("channel {channel}: "));
        let (start, end) = (media_time(recording, segment.start_s), media_time(recording, segment.end_s));
        let _ = writeln!(text, "{start:.6}\t{end:.6}\t{channel}{label}");
    }
    text
}

/// The JSON that WhisperX writes and its alignment reads: segments with start, end and text.
pub fn whisperx(recording: &Recording, _: &Name) -> String {
    let words = recording.segment_text().unwrap_or_default();
    let segment = |segment: &Segment| {
        let (start, end) = (media_time(recording, segment.start_s), media_time(recording, segment.end_s));
        let mut value = json!({ "start": start, "end": end, "text": words });
        if let Some(channel) = segment.channel {
            value["speaker"] = format!("ch{channel}").into();
        }
        value
    };
    let segments: Vec<_> = recording.segments.iter().map(segment).collect();
    let value = json!({ "segments": segments, "word_segments": [], "language": recording.language() });
    format!("{value}\n")
}
