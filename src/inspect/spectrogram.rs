//! Spectrograms of what is in view.

use std::io;

use prepare_audio_media::fft::{Complex, real_fft};

use super::audio::Audio;

/// Samples of a spectrum: 32 ms, a window of the detector.
const FRAME: usize = 512;
/// Bands of the drawing, from 0 to 8 kHz.
pub const BANDS: usize = 128;
/// Spectra that a column is the mean of, at most.
const FRAMES: u64 = 4;
/// The powers that are the darkest and the brightest, dB of a full-scale sine.
const RANGE: (f32, f32) = (-100.0, -20.0);

/// The spectrogram of the samples from `from` to `to`: for each of `columns` columns a byte for each band, from low to high
/// frequencies; 0 is the darkest.
pub fn spectrogram(audio: &Audio, from: u64, to: u64, columns: usize) -> io::Result<Vec<u8>> {
    let fft = real_fft(FRAME);
    let (mut spectrum, mut scratch) = (fft.make_output_vec(), fft.make_scratch_vec());
    let window: Vec<f32> = (0..FRAME).map(hann).collect();
    let mut bytes = Vec::with_capacity(columns * BANDS);
    for column in 0..columns as u64 {
        let edge = |column: u64| from + (to - from) * column / columns as u64;
        let (start, end) = (edge(column), edge(column + 1));
        let frames = ((end - start) / FRAME as u64).clamp(1, FRAMES);
        let mut powers = [0.0_f32; BANDS];
        for frame in 0..frames {
            let centre = start + (end - start) * (2 * frame + 1) / (2 * frames);
            let samples = audio.read(centre.saturating_sub(FRAME as u64 / 2), FRAME)?;
            let mut input: Vec<f32> = samples.iter().zip(&window).map(|(&s, w)| f32::from(s) / 32_768.0 * w).collect();
            input.resize(FRAME, 0.0);
            // Lengths are those of the plan, so that it does not fail.
            if fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch).is_ok() {
                add(&mut powers, &spectrum);
            }
        }
        bytes.extend(powers.map(|power| brightness(power / frames as f32)));
    }
    Ok(bytes)
}

fn hann(n: usize) -> f32 {
    let phase = n as f32 / FRAME as f32 * std::f32::consts::TAU;
    0.5 - 0.5 * phase.cos()
}

/// Adds the greater power of each pair of bins to its band.
fn add(powers: &mut [f32; BANDS], spectrum: &[Complex<f32>]) {
    for (power, pair) in powers.iter_mut().zip(spectrum.chunks(2)) {
        *power += pair.iter().map(Complex::norm_sqr).fold(0.0, f32::max);
    }
}

fn brightness(power: f32) -> u8 {
    const FULL_SCALE: f32 = FRAME as f32 / 4.0; // the magnitude of a sine under a Hann window
    let db = 10.0 * (power / (FULL_SCALE * FULL_SCALE)).max(1e-12).log10();
    let (darkest, brightest) = RANGE;
    ((db - darkest) / (brightest - darkest) * 255.0).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_have_the_brightness_of_their_level() {
        let full_scale = (FRAME as f32 / 4.0).powi(2);
        assert_eq!((brightness(full_scale), brightness(0.0)), (255, 0));
        assert!(brightness(full_scale * 1e-6).abs_diff(127) <= 1, "-60 dB is half way");
    }

    #[test]
    fn a_tone_is_in_its_band() {
        let fft = real_fft(FRAME);
        let tone = |n: usize| (n as f32 * 1000.0 / 16_000.0 * std::f32::consts::TAU).sin() * hann(n) / 100.0;
        let (mut input, mut spectrum) = ((0..FRAME).map(tone).collect::<Vec<_>>(), fft.make_output_vec());
        fft.process(&mut input, &mut spectrum).unwrap();
        let mut powers = [0.0; BANDS];
        add(&mut powers, &spectrum);
        let bytes = powers.map(brightness);
        let greatest = bytes.iter().max().copied();
        assert_eq!(bytes.iter().position(|&byte| Some(byte) == greatest), Some(16), "1000 Hz of 8000 Hz in 128 bands");
        assert_eq!(greatest, Some(brightness((FRAME as f32 / 400.0).powi(2))), "-40 dB");
        assert_eq!(bytes[40], 0);
    }
}
