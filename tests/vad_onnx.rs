//! ONNX Runtime as the engine: the native engine's probabilities, from both kinds of graph.

mod support;

use std::path::Path;

use prepare_audio::{
    audio::{PcmStream, Sound, Wanted},
    vad::{Device, Engine, EngineChoice, Listener, ModelFile},
};

use support::{
    desk::fixture,
    onnx::{Onnx, onnx},
};

/// How far the engines may be from each other.
const TOLERANCE: f32 = 1e-5;

/// How far two engines may be apart on any audio. Against the same graph in 64-bit floating point, ONNX Runtime was up to
/// 9.7e-6 off on these files and the native engine up to 8.1e-6, each in its own direction: the pauses of lossy formats
/// hold next to nothing, and there the model magnifies what rounding leaves.
const BETWEEN_ENGINES: f32 = 2e-5;

/// Every fixture with speech in it, with its samples at 16 kHz.
fn speech() -> Vec<(String, Vec<f32>)> {
    let files = walkdir::WalkDir::new(fixture("speech")).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().display().to_string(), samples(entry.path()))).collect()
}

fn samples(path: &Path) -> Vec<f32> {
    let mut stream = PcmStream::open(path, Default::default(), Wanted::default()).unwrap();
    let mut sound = Sound::default();
    while stream.fill(&mut sound, usize::MAX).unwrap() {}
    sound.ears.remove(0)
}

/// The native engine, and ONNX Runtime with the graph of many windows a call and with that of one.
fn listeners(Onnx { per_window, .. }: &Onnx) -> [(&'static str, Listener); 3] {
    let bundled = || ModelFile::bundled().unwrap();
    let open = |file, choice| Engine::open(file, choice, Device::Cpu).unwrap().listener().unwrap();
    let official = ModelFile::read(per_window).unwrap();
    [
        ("native", open(bundled(), EngineChoice::Auto)),
        ("many windows a call", open(bundled(), EngineChoice::Onnx)),
        ("a window a call", open(official, EngineChoice::Auto)),
    ]
}

/// What is heard when the samples come in pieces of such lengths, by turns.
fn hear(listener: &mut Listener, mut samples: &[f32], pieces: &[usize]) -> Vec<f32> {
    let mut probabilities = Vec::new();
    listener.reset();
    for piece in pieces.iter().cycle() {
        let (now, later) = samples.split_at(samples.len().min(*piece));
        listener.push(now, &mut probabilities).unwrap();
        samples = later;
        if samples.is_empty() {
            break;
        }
    }
    listener.finish(&mut probabilities).unwrap();
    probabilities
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn both_graphs_give_the_native_engines_probabilities() {
    let Some(onnx) = onnx() else { return };
    let [(_, mut native), others @ ..] = listeners(&onnx);
    let speech = speech();
    assert!(speech.len() > 10 && speech.iter().all(|(_, samples)| samples.len() > 5000));
    for (kind, mut listener) in others {
        let mut largest = 0.0_f32;
        for (name, samples) in &speech {
            let want = hear(&mut native, samples, &[samples.len()]);
            assert!(want.iter().any(|probability| *probability > 0.5), "{name} holds speech");
            let difference = largest_difference(&hear(&mut listener, samples, &[samples.len()]), &want);
            assert!(difference < BETWEEN_ENGINES, "{kind}, {name}: {difference:e}");
            largest = largest.max(difference);
        }
        println!("{kind}: within {largest:e} of native on {} files", speech.len());
    }
}

#[test]
fn pieces_make_no_difference() {
    let Some(onnx) = onnx() else { return };
    let samples = samples(&fixture("speech/wav_s16_16k_mono.wav"));
    for (kind, mut listener) in listeners(&onnx) {
        let want = hear(&mut listener, &samples, &[samples.len()]);
        for pieces in [&[1, 511, 513, 7][..], &[160], &[100_000, 3]] {
            let difference = largest_difference(&hear(&mut listener, &samples, pieces), &want);
            assert!(difference < TOLERANCE, "{kind}, {pieces:?}: {difference:e}");
        }
        assert!(hear(&mut listener, &[], &[1]).is_empty());
        assert_eq!(hear(&mut listener, &[0.0], &[1]).len(), 1);
    }
}

/// As in a run, where each worker has a session of its own.
#[test]
fn sessions_work_side_by_side() {
    let Some(_) = onnx() else { return };
    let engine = Engine::open(ModelFile::bundled().unwrap(), EngineChoice::Onnx, Device::Cpu).unwrap();
    let samples = samples(&fixture("speech/wav_s16_16k_mono.wav"));
    let want = hear(&mut engine.listener().unwrap(), &samples, &[16_000]);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| hear(&mut engine.listener().unwrap(), &samples, &[16_000]))).collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), want);
        }
    });
}
