//! Writes a recording's samples to standard output, as interleaved 32-bit floats, and its properties and the decoding time
//! to standard error, as one line of JSON. `benches/formats.py` compares the samples with ffmpeg's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use prepare_audio::media::{Decoder, DecoderChoice, LocalFile};

fn main() -> anyhow::Result<()> {
    let path =
        PathBuf::from(std::env::args_os().nth(1).context("usage: decode FILE [symphonia|ffmpeg] > samples.f32")?);
    let choice = match std::env::args().nth(2).as_deref() {
        Some("ffmpeg") => DecoderChoice::Ffmpeg,
        Some("symphonia") => DecoderChoice::Symphonia,
        _ => DecoderChoice::Auto,
    };
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut decoder = Decoder::open(&LocalFile::new(path), choice)?;
    let (mut frames, mut writing) = (0, Duration::ZERO);
    let started = Instant::now();
    while let Some(block) = decoder.next_block()? {
        frames += block.samples().len() / block.channels();
        let decoded = Instant::now();
        let bytes: Vec<u8> = block.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
        out.write_all(&bytes)?;
        writing += decoded.elapsed();
    }
    out.flush()?;
    let (info, damage) = (decoder.info(), decoder.damage());
    let facts = serde_json::json!({
        "container": info.container, "codec": info.codec, "rate": info.sample_rate, "channels": info.channels,
        "frames": frames, "seconds": (started.elapsed() - writing).as_secs_f64(),
        "decode_errors": damage.decode_errors, "truncated": damage.truncated,
    });
    eprintln!("{facts}");
    Ok(())
}
