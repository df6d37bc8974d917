//! The native engine: each SIMD level, block sizes, and live use, beside its rivals in the same run: ONNX Runtime on the
//! official graphs, the one that takes many windows a call and the one that takes one. Processor time of 960 windows
//! (30.7 s of audio).
//!
//! `cargo bench --bench vad`. The rivals need ONNX Runtime's library (see `prepare-audio doctor`), and the per-window graph
//! the file `silero_vad.onnx` of the package silero-vad, named by PREPARE_AUDIO_SILERO_ONNX. A shared machine's times move by 10% and more: compare only within one run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prepare_audio::vad::{
    Device, Engine, EngineChoice, ModelFile, Parameters, SILERO_16K, Segmenter, SileroDetector, SileroModel, SimdLevel,
    VadError, WINDOW,
};

use self::support::CpuTime;

const WINDOWS: usize = 960;

/// Noise that swells and fades; the engine takes the same time for any signal.
fn samples() -> Vec<f32> {
    let mut seed = 1_u32;
    let sample = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f32::from((seed >> 16) as u16) / 32_768.0 - 1.0;
        noise * (n % 8000) as f32 / 8000.0
    };
    (0..WINDOWS * WINDOW).map(sample).collect()
}

fn engine(criterion: &mut Criterion<CpuTime>) {
    let model = SileroModel::bundled().expect("the bundled model");
    let samples = samples();
    let mut probabilities = Vec::with_capacity(WINDOWS);
    let mut group = criterion.benchmark_group("vad");
    group.throughput(Throughput::Elements(WINDOWS as u64));
    let mut run = |name: BenchmarkId, level: SimdLevel, block: usize, piece: usize| {
        let mut detector = SileroDetector::with_block(&model, level, block).expect("available");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                detector.reset();
                probabilities.clear();
                for piece in samples.chunks(piece) {
                    detector.push(piece, &mut probabilities);
                }
            });
        });
    };
    for level in SimdLevel::available() {
        run(BenchmarkId::new("level", level), level, SileroDetector::BLOCK, samples.len());
    }
    let best = SimdLevel::detect();
    for block in [1, 4, 16, 48, 96, 192] {
        run(BenchmarkId::new("block", block), best, block, samples.len());
    }
    run(BenchmarkId::new("live", "10 ms pieces"), best, 1, 160);
}

/// ONNX Runtime on one thread, as the official package and faster-whisper run it.
fn rivals(criterion: &mut Criterion<CpuTime>) {
    let per_window = std::env::var_os("PREPARE_AUDIO_SILERO_ONNX")
        .map(|path| ("onnxruntime, one window a call", ModelFile::read(path.as_ref())));
    let batched = ("onnxruntime, many windows a call", ModelFile::bundled());
    let samples = samples();
    let mut probabilities = Vec::with_capacity(WINDOWS);
    let mut group = criterion.benchmark_group("vad");
    group.throughput(Throughput::Elements(WINDOWS as u64)).sample_size(20);
    for (name, file) in std::iter::once(batched).chain(per_window) {
        let open = |file| Engine::open(file, EngineChoice::Onnx, Device::Cpu)?.detector();
        let mut listener = match file.and_then(open) {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("LEFT OUT: {name}: {error}");
                continue;
            }
        };
        group.bench_function(BenchmarkId::new("rival", name), |bencher| {
            bencher.iter(|| -> Result<(), VadError> {
                listener.reset();
                probabilities.clear();
                listener.push(&samples, &mut probabilities)
            });
        });
    }
}

fn segmenter(criterion: &mut Criterion<CpuTime>) {
    let probabilities: Vec<f32> = (0..WINDOWS).map(|n| (n * n % 97) as f32 / 97.0).collect();
    let mut segments = Vec::new();
    let mut group = criterion.benchmark_group("segmenter");
    group.throughput(Throughput::Elements(WINDOWS as u64));
    group.bench_function("defaults", |bencher| {
        bencher.iter(|| {
            segments.clear();
            let mut segmenter = Segmenter::new(&Parameters::default(), SILERO_16K).expect("valid");
            for probability in &probabilities {
                segmenter.push(*probability, &mut segments);
            }
            segmenter.finish((WINDOWS * WINDOW) as u64, &mut segments);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = engine, rivals, segmenter
}
criterion_main!(benches);
