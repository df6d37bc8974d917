//! Whether a recording of several channels holds the same sound in each: dual mono.

use std::path::Path;

use super::{AudioError, Decoder, DecoderChoice};

/// Samples that are compared at once.
const SPAN: usize = 1 << 14;

/// Channels are the same where they differ by less than this share of their energy: 60 dB below it. A lossy codec that
/// codes them one by one may differ by that much.
const SAME: f64 = 1e-6;

/// What lies below this mean square (-90 dBFS) is silence and tells nothing: the last bit of 16.
const SILENCE: f64 = 1e-9;

/// Compares all channels with the first one, up to the first difference that can be heard; that mostly comes within the
/// first moments. A recording of one channel is alike. `go_on` is asked once a block.
///
/// # Errors
/// The first one of `go_on`. Where the recording cannot be decoded to its end its channels are not called alike: whoever
/// decodes it for good tells why.
pub fn channels_alike<E>(
    path: &Path,
    choice: DecoderChoice,
    mut go_on: impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    let Ok(mut decoder) = Decoder::open(path, choice) else { return Ok(false) };
    let mut channels = None;
    loop {
        go_on()?;
        match next(&mut decoder, &mut channels) {
            Ok(Some(true)) => {}
            Ok(Some(false)) | Err(_) => return Ok(false),
            Ok(None) => return Ok(true),
        }
    }
}

/// Whether the next block's channels are alike, and as many as before.
fn next(decoder: &mut Decoder, channels: &mut Option<usize>) -> Result<Option<bool>, AudioError> {
    let Some(block) = decoder.next_block()? else { return Ok(None) };
    if block.samples().is_empty() {
        return Ok(Some(true));
    }
    let count = *channels.get_or_insert(block.channels());
    Ok(Some(count == block.channels() && block.samples().chunks(SPAN / count * count).all(|span| alike(span, count))))
}

fn alike(span: &[f32], channels: usize) -> bool {
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
    use super::*;

    #[test]
    fn only_what_differs_to_the_ear_differs() {
        let span = |other: fn(f32) -> f32| -> Vec<f32> {
            (0..500).map(|n| (n as f32 * 0.1).sin() * 0.3).flat_map(|s| [s, other(s)]).collect()
        };
        assert!(alike(&span(|s| s), 2) && alike(&span(|s| s * 1.0005), 2) && alike(&[0.1; 7], 1));
        assert!(alike(&[0.0, 0.00001, 0.0, -0.00001], 2), "the last bit of silence");
        assert!(!alike(&span(|s| s * 0.99), 2) && !alike(&span(|s| -s), 2) && !alike(&span(|_| 0.0), 2));
        assert!(!alike(&[0.1, 0.1, f32::NAN, 0.1, 0.1, 0.1], 3));
    }

    #[test]
    fn recordings_tell_their_kind() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech");
        let alike = |name: &str| channels_alike::<()>(&folder.join(name), DecoderChoice::Symphonia, || Ok(()));
        assert_eq!(alike("wav_s16_16k_mono.wav"), Ok(true));
        assert_eq!(alike("../bad/empty.wav"), Ok(false));
        let ended = channels_alike(&folder.join("pauses.wav"), DecoderChoice::Symphonia, || Err("ended"));
        assert_eq!(ended, Err("ended"));
    }
}
