use std::f64::consts::TAU;

use prepare_audio_media::{Excerpt, Resampler, to_pcm16};
use prepare_audio_vad::WINDOW;
use proptest::prelude::*;

use super::*;
use crate::excerpt_buffer::ExcerptBuffer;

/// Measures samples in blocks of a length that divides nothing.
fn measure(samples: &[i16]) -> Quality {
    let blocks = samples.chunks(997).map(|block| Ok(Cow::Borrowed(block)));
    QualityMeter::default().measure(samples.len() as u64, blocks, None).unwrap()
}

fn assert_near(found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// A sine of this amplitude and frequency, 2 s.
fn sine(amplitude: f64, hz: f64) -> Vec<f64> {
    (0..32_000).map(|n| amplitude * (TAU * hz * f64::from(n) / 16_000.0).sin()).collect()
}

fn rounded(samples: impl IntoIterator<Item = f64>) -> Vec<i16> {
    samples.into_iter().map(|sample| sample.round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// White noise of variance 1 (sums of twelve uniform numbers), always the same.
fn noise(number: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..number).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect()
}

#[test]
fn amplitudes_are_those_of_known_signals() {
    let half = measure(&rounded(sine(16_384.0, 1_000.0)));
    assert_near(half.peak_dbfs, -6.0206, 1e-4);
    assert_near(half.dc_offset, 0.0, 1e-6);
    assert_eq!(half.clipped, Some(0.0));
    let shifted = measure(&rounded(sine(1_000.0, 1_000.0).into_iter().map(|sample| sample + 3_276.8)));
    assert_near(shifted.dc_offset, 0.1, 1e-5);
    let silence = measure(&[0; 16_000]);
    assert_eq!((silence.peak_dbfs, silence.level_dbfs, silence.loudness_lufs), (Some(-120.0), -120.0, None));
    assert_eq!((silence.bandwidth_hz, measure(&[]).bandwidth_hz), (None, None));
}

#[test]
fn clipping_is_runs_of_three_or_more_of_one_sign() {
    let clipped = |samples: &[i16]| measure(samples).clipped.unwrap() * samples.len() as f64;
    let full = i16::MAX;
    assert_eq!(clipped(&[0, full, full, 0, full, 0]), 0.0);
    assert_eq!(clipped(&[0, full, full, full, 0, i16::MIN, -full, i16::MIN, i16::MIN]), 7.0);
    assert_eq!(clipped(&[full, full, i16::MIN, i16::MIN]), 0.0);
    // Across blocks of 997 and chunks of 64 samples.
    let mut long = vec![0; 4_000];
    long[990..1_010].fill(full);
    assert_eq!(clipped(&long).round(), 20.0);
}

/// `ffmpeg -i FILE -af ebur128=metadata=1,ametadata=print:key=lavfi.r128.I:file=- -f null -`, ffmpeg 5.1.9.
#[test]
fn loudness_is_that_of_ffmpeg() {
    for (file, lufs) in
        [("speech/pauses.wav", -21.923), ("speech/a/same.wav", -20.194), ("speech/wav_s16_16k_mono.wav", -19.482)]
    {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(file);
        let samples: Vec<i16> = hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect();
        assert_near(measure(&samples).loudness_lufs, lufs, 0.1);
    }
    // EBU Tech 3341, case 1: a sine of 1 kHz at -23 dBFS in both channels is -23 LUFS; in one channel it is 3 dB less.
    assert_near(measure(&rounded(sine(32_768.0 * 10.0_f64.powf(-23.0 / 20.0), 1_000.0))).loudness_lufs, -26.0, 0.1);
    assert_eq!(measure(&rounded(sine(9_000.0, 1_000.0))[..6_399]).loudness_lufs, None, "shorter than 400 ms");
}

/// 2 s of sines every 50 Hz at `rate` Hz: a spectrum that is flat up to its end.
fn flat_to(end: f64, rate: u32) -> Vec<f64> {
    let tones = (1..).map(|n| 50.0 * f64::from(n)).take_while(|&hz| hz <= end);
    let mut period = vec![0.0; rate as usize / 50];
    for (n, hz) in tones.enumerate() {
        // Phases as Schroeder's, so that the peak stays low.
        let phase = std::f64::consts::PI * (n * n) as f64 / 160.0;
        period.iter_mut().enumerate().for_each(|(t, sample)| {
            *sample += 150.0 * (TAU * hz * t as f64 / f64::from(rate) + phase).sin();
        });
    }
    period.repeat(100)
}

#[test]
fn bandwidth_is_where_the_spectrum_ends() {
    for end in [3_400.0, 4_000.0, 6_000.0, 7_500.0] {
        // Beyond the first bins a Hann window leaks less than 60 dB.
        assert_near(measure(&rounded(flat_to(end, 16_000))).bandwidth_hz, end, 200.0);
    }
    assert_near(
        measure(&rounded(noise(32_000, 1).into_iter().map(|sample| sample * 300.0))).bandwidth_hz,
        8_000.0,
        60.0,
    );
    let quiet = measure(&rounded(noise(32_000, 1).into_iter().map(|sample| sample * 0.3)));
    assert_eq!(quiet.bandwidth_hz, None, "no more than rounding");
}

/// Samples at `rate` Hz as the pipeline has them: at 16 kHz, and their excerpts.
fn received(samples: &[f64], rate: u32, bytes: usize) -> (Vec<i16>, ExcerptBuffer) {
    let (mut resampler, mut narrow) = (Resampler::new(rate, 16_000).unwrap(), Vec::new());
    let full_scale: Vec<f32> = samples.iter().map(|sample| (sample / 32_768.0) as f32).collect();
    resampler.push(&full_scale, &mut narrow).unwrap();
    resampler.finish(&mut narrow).unwrap();
    let (samples, len) = (rounded(samples.iter().copied()), Excerpt::len_at(rate));
    let mut excerpts = ExcerptBuffer::new(std::env::temp_dir(), bytes);
    for (n, at) in (0..).map(|n| (n, n * rate as usize / 8)).take_while(|(_, at)| at + len <= samples.len()) {
        let channels = vec![samples[at..at + len].to_vec()];
        excerpts.push(&[Excerpt { start: 2_000 * n as u64, rate, channels }], 0).unwrap();
    }
    (narrow.into_iter().map(to_pcm16).collect(), excerpts)
}

/// Measures part of a signal in blocks of `block` samples.
fn measure_wide(
    (narrow, excerpts): &(Vec<i16>, ExcerptBuffer),
    span: std::ops::Range<usize>,
    block: usize,
) -> Option<f64> {
    let excerpts = excerpts.read(span.start as u64, span.end as u64);
    let blocks = narrow[span.clone()].chunks(block).map(|block| Ok(Cow::Borrowed(block)));
    QualityMeter::default().measure(span.len() as u64, blocks, excerpts.as_ref()).unwrap().bandwidth_hz
}

#[test]
fn bandwidth_reaches_half_the_rate_of_the_source() {
    for (rate, end) in [
        (48_000, 9_000.0),
        (48_000, 11_000.0),
        (48_000, 16_000.0),
        (48_000, 23_900.0),
        (44_100, 16_000.0),
        (22_050, 10_950.0),
        (96_000, 12_000.0),
    ] {
        let signal = received(&flat_to(end, rate), rate, 1 << 20);
        assert_near(measure_wide(&signal, 0..32_000, 997), end, 200.0);
        // Shorter than it takes to contain an excerpt.
        let short = measure_wide(&signal, 100..2_000, 997);
        assert!(short >= Some(7_500.0) && short <= Some(8_000.0), "{rate} Hz: {short:?}");
    }
    let above_sound = received(&flat_to(40_000.0, 96_000), 96_000, 1 << 20);
    assert_eq!(measure_wide(&above_sound, 0..32_000, 997), Some(24_000.0));
    // Below 7.5 kHz the excerpts are not looked at, whatever they have.
    let (narrow, _) = received(&flat_to(6_000.0, 48_000), 48_000, 1 << 20);
    let (_, wide) = received(&flat_to(16_000.0, 48_000), 48_000, 1 << 20);
    let expected = measure(&narrow).bandwidth_hz;
    assert_eq!(measure_wide(&(narrow, wide), 0..32_000, 997), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Neither blocks nor the place where excerpts are kept make a difference.
    #[test]
    fn bandwidth_does_not_depend_on_blocks(block in 1usize..20_000, bytes in 1usize..100_000, start in 0usize..20_000) {
        let samples: Vec<f64> = noise(96_000, 3).into_iter().map(|sample| sample * 300.0).collect();
        let (limited, whole) = (received(&samples, 48_000, bytes), received(&samples, 48_000, 1 << 20));
        let expected = measure_wide(&whole, start..32_000, 32_000);
        prop_assert_eq!(measure_wide(&limited, start..32_000, block), expected);
        prop_assert!(expected > Some(23_000.0));
    }
}

/// Noise with 1 s of a sine in its middle, the speech.
fn surrounded(snr_db: f64, noise_level: f64, offset: f64) -> (Vec<i16>, Vec<f32>) {
    let amplitude = noise_level * (2.0 * 10.0_f64.powf(snr_db / 10.0)).sqrt();
    let (first, windows) = (60, 31);
    let tone = sine(amplitude, 300.0);
    let samples = noise(150 * WINDOW, 5).into_iter().enumerate().map(|(at, sample)| {
        let speech = at.checked_sub(first * WINDOW).filter(|at| *at < windows * WINDOW).map_or(0.0, |at| tone[at]);
        sample * noise_level + speech + offset
    });
    let probabilities = (0..150).map(|at| if (first..first + windows).contains(&at) { 0.9 } else { 0.1 });
    (rounded(samples), probabilities.collect())
}

#[test]
fn snr_is_that_of_the_mixture() {
    for snr in [0.0, 10.0, 20.0, 30.0] {
        for offset in [0.0, 2_000.0] {
            let (samples, probabilities) = surrounded(snr, 200.0, offset);
            let mut powers = WindowPowers::default();
            samples.chunks(997).for_each(|block| powers.push(block));
            powers.finish();
            let surroundings = Surroundings::new(&powers, &probabilities);
            let (start, end) = (60 * 512 - 480, 91 * 512 + 480);
            assert_near(surroundings.snr_db(start, end), snr, 0.5);
            assert_near(surroundings.speech_ratio(start, end), 31.0 / 33.0, 1e-9);
            assert_eq!(surroundings.snr_db(0, 512), None, "no speech");
        }
    }
}

#[test]
fn snr_has_a_fallback_and_bounds() {
    // No window is noise: the quietest tenth of the segment is. Of stationary noise and a pause it is right.
    let (samples, mut probabilities) = surrounded(20.0, 200.0, 0.0);
    probabilities.fill(0.9);
    let mut powers = WindowPowers::default();
    powers.push(&samples);
    powers.finish();
    let speech_share = 10.0 * (31.0_f64 / 150.0).log10();
    assert_near(Surroundings::new(&powers, &probabilities).snr_db(0, 150 * 512), 20.0 + speech_share, 1.0);
    // Digital silence around: the noise is that of rounding, 1/12 of a squared step.
    let (_, probabilities) = surrounded(0.0, 1.0, 0.0);
    let mut powers = WindowPowers::default();
    powers.push(&[0; 60 * WINDOW]);
    powers.push(&rounded(sine(1_000.0, 300.0))[..31 * WINDOW]);
    powers.push(&[0; 59 * WINDOW]);
    powers.finish();
    let expected = 10.0 * (1_000.0_f64.powi(2) / 2.0 * 12.0).log10();
    assert_near(Surroundings::new(&powers, &probabilities).snr_db(60 * 512, 91 * 512), expected, 0.1);
}
