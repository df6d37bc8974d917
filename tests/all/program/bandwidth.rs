//! `bandwidth_hz` of sources above 16 kHz. What is expected is what the recordings are made of.

use std::f64::consts::{PI, TAU};

use prepare_audio::media::Resampler;
use serde_json::Value;

use crate::{
    program::channels::{speech, write, write_at},
    support::{downgrade, test_dir::TestDir},
};

/// Distance of the tones that noise is made of, Hz.
const SPACING: u32 = 50;

/// 4 s of speech that ends at 8 kHz, at `rate` Hz, in steps of 16 bits.
fn voice(rate: u32) -> Vec<f32> {
    let speech: Vec<f32> = speech()[..64_000].iter().map(|&sample| f32::from(sample)).collect();
    let (mut resampler, mut voice) = (Resampler::new(16_000, rate).unwrap(), Vec::new());
    resampler.push(&speech, &mut voice).unwrap();
    resampler.finish(&mut voice).unwrap();
    voice
}

/// The same with noise from 4 kHz to `end` Hz: equal tones, 40 dB below full scale together.
fn noisy(rate: u32, end: u32) -> Vec<i16> {
    let tones: Vec<u32> = (4_000..=end).step_by(SPACING as usize).collect();
    let amplitude = 327.68 * (2.0 / tones.len() as f64).sqrt();
    let period = rate / SPACING;
    let noise = |n: u32| -> f64 {
        let time = f64::from(n) / f64::from(rate);
        // Phases as Schroeder's, so that the peak stays low.
        let tone =
            |(k, hz): (usize, &u32)| (TAU * f64::from(*hz) * time + PI * (k * k) as f64 / tones.len() as f64).sin();
        tones.iter().enumerate().map(tone).sum::<f64>() * amplitude
    };
    let noise: Vec<f64> = (0..period).map(noise).collect();
    let noise = noise.iter().cycle();
    voice(rate).into_iter().zip(noise).map(|(voice, noise)| (f64::from(voice) * 0.5 + noise).round() as i16).collect()
}

/// The bandwidths of the segments of a recording, or of one of its channels.
fn bandwidths(rows: &[Value], source: &str, channel: Option<u16>) -> Vec<f64> {
    let of = |row: &&Value| row["source"].as_str().unwrap().ends_with(source) && row["channel"] == Value::from(channel);
    let found: Vec<f64> = rows.iter().filter(of).map(|row| row["bandwidth_hz"].as_f64().unwrap()).collect();
    assert!(!found.is_empty(), "{source} has no segments");
    found
}

fn assert_end(found: &[f64], end: u32) {
    assert!(found.iter().all(|hz| (hz - f64::from(end)).abs() <= 150.0), "{found:?} Hz, not {end} Hz");
}

#[test]
fn the_spectrum_ends_where_the_noise_does_whatever_the_rate() {
    let dir = TestDir::new();
    let ends = [
        (48_000, 9_000),
        (48_000, 11_000),
        (48_000, 16_000),
        (48_000, 23_500),
        (44_100, 16_000),
        (44_100, 21_800),
        (32_000, 12_000),
        (24_000, 11_000),
        (22_050, 10_000),
        (96_000, 22_000),
        (96_000, 40_000),
    ];
    for (rate, end) in ends {
        write_at(rate, &dir, &format!("{end} in {rate}.wav"), &[&noisy(rate, end)]);
    }
    dir.run(&["fetch", ".", "--no-audio", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    for (rate, end) in ends {
        let found = bandwidths(&rows, &format!("{end} in {rate}.wav"), None);
        // What lies above 24 kHz is no sound.
        assert_end(&found, end.min(24_000));
    }
}

/// Channels, parts, segment files and the order of work change nothing; `quality --backfill` finds the same.
#[test]
fn whatever_measures_agrees() {
    let dir = TestDir::new();
    let (left, right) = (noisy(48_000, 11_000), noisy(48_000, 16_000));
    write_at(48_000, &dir, "two.wav", &[&left, &right]);
    write_at(48_000, &dir, "same.wav", &[&right, &right]);
    write_at(48_000, &dir, "one.wav", &[&right]);
    dir.write("list.jsonl", r#"{"audio_filepath": "one.wav", "offset": 1.03, "duration": 2.9}"#);
    dir.run(&["fetch", "two.wav", "same.wav", "--channels", "split", "--segment-rate", "source", "--quiet"]).exits(0);
    dir.run(&["fetch", "one.wav", "list.jsonl", "--no-audio", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    assert_end(&bandwidths(&rows, "two.wav", Some(1)), 11_000);
    assert_end(&bandwidths(&rows, "two.wav", Some(2)), 16_000);
    assert_end(&bandwidths(&rows, "same.wav", Some(1)), 16_000);
    let ones = rows.iter().filter(|row| row["source"].as_str().unwrap().contains("one.wav"));
    let ones: Vec<f64> = ones.map(|row| row["bandwidth_hz"].as_f64().unwrap()).collect();
    assert!(ones.len() >= 2);
    assert_end(&ones, 16_000);
    for statement in downgrade::statements(7) {
        dir.query_row(statement.leak());
    }
    dir.run(&["quality", "--backfill", "--quiet"]).exits(0);
    let again = dir.segments(&[]);
    let figures = |rows: &[Value]| rows.iter().map(|row| row["bandwidth_hz"].clone()).collect::<Vec<_>>();
    assert_eq!(figures(&again), figures(&rows));
}

#[test]
fn min_bandwidth_reaches_above_8_khz() {
    let dir = TestDir::new();
    write_at(48_000, &dir, "narrow.wav", &[&noisy(48_000, 11_000)]);
    write_at(48_000, &dir, "wide.wav", &[&noisy(48_000, 16_000)]);
    write(&dir, "16k.wav", &[&speech()]);
    dir.run(&["fetch", ".", "--min-bandwidth", "14000", "--no-audio", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["source"].as_str().unwrap().ends_with("wide.wav")),
        "{rows:?}"
    );
}
