//! What a recording's row says about its source file.

use prepare_audio_media::{AudioStream, Damage, TrackChoice, TrackInfo};
use prepare_audio_types::{PreparedRecording, StageTimes, StoredRecording};
use serde_json::json;

use crate::milliseconds;

/// How the warning about audio after the declared end begins.
const UNREAD: &str = "unread: ";

/// The facts of a file that was read to its end. `dual_mono` says that all its channels are identical, so that one of
/// them was analysed.
pub(crate) fn from_stream(stream: &AudioStream, wanted: &TrackChoice, dual_mono: bool) -> PreparedRecording {
    let (info, damage) = (stream.info(), stream.damage());
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

/// The seconds of audio after the declared end, which only a warning stores.
pub(crate) fn stored_unread_s(stored: &StoredRecording) -> f64 {
    let unread =
        stored.warnings.iter().find_map(|warning| warning.strip_prefix(UNREAD)?.strip_suffix(" s")?.parse().ok());
    unread.unwrap_or(0.0)
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
    if damage.unread_s > 0.0 {
        warnings.push(format!("{UNREAD}{:.1} s", damage.unread_s));
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
