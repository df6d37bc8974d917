//! What a recording's row says about its source file.

use prepare_audio_media::{AudioStream, Damage, TrackChoice, TrackInfo};
use prepare_audio_types::{Part, PreparedRecording, StageTimes, StoredRecording};
use serde_json::json;

use crate::milliseconds;

/// The beginning of the warning about skipped bytes.
const SKIPPED_BYTES: &str = "skipped_bytes: ";

/// The number of skipped bytes in the warnings of a stored row.
pub(crate) fn skipped_bytes(warnings: &[String]) -> u64 {
    warnings.iter().find_map(|warning| warning.strip_prefix(SKIPPED_BYTES)?.parse().ok()).unwrap_or(0)
}

/// The damage of a file that was read, or of its part.
pub(crate) fn damage(stream: &AudioStream, part: Option<&Part>) -> Damage {
    let damage = stream.damage();
    match part {
        None => damage,
        Some(part) => {
            let gaps = damage.gaps.within(part.start_s, part.end_s.unwrap_or(f64::INFINITY));
            Damage { gaps, ..damage }
        }
    }
}

/// The facts of a file that was read to its end, or to that of its part. `dual_mono` says that all its channels are
/// identical, so that one of them was analysed.
pub(crate) fn from_stream(
    stream: &AudioStream,
    damage: Damage,
    wanted: &TrackChoice,
    dual_mono: bool,
) -> PreparedRecording {
    let info = stream.info();
    let (decode, resample) = stream.times();
    let is_by_chance = *wanted == TrackChoice::Default && info.tracks.len() > 1;
    PreparedRecording {
        container: info.container.clone(),
        codec: info.codec.clone(),
        sample_rate: info.sample_rate,
        channels: info.channels as u16,
        bytes: info.bytes,
        start_offset_s: info.start_offset_s,
        track: info.track,
        tracks: describe(&info.tracks),
        packets: damage.packets,
        decode_errors: damage.decode_errors,
        truncated: damage.truncated,
        warnings: warnings(&damage, is_by_chance, stream.channels_cancel(), dual_mono && info.channels > 1),
        times: StageTimes {
            decode_ms: milliseconds(decode),
            resample_ms: milliseconds(resample),
            ..StageTimes::default()
        },
        gaps: damage.gaps,
        ..PreparedRecording::default()
    }
}

/// The facts that an earlier preparation stored.
pub(crate) fn from_stored(stored: &StoredRecording) -> PreparedRecording {
    PreparedRecording {
        container: stored.container.clone(),
        codec: stored.codec.clone(),
        sample_rate: stored.sample_rate,
        channels: stored.channels,
        bytes: stored.bytes,
        start_offset_s: stored.start_offset_s,
        track: stored.track,
        tracks: stored.tracks.clone(),
        decode_errors: stored.decode_errors,
        truncated: stored.truncated,
        gaps: stored.gaps.clone(),
        warnings: stored.warnings.clone(),
        ..PreparedRecording::default()
    }
}

fn warnings(damage: &Damage, is_track_by_chance: bool, phase_inverted: bool, dual_mono: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if damage.truncated {
        warnings.push("truncated".to_owned());
    }
    if damage.decode_errors > 0 {
        warnings.push(format!("decode_errors: {}", damage.decode_errors));
    }
    if !damage.gaps.is_empty() {
        warnings.push(format!("gaps: {} ({:.1} s)", damage.gaps.count(), damage.gaps.lost_s()));
    }
    if damage.skipped_bytes > 0 {
        warnings.push(format!("{SKIPPED_BYTES}{}", damage.skipped_bytes));
    }
    if is_track_by_chance {
        warnings.push("several_audio_tracks".to_owned());
    }
    if phase_inverted {
        warnings.push("phase_inverted".to_owned());
    }
    if dual_mono {
        warnings.push("dual_mono".to_owned());
    }
    warnings
}

/// The audio tracks of a file that has several, as JSON.
fn describe(tracks: &[TrackInfo]) -> Option<String> {
    let describe = |track: &TrackInfo| {
        let TrackInfo { number, codec, language, channels, title, is_default, .. } = track;
        json!({ "track": number, "codec": codec, "language": language, "channels": channels, "title": title,
                "default": is_default })
    };
    (tracks.len() > 1).then(|| json!(tracks.iter().map(describe).collect::<Vec<_>>()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_bytes_are_a_warning_that_is_read_back() {
        let damage = Damage { skipped_bytes: 8_000, ..Damage::default() };
        let warnings = warnings(&damage, false, false, false);
        assert_eq!(warnings, ["skipped_bytes: 8000"]);
        assert_eq!(skipped_bytes(&warnings), 8_000);
        assert_eq!(skipped_bytes(&["truncated".to_owned()]), 0);
    }
}
