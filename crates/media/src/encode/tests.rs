use super::*;

fn file(folder: &Path, name: &str) -> File {
    File::options().read(true).write(true).create_new(true).open(folder.join(name)).unwrap()
}

fn samples(count: i32) -> Vec<i32> {
    (0..count).map(|n| ((f64::from(n) * 0.17).sin() * 8_000.0) as i32 + n % 7).collect()
}

fn write(spec: &SegmentSpec, samples: &[i32]) -> (tempfile::TempDir, std::path::PathBuf, WrittenFile) {
    let folder = tempfile::tempdir().unwrap();
    let channels = usize::from(spec.channels);
    let frames = (samples.len() / channels) as u64;
    let blocks = samples.chunks(999 * channels).map(|block| Ok(Cow::Borrowed(block)));
    let written = write_segment(file(folder.path(), "a"), spec, frames, blocks).unwrap();
    let path = folder.path().join("a");
    assert_eq!(written, hash_file(&path).unwrap());
    (folder, path, written)
}

#[test]
fn wav_is_read_back_and_its_hash_is_right() {
    let samples = samples(40_000);
    for (bits, channels, bytes) in [(16, 1, 44 + 80_000), (16, 2, 44 + 80_000), (24, 2, 68 + 120_000)] {
        let spec = SegmentSpec { rate: 44_100, channels, bits, ..SegmentSpec::analysis(SegmentFormat::Wav, None) };
        let (_folder, path, written) = write(&spec, &samples);
        let mut reader = hound::WavReader::open(&path).unwrap();
        let found = reader.spec();
        assert_eq!((found.channels, found.sample_rate, found.bits_per_sample), (channels, 44_100, bits as u16));
        assert_eq!(reader.samples::<i32>().map(Result::unwrap).collect::<Vec<_>>(), samples);
        assert_eq!((written.bytes, written.sha256.len()), (bytes, 64));
    }
}

/// The rate, channels and samples that symphonia, an independent implementation, decodes.
fn decoded(path: &Path) -> (u32, usize, Vec<f32>) {
    let mut decoder = crate::Decoder::open(&crate::LocalFile::new(path), crate::DecoderChoice::Symphonia).unwrap();
    let (mut rate, mut channels, mut samples) = (0, 0, Vec::new());
    while let Some(block) = decoder.next_block().unwrap() {
        (rate, channels) = (block.rate, block.channels());
        samples.extend_from_slice(block.samples());
    }
    let damage = decoder.damage();
    assert!(damage.decode_errors == 0 && !damage.truncated && damage.gaps.is_empty(), "{damage:?}");
    (rate, channels, samples)
}

#[test]
fn flac_holds_the_same_samples() {
    for (rate, channels, bits, count) in
        [(16_000, 1, 16, 16_001), (44_100, 2, 24, 40_000), (48_000, 6, 16, 600), (96_000, 1, 16, 1)]
    {
        let samples = samples(count);
        let spec =
            SegmentSpec { rate, channels: channels as u16, bits, ..SegmentSpec::analysis(SegmentFormat::Flac, None) };
        let (_folder, path, written) = write(&spec, &samples);
        let scale = 1.0 / (1i64 << (bits - 1)) as f32;
        let want: Vec<f32> = samples.iter().map(|&sample| sample as f32 * scale).collect();
        assert_eq!(decoded(&path), (rate, channels, want));
        assert!(count < 1_000 || written.bytes < samples.len() as u64 * u64::from(bits / 8));
    }
}

#[test]
fn opus_holds_as_many_samples_and_similar_ones() {
    for (rate, channels, frames) in [(16_000, 1, 16_001), (48_000, 2, 30_000), (24_000, 1, 1), (8_000, 1, 8_000)] {
        let samples = samples(frames * channels as i32);
        let spec = SegmentSpec { rate, channels: channels as u16, ..SegmentSpec::analysis(SegmentFormat::Opus, None) };
        let (_folder, path, _) = write(&spec, &samples);
        let (found_rate, found_channels, found) = decoded(&path);
        let step = 48_000 / rate as usize;
        assert_eq!((found_rate, found_channels, found.len()), (48_000, channels, samples.len() * step), "{rate} Hz");
        let energy = |of: &dyn Fn(usize) -> f64| (0..samples.len() / channels).map(|n| of(n).powi(2)).sum::<f64>();
        let want = |n: usize| f64::from(samples[n * channels]) / 32_768.0;
        let error = |n: usize| f64::from(found[n * step * channels]) - want(n);
        if frames > 1_000 {
            let snr = 10.0 * (energy(&want) / energy(&error)).log10();
            assert!(snr > 15.0, "{rate} Hz: {snr:.1} dB");
        }
    }
}

#[test]
fn unsupported_samples_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format, channels, rate) in [
        ("a", SegmentFormat::Opus, 3, 48_000),
        ("b", SegmentFormat::Opus, 1, 44_100),
        ("c", SegmentFormat::Flac, 9, 48_000),
        ("d", SegmentFormat::Wav, 1, 16_000),
    ] {
        let spec = SegmentSpec { rate, channels, ..SegmentSpec::analysis(format, None) };
        let blocks = std::iter::empty::<io::Result<Cow<'_, [i16]>>>();
        let frames = if format == SegmentFormat::Wav { 1 << 31 } else { 0 };
        let error = write_segment(file(folder.path(), name), &spec, frames, blocks).unwrap_err();
        assert!(matches!(error, EncodeError::Unsupported(_)), "{error}");
    }
}
