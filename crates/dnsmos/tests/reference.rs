//! Scores beside those of the package speechmos.
//!
//! test.sh installs ONNX Runtime and the package, and sets PREPARE_AUDIO_REQUIRE_ONNX; elsewhere the tests need both in a
//! Python environment.
#![cfg(feature = "onnx")]

use std::path::{Path, PathBuf};

use prepare_audio_dnsmos::{DnsmosError, DnsmosModel, Scores};

/// What reference.py prints: file, start, end, repetitions; signal, background, overall.
const REFERENCE: [(&str, usize, usize, usize, [f64; 3]); 4] = [
    ("pauses.wav", 0, 106243, 1, [3.1597, 3.8606, 2.8665]),
    ("pauses.wav", 8000, 24000, 1, [2.9177, 3.3420, 2.3586]),
    ("pauses.wav", 0, 106243, 5, [3.1444, 3.8089, 2.8189]),
    ("wav_s16_16k_mono.wav", 0, 11547, 1, [2.3338, 3.0576, 1.7975]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech").join(name)
}

/// The model. `None` where it is not installed, unless it has to be.
fn model() -> Option<DnsmosModel> {
    let file = std::env::var_os("PREPARE_AUDIO_DNSMOS_ONNX").map(PathBuf::from);
    match DnsmosModel::open(file.as_deref()) {
        Ok(model) => Some(model),
        Err(error) if std::env::var_os("PREPARE_AUDIO_REQUIRE_ONNX").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn scores_equal_those_of_speechmos() {
    let Some(model) = model() else { return };
    let mut meter = model.meter().unwrap();
    for (file, start, end, repetitions, expected) in REFERENCE {
        let samples: Vec<i16> = hound::WavReader::open(fixture(file)).unwrap().samples().map(Result::unwrap).collect();
        meter.begin();
        for _ in 0..repetitions {
            samples[start..end].chunks(3_000).for_each(|block| meter.push(block).unwrap());
        }
        let Scores { signal, background, overall } = meter.finish().unwrap().unwrap();
        for (score, expected) in [signal, background, overall].into_iter().zip(expected) {
            assert!(
                (score - expected).abs() < 0.001,
                "{file} {start}..{end} x {repetitions}: {score}, expected {expected}"
            );
        }
    }
}

#[test]
fn a_segment_without_samples_has_no_scores() {
    let Some(model) = model() else { return };
    let mut meter = model.meter().unwrap();
    meter.begin();
    assert_eq!(meter.finish().unwrap(), None);
}

#[test]
fn another_file_is_refused() {
    let other = fixture("pauses.wav");
    assert!(matches!(DnsmosModel::open(Some(&other)), Err(DnsmosError::OtherModel { .. })));
    let gone = fixture("gone.onnx");
    assert!(matches!(DnsmosModel::open(Some(&gone)), Err(DnsmosError::Read { .. })));
}
