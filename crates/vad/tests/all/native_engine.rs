//! The native engine has the official package's probabilities at every SIMD level and for blocks of any size.

use std::path::{Path, PathBuf};

use prepare_audio_vad::{Parameters, SILERO_16K, Segmenter, SileroDetector, SileroModel, SimdLevel, VadError, WINDOW};
use proptest::prelude::*;

use crate::{fixture, largest_difference};

/// The maximum difference from the official package's probabilities.
const TOLERANCE: f32 = 1e-5;

/// The signal of ../golden/make_probabilities.py: synthetic vowels with pauses.
fn vowels() -> Vec<f32> {
    const SYLLABLE: i64 = 3200;
    const VOWELS: [[i64; 3]; 6] = [
        [30763, 29167, 18450],
        [31897, 19906, 12132],
        [31856, 30198, 20449],
        [31386, 24080, 17999],
        [31282, 30334, 18755],
        [30991, 25026, 18755],
    ];
    let (mut seed, mut phase, mut resonances) = (1_i64, 0_i64, [(0_i64, 0_i64); 3]);
    let sample = |n: i64| {
        let (syllable, place) = (n / SYLLABLE, n % SYLLABLE);
        seed = (seed * 1_103_515_245 + 12_345) % (1 << 31);
        let noise = (seed >> 16) % 256 - 128;
        let voiced = syllable % 7 != 6 && syllable % 31 < 23;
        phase += 90 + 15 * (syllable % 5) + place / 100;
        let mut pulse = 0;
        if phase >= 16_000 {
            phase -= 16_000;
            pulse = if voiced { place.min(SYLLABLE - place) } else { 0 };
        }
        let mut sample = noise >> 4;
        for (k, resonance) in resonances.iter_mut().enumerate() {
            let [here, next] = [syllable, syllable + 1].map(|syllable| VOWELS[syllable as usize % 6][k]);
            let tuning = (here * (SYLLABLE - place) + next * place) / SYLLABLE;
            let (last, before) = *resonance;
            let new = ((tuning * last - 15_700 * before) >> 14) + pulse * (3 - k as i64) + (noise >> 5);
            *resonance = (new, last);
            sample += new;
        }
        sample.clamp(-32_768, 32_767) as f32 / 32_768.0
    };
    (0..30 * 16_000 - 100).map(sample).collect()
}

fn model() -> SileroModel {
    SileroModel::bundled().expect("the bundled model")
}

fn probabilities(mut detector: SileroDetector, samples: &[f32]) -> Vec<f32> {
    let mut probabilities = Vec::new();
    detector.push(samples, &mut probabilities);
    detector.finish(&mut probabilities);
    probabilities
}

fn numbers(text: &str) -> Vec<f32> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn every_simd_level_has_the_official_probabilities() {
    let (samples, expected) = (vowels(), numbers(include_str!("../golden/probabilities.csv")));
    for level in SimdLevel::available() {
        let detector = SileroDetector::with_level(&model(), level).expect("available");
        let difference = largest_difference(&probabilities(detector, &samples), &expected);
        println!("{level}: {difference:e}");
        assert!(difference < TOLERANCE, "{level}: {difference:e}");
    }
}

/// Speech of a synthesiser, with the official package's probabilities in fixtures/expected.
#[test]
fn fixtures_have_the_official_probabilities() {
    for name in ["a/same.wav", "pauses.wav", "wav_s16_16k_mono.wav"] {
        let mut reader = hound::WavReader::open(fixture("speech").join(name)).expect("a fixture");
        let samples: Vec<f32> =
            reader.samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0).collect();
        let csv = format!("expected/speech_{}.probs.csv", name.replace('/', "_"));
        let expected = numbers(&std::fs::read_to_string(fixture(&csv)).expect("probabilities"));
        assert_eq!(expected.len(), samples.len().div_ceil(WINDOW));
        for level in SimdLevel::available() {
            let detector = SileroDetector::with_level(&model(), level).expect("available");
            let difference = largest_difference(&probabilities(detector, &samples), &expected);
            assert!(difference < TOLERANCE, "{name}, {level}: {difference}");
        }
    }
}

#[test]
fn a_reset_detector_equals_a_new_one() {
    let samples = &vowels()[..50_000];
    let mut detector = SileroDetector::new(&model());
    let expected = probabilities(SileroDetector::new(&model()), samples);
    for _ in 0..2 {
        let mut found = Vec::new();
        detector.push(samples, &mut found);
        detector.finish(&mut found);
        assert_eq!(found, expected);
        detector.reset();
    }
}

#[test]
fn an_empty_recording_has_no_probabilities() {
    assert!(probabilities(SileroDetector::new(&model()), &[]).is_empty());
    assert_eq!(probabilities(SileroDetector::new(&model()), &[0.0]).len(), 1);
    assert_eq!(probabilities(SileroDetector::new(&model()), &[0.0; WINDOW]).len(), 1);
}

#[test]
fn pushing_single_samples_does_not_change_a_bit() {
    let samples = &vowels()[..5 * WINDOW + 7];
    let mut detector = SileroDetector::new(&model());
    let mut found = Vec::new();
    for sample in samples {
        detector.push(&[*sample], &mut found);
    }
    detector.finish(&mut found);
    assert_eq!(found, probabilities(SileroDetector::new(&model()), samples));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_sizes_of_pieces_and_blocks_do_not_change_a_bit(
        block in 1_usize..100,
        pieces in prop::collection::vec(1_usize..20_000, 1..20),
        skipped in 0_usize..100_000,
    ) {
        let samples = &vowels()[skipped..];
        let samples = &samples[..pieces.iter().sum::<usize>().min(samples.len())];
        for level in SimdLevel::available() {
            let expected = probabilities(SileroDetector::with_level(&model(), level).expect("available"), samples);
            let mut detector = SileroDetector::with_block(&model(), level, block).expect("available");
            let (mut found, mut rest) = (Vec::new(), samples);
            for piece in &pieces {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                detector.push(now, &mut found);
                rest = later;
            }
            detector.finish(&mut found);
            prop_assert_eq!(&found, &expected, "{}", level);
        }
    }
}

fn bundled_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/silero_vad_16k_sequence.onnx")
}

#[test]
fn the_bundled_model_from_a_file_is_the_same_model() {
    let (bundled, loaded) = (model(), SileroModel::from_file(&bundled_path()).expect("the same file"));
    assert_eq!((bundled.name(), bundled.sha256()), (loaded.name(), loaded.sha256()));
}

/// Loads a file with this content.
fn load(content: &[u8]) -> Result<SileroModel, VadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tuned.onnx");
    std::fs::write(&path, content).expect("written");
    SileroModel::from_file(&path)
}

#[test]
fn a_truncated_model_is_an_error() {
    let whole = std::fs::read(bundled_path()).expect("the model");
    for length in (0..whole.len()).step_by(9973) {
        let error = load(&whole[..length]).expect_err("truncated");
        assert!(matches!(error, VadError::NotOnnx(_) | VadError::WrongModel { .. }), "{length}: {error}");
    }
}

#[test]
fn the_error_for_another_architecture_names_the_missing_weight() {
    let mut file = std::fs::read(bundled_path()).expect("the model");
    let name = b"encoder.2.weight";
    let positions: Vec<_> = (0..file.len() - name.len()).filter(|i| file[*i..].starts_with(name)).collect();
    for position in positions {
        file[position] = b'E';
    }
    let message = load(&file).expect_err("renamed").to_string();
    assert!(message.contains("expected a weight encoder.2.weight [64, 64, 3]"), "{message}");
}

proptest! {
    #[test]
    fn random_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(load(&bytes).is_err());
    }
}

#[test]
fn another_model_has_its_own_name_and_identity() {
    let mut file = std::fs::read(bundled_path()).expect("the model");
    let middle = file.len() / 2; // within the weights
    file[middle] ^= 1;
    let tuned = load(&file).expect("the same architecture");
    assert_eq!(tuned.name(), "tuned");
    assert_ne!(tuned.sha256(), model().sha256());
}

/// Golden values for real speech are in the folder `shared` beside the checkout. Without it, the test is skipped.
#[test]
fn real_speech_has_the_official_probabilities_and_segments() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let Ok(golden) = std::fs::read_to_string(shared.join("golden/segments.json")) else {
        eprintln!("SKIPPED: no golden values in {}", shared.display());
        return;
    };
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("JSON");
    for (name, file) in golden["files"].as_object().expect("files") {
        let wav = std::fs::read(shared.join("audio").join(name)).expect("audio");
        let samples = wav[44..].as_chunks::<2>().0.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0);
        let samples: Vec<f32> = samples.collect();
        let expected = std::fs::read_to_string(shared.join(format!("golden/{name}.probs.csv"))).expect("probabilities");
        for level in SimdLevel::available() {
            let found = probabilities(SileroDetector::with_level(&model(), level).expect("available"), &samples);
            let difference = largest_difference(&found, &numbers(&expected));
            assert!(difference < TOLERANCE, "{name}, {level}: {difference:e}");
            for (set, parameters) in golden["parameters"].as_object().expect("sets") {
                let segments = segments(parameters, &found, samples.len());
                assert_eq!(segments, file["segments"][set], "{name}, {level}, {set}");
            }
        }
    }
}

fn segments(parameters: &serde_json::Value, probabilities: &[f32], samples: usize) -> serde_json::Value {
    let text = parameters.to_string().replace("use_max_poss_sil_at_max_speech", "use_max_possible_silence");
    let parameters: Parameters = serde_json::from_str(&text).expect("parameters");
    let (mut segmenter, mut segments) = (Segmenter::new(&parameters, SILERO_16K).expect("valid"), Vec::new());
    for probability in probabilities {
        segmenter.push(*probability, &mut segments);
    }
    segmenter.finish(samples as u64, &mut segments);
    segments.iter().map(|segment| vec![segment.start, segment.end]).collect()
}
