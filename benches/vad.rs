//! The native engine, at each SIMD level, with several block sizes, and for live audio; and ONNX Runtime with both official
//! graphs, of which one takes many windows per call and the other one window. Measured is the CPU time of 960 windows
//! (30.7 s of audio).
//!
//! `cargo bench --bench vad`. The comparison needs ONNX Runtime's library (see `prepare-audio doctor`). The graph for one
//! window per call is the file `silero_vad.onnx` of the package silero-vad, which PREPARE_AUDIO_SILERO_ONNX names. On a
//! shared machine, times vary by 10% and more, so compare only times of the same run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prepare_audio::vad::{
    Device, Engine, EngineChoice, ModelFile, Parameters, SILERO_16K, Segmenter, SileroDetector, SileroModel, SimdLevel,
    VadError, WINDOW,
};

use self::support::CpuTime;

const WINDOWS: usize = 960;

/// Noise of varying loudness. The engine takes the same time for every signal.
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

/// ONNX Runtime with one thread, as the official package and faster-whisper run it.
fn onnx_runtime(criterion: &mut Criterion<CpuTime>) {
    let per_window = std::env::var_os("PREPARE_AUDIO_SILERO_ONNX")
        .map(|path| ("onnxruntime, one window per call", ModelFile::read(path.as_ref())));
    let batched = ("onnxruntime, many windows per call", ModelFile::bundled());
    let samples = samples();
    let mut probabilities = Vec::with_capacity(WINDOWS);
    let mut group = criterion.benchmark_group("vad");
    group.throughput(Throughput::Elements(WINDOWS as u64)).sample_size(20);
    for (name, file) in std::iter::once(batched).chain(per_window) {
        let open = |file| Engine::open(file, EngineChoice::Onnx, Device::Cpu)?.detector();
        let mut detector = match file.and_then(open) {
            Ok(detector) => detector,
            Err(error) => {
                eprintln!("SKIPPED: {name}: {error}");
                continue;
            }
        };
        group.bench_function(BenchmarkId::new("rival", name), |bencher| {
            bencher.iter(|| -> Result<(), VadError> {
                detector.reset();
                probabilities.clear();
                detector.push(&samples, &mut probabilities)
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
    targets = engine, onnx_runtime, segmenter
}
criterion_main!(benches);
