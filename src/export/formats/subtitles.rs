//! Subtitles: SubRip and WebVTT. Times are those of the medium, so that they fit the picture.

use std::fmt::Write as _;

use super::{Name, Recording};
use crate::export::recording::media_time;

/// Hours, minutes, seconds and milliseconds, with `separator` before the milliseconds.
fn clock(seconds: f64, separator: char) -> String {
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02}{separator}{:03}", milliseconds / 1000 % 60, milliseconds % 1000)
}

/// Start, end and text of each cue.
fn cues(recording: &Recording) -> Vec<(f64, f64, String)> {
    let text = recording.segment_text().unwrap_or_else(|| "[speech]".into());
    let cue = |segment: &prepare_audio_types::Segment| {
        let channel = segment.channel.map_or_else(String::new, |channel| format!("[{channel}] "));
        let (start, end) = (media_time(recording, segment.start_s), media_time(recording, segment.end_s));
        (start, end, format!("{channel}{text}"))
    };
    recording.segments.iter().map(cue).collect()
}

/// SubRip.
pub fn srt(recording: &Recording, _: &Name) -> String {
    let mut text = String::new();
    for (number, (start, end, words)) in (1..).zip(cues(recording)) {
        // An arrow in the text would be read as a time line. Writing to a String cannot fail.
        let words = words.replace("-->", "->");
        let _ = write!(text, "{number}\n{} --> {}\n{words}\n\n", clock(start, ','), clock(end, ','));
    }
    text
}

/// WebVTT. Source: W3C, WebVTT: The Web Video Text Tracks Format, section 4.
pub fn vtt(recording: &Recording, _: &Name) -> String {
    let mut text = String::from("WEBVTT\n\n");
    for (start, end, words) in cues(recording) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = write!(text, "{} --> {}\n{words}\n\n", clock(start, '.'), clock(end, '.'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_rounded_to_milliseconds() {
        for (seconds, shown) in [
            (0.0, "00:00:00,000"),
            (-1.0, "00:00:00,000"),
            (59.9996, "00:01:00,000"),
            (3723.4564, "01:02:03,456"),
            (360_000.5, "100:00:00,500"),
        ] {
            assert_eq!(clock(seconds, ','), shown);
        }
    }
}
