//! ONNX Runtime has the native engine's probabilities, with both kinds of graph.

use std::path::Path;

use prepare_audio_media::{AudioBlock, AudioStream, DecodeOptions, LocalFile};
use prepare_audio_vad::{Detector, Device, Engine, EngineChoice, ModelFile};

use self::support::{Onnx, onnx};
use crate::{fixture, largest_difference};

#[allow(dead_code, reason = "shared with the program's tests, which use all of it")]
#[path = "../../../../tests/all/support/onnx.rs"]
mod support;

/// The maximum difference of probabilities for pieces of different sizes.
const TOLERANCE: f32 = 1e-5;

/// The maximum difference between the engines. Compared with the same graph in float64, ONNX Runtime differed by up to
/// 9.7e-6 on these files and the native engine by up to 8.1e-6, in different directions. The pauses of lossy formats are
/// nearly silent, and there the model amplifies rounding errors.
const BETWEEN_ENGINES: f32 = 2e-5;

/// Every fixture with speech: its name, and its samples at 16 kHz.
fn speech() -> Vec<(String, Vec<f32>)> {
    let files = walkdir::WalkDir::new(fixture("speech")).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().display().to_string(), samples(entry.path()))).collect()
}

fn samples(path: &Path) -> Vec<f32> {
    let mut stream = AudioStream::open(&LocalFile::new(path), Default::default(), DecodeOptions::default()).unwrap();
    let mut block = AudioBlock::default();
    while stream.fill(&mut block, usize::MAX).unwrap() {}
    block.analysis.remove(0)
}

/// The native engine, and ONNX Runtime with the graph for many windows per call and with the one for one window.
fn detectors(Onnx { per_window, .. }: &Onnx) -> [(&'static str, Detector); 3] {
    let bundled = || ModelFile::bundled().unwrap();
    let open = |file, choice| Engine::open(file, choice, Device::Cpu).unwrap().detector().unwrap();
    let official = ModelFile::read(per_window).unwrap();
    [
        ("native", open(bundled(), EngineChoice::Auto)),
        ("many windows per call", open(bundled(), EngineChoice::Onnx)),
        ("one window per call", open(official, EngineChoice::Auto)),
    ]
}

/// The probabilities if the samples arrive in pieces of these lengths, which are repeated.
fn probabilities(detector: &mut Detector, mut samples: &[f32], pieces: &[usize]) -> Vec<f32> {
    let mut probabilities = Vec::new();
    detector.reset();
    for piece in pieces.iter().cycle() {
        let (now, later) = samples.split_at(samples.len().min(*piece));
        detector.push(now, &mut probabilities).unwrap();
        samples = later;
        if samples.is_empty() {
            break;
        }
    }
    detector.finish(&mut probabilities).unwrap();
    probabilities
}

#[test]
fn both_graphs_have_the_native_engines_probabilities() {
    let Some(onnx) = onnx() else { return };
    let [(_, mut native), others @ ..] = detectors(&onnx);
    let speech = speech();
    assert!(speech.len() > 10 && speech.iter().all(|(_, samples)| samples.len() > 5000));
    for (kind, mut detector) in others {
        let mut largest = 0.0_f32;
        for (name, samples) in &speech {
            let want = probabilities(&mut native, samples, &[samples.len()]);
            assert!(want.iter().any(|probability| *probability > 0.5), "{name} has speech");
            let found = probabilities(&mut detector, samples, &[samples.len()]);
            let difference = largest_difference(&found, &want);
            assert!(difference < BETWEEN_ENGINES, "{kind}, {name}: {difference:e}");
            largest = largest.max(difference);
        }
        println!("{kind}: within {largest:e} of native on {} files", speech.len());
    }
}

#[test]
fn the_size_of_pieces_does_not_change_the_probabilities() {
    let Some(onnx) = onnx() else { return };
    let samples = samples(&fixture("speech/wav_s16_16k_mono.wav"));
    for (kind, mut detector) in detectors(&onnx) {
        let want = probabilities(&mut detector, &samples, &[samples.len()]);
        for pieces in [&[1, 511, 513, 7][..], &[160], &[100_000, 3]] {
            let difference = largest_difference(&probabilities(&mut detector, &samples, pieces), &want);
            assert!(difference < TOLERANCE, "{kind}, {pieces:?}: {difference:e}");
        }
        assert!(probabilities(&mut detector, &[], &[1]).is_empty());
        assert_eq!(probabilities(&mut detector, &[0.0], &[1]).len(), 1);
    }
}

/// In a run, each worker has its own session.
#[test]
fn sessions_work_in_parallel() {
    let Some(_) = onnx() else { return };
    let engine = Engine::open(ModelFile::bundled().unwrap(), EngineChoice::Onnx, Device::Cpu).unwrap();
    let samples = samples(&fixture("speech/wav_s16_16k_mono.wav"));
    let run = || probabilities(&mut engine.detector().unwrap(), &samples, &[16_000]);
    let want = run();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), want);
        }
    });
}
