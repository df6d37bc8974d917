//! WAV, AIFF and CAF as recorders and telephone systems write them, and samples without a header. The files are built here, byte
//! by byte; expected samples come from the standards (ITU-T G.711, IEEE 754) or from ffmpeg.

#![allow(clippy::unwrap_used)] // a test may panic

use prepare_audio_media::{
    AudioError, Damage, Decoder, DecoderChoice, MemoryInput, OpenOptions, RawFormat, SourceInfo,
};

/// Samples of 16 bits that differ from each other.
fn ramp(count: usize) -> Vec<i16> {
    (0..count).map(|n| (n * 37 % 60_000) as i16).collect()
}

fn le(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn be(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_be_bytes()).collect()
}

fn scaled(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

fn decoded_as(bytes: &[u8], raw: Option<&str>) -> Result<(Vec<f32>, SourceInfo, Damage), AudioError> {
    let raw = raw.map(|text| text.parse::<RawFormat>().unwrap());
    let options = OpenOptions { decoder: DecoderChoice::Symphonia, raw, ..OpenOptions::default() };
    let mut decoder = Decoder::open_with(&MemoryInput::new("recording", bytes), &options)?;
    let mut samples = Vec::new();
    while let Some(block) = decoder.next_block()? {
        samples.extend_from_slice(block.samples());
    }
    Ok((samples, decoder.info().clone(), decoder.damage()))
}

fn decoded(bytes: &[u8]) -> (Vec<f32>, SourceInfo, Damage) {
    decoded_as(bytes, None).unwrap()
}

/// The samples of a recording without damage.
fn samples(bytes: &[u8]) -> Vec<f32> {
    let (samples, _, damage) = decoded(bytes);
    let is_whole =
        damage.decode_errors == 0 && !damage.truncated && damage.gaps.is_empty() && damage.skipped_bytes == 0;
    assert!(is_whole, "{damage:?}");
    samples
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let padding = vec![0; content.len() % 2];
    [&name[..], &(content.len() as u32).to_le_bytes(), content, &padding].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WAVE", &chunks.concat()[..]].concat())
}

/// A format chunk's first 16 bytes, and what follows them.
fn format(tag: u16, channels: u16, bits: u16, block: u16, more: &[u8]) -> Vec<u8> {
    let rate = 8_000u32;
    let fields = [
        &tag.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &bits.to_le_bytes(),
        more,
    ];
    chunk(b"fmt ", &fields.concat())
}

/// What `WAVE_FORMAT_EXTENSIBLE` has beyond that.
fn extension(valid_bits: u16, subformat: u16) -> Vec<u8> {
    let guid = b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71";
    [&[22, 0][..], &valid_bits.to_le_bytes(), &[0; 4], &subformat.to_le_bytes(), guid].concat()
}

fn wav(samples: &[i16]) -> Vec<u8> {
    riff(&[format(1, 1, 16, 2, &[]), chunk(b"data", &le(samples))])
}

/// Codes of G.711 and their values as 16-bit numbers: the smallest and the largest of each sign.
const A_LAW: [(u8, i16); 4] = [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256)];
const MU_LAW: [(u8, i16); 4] = [(0xFF, 0), (0x7F, 0), (0x80, 32_124), (0x00, -32_124)];

/// Exchanges write format chunks of 16, 18 or 20 bytes, with any number of bits.
#[test]
fn g711_has_many_format_chunks() {
    for (tag, codes) in [(6, A_LAW), (7, MU_LAW)] {
        let data = chunk(b"data", &codes.map(|(code, _)| code));
        let want = scaled(&codes.map(|(_, sample)| sample));
        for more in [&[][..], &[0, 0], &[2, 0, 0, 0]] {
            for bits in [8, 16, 0] {
                assert_eq!(
                    samples(&riff(&[format(tag, 1, bits, 1, more), data.clone()])),
                    want,
                    "{tag} {bits} {more:?}"
                );
            }
        }
        for valid_bits in [8, 0, 13] {
            let format = format(0xFFFE, 1, 8, 1, &extension(valid_bits, tag));
            assert_eq!(samples(&riff(&[format, data.clone()])), want, "extensible {tag}");
        }
    }
}

#[test]
fn integers_and_floats_of_all_widths_are_decoded() {
    let floats: Vec<u8> = [0.5f32, -0.25].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let doubles: Vec<u8> = [0.5f64, -0.25].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for (tag, bits, block, more, data) in [
        (1, 8, 1, vec![], vec![0xC0, 0x60]),
        (1, 16, 2, vec![0, 0], vec![0, 0x40, 0, 0xE0]),
        (1, 12, 2, vec![], vec![0, 0x40, 0, 0xE0]),
        (1, 16, 2, vec![2, 0, 0, 0], vec![0, 0x40, 0, 0xE0]),
        (1, 24, 3, vec![], vec![0, 0, 0x40, 0, 0, 0xE0]),
        (1, 32, 4, vec![], vec![0, 0, 0, 0x40, 0, 0, 0, 0xE0]),
        (0xFFFE, 24, 3, extension(20, 1), vec![0, 0, 0x40, 0, 0, 0xE0]),
        (3, 32, 4, vec![0, 0], floats.clone()),
        (0xFFFE, 32, 4, extension(32, 3), floats),
        (3, 64, 8, vec![], doubles),
    ] {
        let bytes = riff(&[format(tag, 1, bits, block, &more), chunk(b"data", &data)]);
        assert_eq!(samples(&bytes), [0.5, -0.25], "{tag:#x} of {bits} bits");
    }
}

/// Microphone arrays have 32 channels and more.
#[test]
fn channels_up_to_64_are_decoded() {
    for channels in [2, 18, 26, 27, 32, 33, 40, 64] {
        let frames = ramp(usize::from(channels) * 3_000);
        let data = chunk(b"data", &le(&frames));
        for format in
            [format(1, channels, 16, 2 * channels, &[]), format(0xFFFE, channels, 16, 2 * channels, &extension(16, 1))]
        {
            let (samples, info, damage) = decoded(&riff(&[format, data.clone()]));
            assert_eq!((info.channels, damage.truncated), (usize::from(channels), false));
            assert!(samples == scaled(&frames), "{channels} channels");
        }
    }
    let error = decoded_as(&riff(&[format(1, 65, 16, 130, &[]), chunk(b"data", &[0; 1_300])]), None).unwrap_err();
    assert!(matches!(error, AudioError::ImplausibleHeader(_)), "{error}");
}

#[test]
fn a_wrong_length_of_the_file_is_ignored() {
    let ramp = ramp(20_000);
    for length in [0, 4, 20, 10_000, 1 << 31, u32::MAX] {
        let mut bytes = wav(&ramp);
        bytes[4..8].copy_from_slice(&u32::to_le_bytes(length));
        assert!(samples(&bytes) == scaled(&ramp), "{length}");
    }
}

/// The recorder updates the header now and then, and the file is read, or the recorder fails, between two updates.
#[test]
fn audio_after_the_declared_end_is_reported() {
    let ramp = ramp(32_000);
    let half = |rest: &[u8]| {
        let mut bytes = [wav(&ramp[..16_000]), rest.to_vec()].concat();
        let (samples, _, damage) = decoded(&bytes);
        assert!(samples == scaled(&ramp[..16_000]) && !damage.truncated);
        // The length of the whole file may be that of the header or right.
        let len = (bytes.len() - 8) as u32;
        bytes[4..8].copy_from_slice(&len.to_le_bytes());
        assert_eq!(decoded(&bytes).2, damage);
        damage.skipped_bytes
    };
    assert_eq!(half(&le(&ramp[16_000..])), 32_000);
    assert_eq!(half(&chunk(b"data", &le(&ramp[16_000..]))), 32_000, "a second chunk");
    assert_eq!(half(&chunk(b"LIST", &[b'x'; 50_000])), 0, "not audio");
    assert_eq!(half(&[0; 50_000]), 0, "padding");
    assert_eq!(half(&[b'T'; 128]), 0, "a tag");
}

#[test]
fn a_file_that_ends_early_is_truncated() {
    let ramp = ramp(20_000);
    let bytes = wav(&ramp);
    let (samples, _, damage) = decoded(&bytes[..44 + 10_001]);
    assert!(samples == scaled(&ramp[..5_000]) && damage.truncated);
}

/// Chunks of odd length are followed by a byte, which some writers leave out.
#[test]
fn chunks_of_odd_length_are_skipped() {
    let ramp = ramp(1_000);
    let data = chunk(b"data", &le(&ramp));
    for list in [&b"LIST\x07\0\0\0INFOabc\0"[..], b"LIST\x07\0\0\0INFOabc"] {
        let chunks = [format(1, 1, 16, 2, &[]), list.to_vec(), data.clone()];
        assert!(samples(&riff(&chunks)) == scaled(&ramp), "{list:?}");
    }
    let odd = chunk(b"data", &le(&ramp)[..1_999]);
    assert!(samples(&riff(&[format(1, 1, 16, 2, &[]), odd])) == scaled(&ramp[..999]));
    let last = chunk(b"data", &le(&ramp));
    assert!(samples(&riff(&[last, format(1, 1, 16, 2, &[])])) == scaled(&ramp), "the format comes last");
}

/// RF64 and BW64 keep the data's length in `ds64`.
#[test]
fn wav_of_more_than_4_gb_is_decoded() {
    let ramp = ramp(3_000);
    for name in [b"RF64", b"BW64"] {
        let file = |size: u64, after: &[u8]| {
            let long = [0u64, size, 0].map(u64::to_le_bytes).concat();
            let chunks = [chunk(b"ds64", &[&long[..], &[0; 4]].concat()), format(1, 1, 16, 2, &[])].concat();
            [&name[..], &[0xFF; 4], b"WAVE", &chunks, b"data", &[0xFF; 4], &le(&ramp), after].concat()
        };
        assert!(samples(&file(6_000, b"")) == scaled(&ramp));
        assert!(samples(&file(6_000, &chunk(b"LIST", &[1; 9_000]))) == scaled(&ramp));
        assert!(samples(&file(0, b"")) == scaled(&ramp), "not updated");
        let (cut, _, damage) = decoded(&file(60_000, b""));
        assert!(cut == scaled(&ramp) && damage.truncated);
    }
}

#[test]
fn big_endian_wav_is_decoded() {
    let ramp = ramp(1_000);
    let format = [0, 1, 0, 1, 0, 0, 0x1F, 0x40, 0, 0, 0x3E, 0x80, 0, 2, 0, 16];
    let data = be(&ramp);
    let head = [&b"RIFX\0\0\x08\0WAVEfmt \0\0\0\x10"[..], &format, b"data\0\0\x07\xD0", &data].concat();
    assert!(samples(&head) == scaled(&ramp));
}

#[test]
fn codecs_that_only_ffmpeg_decodes_are_named() {
    for (tag, bits, name) in [(0x31, 0, "GSM 6.10"), (0x55, 0, "MP3"), (1, 64, "PCM of 64 bits"), (0x1234, 8, "0x1234")]
    {
        let error = decoded_as(&riff(&[format(tag, 1, bits, 8, &[]), chunk(b"data", &[0; 800])]), None).unwrap_err();
        let AudioError::UnsupportedCodec { codec, .. } = error else { panic!("{error}") };
        assert!(codec.contains(name), "{codec}");
    }
}

/// An AIFF file of 8 kHz. `form` and `sound` are the lengths in the headers, without which they are right.
fn aiff(compression: &[u8; 4], bits: u16, data: &[u8], frames: u32, form: Option<u32>, sound: Option<u32>) -> Vec<u8> {
    let rate = [0x40, 0x0B, 0xFA, 0, 0, 0, 0, 0, 0, 0]; // 8000 = 0xFA00 / 2^3
    let mut common = [&[0, 1][..], &frames.to_be_bytes(), &bits.to_be_bytes(), &rate].concat();
    if compression != b"NONE" {
        common.extend([&compression[..], &[0, 0]].concat());
    }
    let kind = if compression == b"NONE" { b"AIFF" } else { b"AIFC" };
    let common = [b"COMM", &(common.len() as u32).to_be_bytes()[..], &common].concat();
    let sound = sound.unwrap_or(data.len() as u32 + 8);
    let sound = [b"SSND", &sound.to_be_bytes()[..], &[0; 8], data].concat();
    let form = form.unwrap_or((4 + common.len() + sound.len()) as u32);
    [b"FORM", &form.to_be_bytes()[..], kind, &common, &sound].concat()
}

#[test]
fn aiff_of_all_compressions_is_decoded() {
    for (compression, bits, data) in [
        (b"NONE", 8, vec![0x40, 0xE0]),
        (b"NONE", 16, vec![0x40, 0, 0xE0, 0]),
        (b"NONE", 24, vec![0x40, 0, 0, 0xE0, 0, 0]),
        (b"NONE", 32, vec![0x40, 0, 0, 0, 0xE0, 0, 0, 0]),
        (b"sowt", 16, vec![0, 0x40, 0, 0xE0]),
        (b"raw ", 8, vec![0xC0, 0x60]),
        (b"fl32", 32, [0.5f32, -0.25].iter().flat_map(|sample| sample.to_be_bytes()).collect()),
        (b"FL64", 64, [0.5f64, -0.25].iter().flat_map(|sample| sample.to_be_bytes()).collect()),
    ] {
        let (samples, info, _) = decoded(&aiff(compression, bits, &data, 2, None, None));
        assert_eq!((samples.as_slice(), info.sample_rate), (&[0.5, -0.25][..], 8_000), "{compression:?} {bits}");
    }
    for (compression, codes) in [(b"alaw", A_LAW), (b"ulaw", MU_LAW)] {
        let bytes = aiff(compression, 8, &codes.map(|(code, _)| code), 4, None, None);
        assert_eq!(samples(&bytes), scaled(&codes.map(|(_, sample)| sample)));
    }
}

#[test]
fn aiff_with_a_chunk_longer_than_its_parent_is_decoded() {
    let ramp = ramp(20_000);
    let file = |frames, form, sound| aiff(b"NONE", 16, &be(&ramp), frames, form, sound);
    for (form, sound) in [
        (Some(1_000), None),
        (Some(0), None),
        (None, Some(90_000)),
        (Some(50), Some(90_000)),
        (None, Some(0x7F00_0008)),
    ] {
        assert!(samples(&file(20_000, form, sound)) == scaled(&ramp), "{form:?} {sound:?}");
    }
    let (cut, _, damage) = decoded(&file(30_000, None, Some(60_008)));
    assert!(cut == scaled(&ramp) && damage.truncated);
}

fn caf(codec: &[u8; 4], flags: u32, frame: u32, bits: u32, data: &[u8], size: i64) -> Vec<u8> {
    let fields = [flags, frame, 1, 1, bits].map(u32::to_be_bytes).concat();
    let description = [&8_000f64.to_be_bytes()[..], codec, &fields].concat();
    let head = [b"caff\0\x01\0\0desc", &32i64.to_be_bytes()[..], &description].concat();
    [&head[..], b"data", &size.to_be_bytes(), &[0; 4], data].concat()
}

/// The data of CAF may have the length -1, which means "until the end of the file".
#[test]
fn caf_of_g711_and_of_unknown_length_is_decoded() {
    for (codec, codes) in [(b"alaw", A_LAW), (b"ulaw", MU_LAW)] {
        for size in [8, -1] {
            let bytes = caf(codec, 0, 1, 8, &codes.map(|(code, _)| code), size);
            assert_eq!(samples(&bytes), scaled(&codes.map(|(_, sample)| sample)), "{size}");
        }
    }
    let ramp = ramp(20_000);
    for size in [40_004, -1] {
        assert!(samples(&caf(b"lpcm", 0, 2, 16, &be(&ramp), size)) == scaled(&ramp), "{size}");
    }
    let (cut, _, damage) = decoded(&caf(b"lpcm", 0, 2, 16, &be(&ramp), 80_004));
    assert!(cut == scaled(&ramp) && damage.truncated);
}

#[test]
fn samples_without_a_header_are_decoded_as_named() {
    for (raw, data) in [
        ("u8:8000:1", vec![0xC0, 0x60]),
        ("s8:8000:1", vec![0x40, 0xE0]),
        ("s16le:16000:1", vec![0, 0x40, 0, 0xE0]),
        ("s16be:16000:1", vec![0x40, 0, 0xE0, 0]),
        ("s24le:48000:1", vec![0, 0, 0x40, 0, 0, 0xE0]),
        ("s24be:48000:1", vec![0x40, 0, 0, 0xE0, 0, 0]),
        ("s32le:48000:1", vec![0, 0, 0, 0x40, 0, 0, 0, 0xE0]),
        ("s32be:48000:1", vec![0x40, 0, 0, 0, 0xE0, 0, 0, 0]),
        ("f32le:44100:1", [0.5f32, -0.25].iter().flat_map(|sample| sample.to_le_bytes()).collect()),
        ("f32be:44100:1", [0.5f32, -0.25].iter().flat_map(|sample| sample.to_be_bytes()).collect()),
        ("f64le:44100:1", [0.5f64, -0.25].iter().flat_map(|sample| sample.to_le_bytes()).collect()),
        ("f64be:44100:1", [0.5f64, -0.25].iter().flat_map(|sample| sample.to_be_bytes()).collect()),
    ] {
        let (samples, info, damage) = decoded_as(&data, Some(raw)).unwrap();
        let rate = raw.split(':').nth(1).and_then(|rate| rate.parse().ok());
        assert_eq!((samples.as_slice(), Some(info.sample_rate)), (&[0.5, -0.25][..], rate), "{raw}");
        assert_eq!((info.container.as_str(), damage.truncated), ("raw", false));
    }
    for (raw, codes) in [("alaw:8000:2", A_LAW), ("ulaw:8000:2", MU_LAW), ("mulaw:8000:2", MU_LAW)] {
        let (samples, info, _) = decoded_as(&codes.map(|(code, _)| code), Some(raw)).unwrap();
        assert_eq!((samples, info.channels), (scaled(&codes.map(|(_, sample)| sample)), 2), "{raw}");
    }
    let ramp = ramp(1_001);
    let (pairs, ..) = decoded_as(&le(&ramp), Some("s16le:8000:2")).unwrap();
    assert!(pairs == scaled(&ramp[..1_000]), "an incomplete frame at the end is ignored");
    assert!(matches!(decoded_as(&[1], Some("s16le:8000:1")), Err(AudioError::NoSamples)));
    assert!(decoded_as(&le(&ramp), None).is_err(), "without a format it is not recognised");
}

/// Files that have a header keep it, so that a folder may hold both kinds.
#[test]
fn a_header_goes_before_the_named_format() {
    let ramp = ramp(1_000);
    let (samples, info, _) = decoded_as(&wav(&ramp), Some("ulaw:48000:2")).unwrap();
    assert!(samples == scaled(&ramp));
    assert_eq!((info.container.as_str(), info.sample_rate), ("wave", 8_000));
}

/// Random bytes, and the samples of 12 bits that ffmpeg 5.1 decodes from them (`adpcm_ima_oki`).
#[test]
fn vox_is_decoded_as_ffmpeg_does() {
    let bytes = [
        165, 77, 202, 24, 37, 48, 187, 29, 109, 19, 44, 222, 214, 35, 123, 46, 217, 30, 63, 114, 31, 203, 25, 113, 23,
        68, 148, 214, 73, 60, 157, 92,
    ];
    let want: [i16; 64] = [
        -10, 12, 37, -1, -47, -78, -62, -67, -44, 2, 45, 50, 15, -17, -5, -47, 26, -84, -40, 53, 113, 14, -133, -388,
        -771, -108, 344, 919, 2040, 919, 1647, -75, -2048, -2048, -1519, -2048, -690, -2048, 862, 1832, 2047, -356,
        -2048, -2048, -1519, -1999, 187, 769, 1298, 2047, 2047, 2047, 1465, 2047, -87, 2047, 2047, 1465, 2047, 605, 23,
        -1917, 217, -1529,
    ];
    let want: Vec<f32> = want.iter().map(|sample| f32::from(*sample) / 2_048.0).collect();
    let (samples, info, _) = decoded_as(&bytes, Some("vox:8000:1")).unwrap();
    assert_eq!((samples.as_slice(), info.codec.as_str()), (&want[..], "adpcm_ima_oki"));
    for tag in [0x10, 0x17] {
        assert_eq!(self::samples(&riff(&[format(tag, 1, 4, 1, &[0, 0]), chunk(b"data", &bytes)])), want);
    }
}
