//! The native engine: each SIMD level, block sizes, and live use. Processor time of 960 windows (30.7 s of audio).
//!
//! `cargo bench --bench vad`. A shared machine's times move by 10% and more: compare only within one run.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prepare_audio::vad::{Detector, Model, Parameters, Segmenter, SimdLevel, WINDOW};

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
    let model = Model::bundled().expect("the bundled model");
    let samples = samples();
    let mut probabilities = Vec::with_capacity(WINDOWS);
    let mut group = criterion.benchmark_group("vad");
    group.throughput(Throughput::Elements(WINDOWS as u64));
    let mut run = |name: BenchmarkId, level: SimdLevel, block: usize, piece: usize| {
        let mut detector = Detector::with_block(&model, level, block).expect("available");
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
        run(BenchmarkId::new("level", level), level, Detector::BLOCK, samples.len());
    }
    let best = SimdLevel::detect();
    for block in [1, 4, 16, 48, 96, 192] {
        run(BenchmarkId::new("block", block), best, block, samples.len());
    }
    run(BenchmarkId::new("live", "10 ms pieces"), best, 1, 160);
}

fn segmenter(criterion: &mut Criterion<CpuTime>) {
    let probabilities: Vec<f32> = (0..WINDOWS).map(|n| (n * n % 97) as f32 / 97.0).collect();
    let mut segments = Vec::new();
    let mut group = criterion.benchmark_group("segmenter");
    group.throughput(Throughput::Elements(WINDOWS as u64));
    group.bench_function("defaults", |bencher| {
        bencher.iter(|| {
            segments.clear();
            let mut segmenter = Segmenter::new(&Parameters::default()).expect("valid");
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
    targets = engine, segmenter
}
criterion_main!(benches);
