//! The CPU time of RNNoise, resampling to 48 kHz and back included: `cargo bench -p prepare-audio-denoise`. The rate is in
//! samples a second; divided by 16,000 it is the multiple of real time.
#![allow(clippy::expect_used)]

#[path = "../../../benches/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prepare_audio_denoise::{DenoiseModel, SAMPLE_RATE};

use self::support::CpuTime;

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/speech/pauses.wav");

/// Samples of a block, as the pipeline passes them: 4 s.
const BLOCK: usize = 4 * SAMPLE_RATE as usize;

fn rnnoise(criterion: &mut Criterion<CpuTime>) {
    let mut reader = hound::WavReader::open(SPEECH).expect("the fixture");
    let speech = reader.samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0);
    let speech: Vec<f32> = speech.collect::<Vec<_>>().into_iter().cycle().take(10 * BLOCK).collect();
    let mut denoiser = DenoiseModel::rnnoise().denoiser().expect("RNNoise");
    let mut out = Vec::with_capacity(speech.len());
    let mut group = criterion.benchmark_group("denoise");
    group.sample_size(10).throughput(Throughput::Elements(speech.len() as u64));
    group.bench_function("rnnoise", |bencher| {
        bencher.iter(|| {
            out.clear();
            for block in speech.chunks(BLOCK) {
                denoiser.push(block, &mut out).expect("RNNoise");
            }
            denoiser.finish(&mut out).expect("RNNoise");
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = rnnoise
}
criterion_main!(benches);
