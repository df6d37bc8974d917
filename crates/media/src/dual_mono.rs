//! Detects dual mono: a recording whose channels all hold the same signal. Decodes as much as that takes, and keeps nothing.

use super::{AudioError, Decoder, MediaInput, OpenOptions};

/// Samples that are compared at a time.
const SPAN: usize = 1 << 14;

/// Channels are equal if the energy of their difference is below this share of theirs (-60 dB): a lossy codec that codes
/// channels separately may make them differ by that much.
const SAME: f64 = 1e-6;

/// A difference below this mean square (-90 dBFS, the last of 16 bits) counts as silence.
const SILENCE: f64 = 1e-9;

/// Compares all channels with the first one, and stops at the first audible difference, which is usually within the first
/// seconds. A recording of one channel counts as dual mono. `check` is called once a block.
///
/// # Errors
/// The first one of `check`. A recording that cannot be decoded to its end is not dual mono; decoding it afterwards
/// reports the cause.
pub fn is_dual_mono<E>(
    input: &dyn MediaInput,
    open: &OpenOptions,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    let Ok(mut decoder) = Decoder::open_with(input, open) else { return Ok(false) };
    let mut channels = None;
    loop {
        check()?;
        match next(&mut decoder, &mut channels) {
            Ok(Some(true)) => {}
            Ok(Some(false)) | Err(_) => return Ok(false),
            Ok(None) => return Ok(true),
        }
    }
}

/// Whether the next block's channels are equal, and as many as before; `None` at the end.
fn next(decoder: &mut Decoder, channels: &mut Option<usize>) -> Result<Option<bool>, AudioError> {
    let Some(block) = decoder.next_block()? else { return Ok(None) };
    if block.samples().is_empty() {
        return Ok(Some(true));
    }
    let count = *channels.get_or_insert(block.channels());
    Ok(Some(
        count == block.channels() && block.samples().chunks(SPAN / count * count).all(|span| are_equal(span, count)),
    ))
}

fn are_equal(span: &[f32], channels: usize) -> bool {
    (1..channels).all(|channel| {
        let (mut energy, mut difference) = (0.0, 0.0);
        for frame in span.chunks_exact(channels) {
            let (first, other) = (f64::from(frame[0]), f64::from(frame[channel]));
            energy += first * first;
            difference += (first - other) * (first - other);
        }
        difference <= (SAME * energy).max(SILENCE * (span.len() / channels) as f64)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{DecoderChoice, LocalFile};

    const NATIVE: OpenOptions =
        OpenOptions { decoder: DecoderChoice::Symphonia, track: crate::TrackChoice::Default, raw: None };

    #[test]
    fn inaudible_differences_do_not_count() {
        let span = |other: fn(f32) -> f32| -> Vec<f32> {
            (0..500).map(|n| (n as f32 * 0.1).sin() * 0.3).flat_map(|s| [s, other(s)]).collect()
        };
        assert!(are_equal(&span(|s| s), 2) && are_equal(&span(|s| s * 1.0005), 2) && are_equal(&[0.1; 7], 1));
        assert!(are_equal(&[0.0, 0.00001, 0.0, -0.00001], 2), "the last bit of silence");
        assert!(!are_equal(&span(|s| s * 0.99), 2) && !are_equal(&span(|s| -s), 2) && !are_equal(&span(|_| 0.0), 2));
        assert!(!are_equal(&[0.1, 0.1, f32::NAN, 0.1, 0.1, 0.1], 3));
    }

    #[test]
    fn detects_dual_mono_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech");
        let are_equal = |name: &str| is_dual_mono::<()>(&LocalFile::new(folder.join(name)), &NATIVE, || Ok(()));
        assert_eq!(are_equal("wav_s16_16k_mono.wav"), Ok(true));
        assert_eq!(are_equal("../bad/empty.wav"), Ok(false));
        let ended = is_dual_mono(&LocalFile::new(folder.join("pauses.wav")), &NATIVE, || Err("ended"));
        assert_eq!(ended, Err("ended"));
    }
}
