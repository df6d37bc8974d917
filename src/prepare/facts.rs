//! What a recording's row is to say of its file.

use super::milliseconds;
use crate::{
    audio::{Damage, PcmStream},
    store::{Known, Outcome, StageTimes},
};

/// What the file told, now that it is read to its end. `alike` says that its channels are all the same, so that one of
/// them was enough.
pub(super) fn told(source: &PcmStream, alike: bool) -> Outcome {
    let (info, damage) = (source.info(), source.damage());
    let (decode, resample) = source.times();
    Outcome {
        container: info.container.clone(),
        codec: info.codec.clone(),
        sample_rate: i64::from(info.sample_rate),
        channels: info.channels as i64,
        bytes: info.bytes as i64,
        decode_errors: damage.decode_errors as i64,
        truncated: damage.truncated,
        warnings: warnings(damage, source.channels_cancel(), alike && info.channels > 1),
        times: StageTimes {
            decode_ms: milliseconds(decode),
            resample_ms: milliseconds(resample),
            ..StageTimes::default()
        },
        ..Outcome::default()
    }
}

/// What it told before.
pub(super) fn remembered(known: &Known) -> Outcome {
    Outcome {
        container: known.container.clone(),
        codec: known.codec.clone(),
        sample_rate: known.sample_rate,
        channels: known.channels,
        bytes: known.bytes,
        decode_errors: known.decode_errors,
        truncated: known.truncated != 0,
        warnings: known.warnings.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        ..Outcome::default()
    }
}

fn warnings(damage: Damage, phase_inverted: bool, dual_mono: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if damage.truncated {
        warnings.push("truncated".to_owned());
    }
    if damage.decode_errors > 0 {
        warnings.push(format!("decode_errors: {}", damage.decode_errors));
    }
    if phase_inverted {
        warnings.push("phase_inverted".to_owned());
    }
    if dual_mono {
        warnings.push("dual_mono".to_owned());
    }
    warnings
}
