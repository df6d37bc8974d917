//! Whole, damaged and chained files. Expected positions are those of the undamaged file.

use std::{io::Cursor, path::Path};

use symphonia::core::{
    codecs::audio::{AudioCodecParameters, AudioDecoder, well_known::CODEC_ID_OPUS},
    errors::Error,
    formats::{FormatOptions, FormatReader},
    io::MediaSourceStream,
};

use super::{OggReader, page::Page};
use crate::decode::codecs::make_decoder;

const FILES: [&str; 8] = [
    "speech/vorbis_44k1_stereo.ogg",
    "speech/opus_48k_mono.opus",
    "speech/name with spaces, übung 音声.ogg",
    "formats/chained_vorbis.ogg",
    "formats/flac_in_ogg.oga",
    "formats/opus_5.1.opus",
    "formats/opus_voice_note_60ms.ogg",
    "formats/vorbis_5.1.ogg",
];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

fn stream(bytes: &[u8]) -> MediaSourceStream<'static> {
    MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default())
}

fn ours(bytes: &[u8]) -> OggReader<'static> {
    OggReader::try_new(stream(bytes), FormatOptions::default()).unwrap()
}

fn params(reader: &dyn FormatReader) -> AudioCodecParameters {
    reader.tracks().last().unwrap().codec_params.as_ref().unwrap().audio().unwrap().clone()
}

/// The samples of all parts, and the position of each packet that has some.
#[derive(Default, PartialEq)]
struct Decoded {
    samples: Vec<Vec<f32>>,
    /// Part, position, and the number of the first sample in the part, in frames.
    places: Vec<(usize, i64, usize)>,
    is_whole: bool,
}

fn decode(reader: &mut dyn FormatReader) -> Decoded {
    let mut decoded = Decoded { samples: vec![Vec::new()], ..Decoded::default() };
    let decoder = |reader: &dyn FormatReader| make_decoder(&params(reader), "ogg").unwrap();
    let mut current: Box<dyn AudioDecoder> = decoder(reader);
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => {
                let part = decoded.samples.len() - 1;
                let Ok(buffer) = current.decode(&packet) else { continue };
                let channels = buffer.spec().channels().count();
                let mut samples = vec![0.0; buffer.samples_interleaved()];
                buffer.copy_to_slice_interleaved(&mut samples);
                if !samples.is_empty() {
                    decoded.places.push((part, packet.pts.get(), decoded.samples[part].len() / channels));
                    assert_eq!(samples.len() as u64 / channels as u64, packet.dur.get());
                }
                decoded.samples[part].extend(samples);
            }
            Ok(None) => {
                decoded.is_whole = true;
                return decoded;
            }
            Err(Error::ResetRequired) => {
                decoded.samples.push(Vec::new());
                current = decoder(reader);
            }
            Err(_) => return decoded,
        }
    }
}

#[test]
fn undamaged_files_decode_as_with_symphonia() {
    for name in FILES {
        let bytes = fixture(name);
        let mut ours = ours(&bytes);
        let mut theirs =
            symphonia::default::formats::OggReader::try_new(stream(&bytes), FormatOptions::default()).unwrap();
        let (a, b) = (params(&ours), params(&theirs));
        assert_eq!((a.codec, a.extra_data, a.channels), (b.codec, b.extra_data, b.channels), "{name}");
        assert_eq!((a.sample_rate, a.bits_per_sample), (b.sample_rate, b.bits_per_sample), "{name}");
        if !name.contains("chained") {
            assert_eq!(ours.tracks()[0].num_frames, theirs.tracks()[0].num_frames, "{name}");
        }
        let mut theirs = Decoded { places: Vec::new(), ..decode_theirs(&mut theirs) };
        let mut ours = decode(&mut ours);
        let start = ours.places[0].1;
        assert!(ours.places.iter().all(|&(_, pts, frames)| pts == frames as i64 + start), "{name}");
        ours.places.clear();
        assert!(theirs.is_whole && ours == theirs, "{name}");
        theirs.samples.clear();
    }
}

/// Decodes with symphonia's reader, whose packet durations do not always match the samples.
fn decode_theirs(reader: &mut dyn FormatReader) -> Decoded {
    let mut decoded = Decoded { samples: vec![Vec::new()], ..Decoded::default() };
    let mut current = make_decoder(&params(reader), "ogg").unwrap();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => {
                let Ok(buffer) = current.decode(&packet) else { continue };
                let mut samples = vec![0.0; buffer.samples_interleaved()];
                buffer.copy_to_slice_interleaved(&mut samples);
                decoded.samples.last_mut().unwrap().extend(samples);
            }
            Ok(None) => return Decoded { is_whole: true, ..decoded },
            Err(Error::ResetRequired) => {
                decoded.samples.push(Vec::new());
                current = make_decoder(&params(reader), "ogg").unwrap();
            }
            Err(_) => return decoded,
        }
    }
}

/// The pages of a file, each as it is.
fn pages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (_, len) = Page::read(&bytes[at..]).unwrap();
        pages.push(bytes[at..at + len].to_vec());
        at += len;
    }
    pages
}

/// The same packets on pages of few segments, as in live streams: packets span pages.
fn repaged(bytes: &[u8], segments: usize) -> Vec<u8> {
    let (mut out, mut sequence) = (Vec::new(), 0);
    for page in pages(bytes) {
        let (page, _) = Page::read(&page).unwrap();
        let (mut body, mut is_continued) = (&page.body[..], page.is_continued);
        let chunks: Vec<&[u8]> = page.segments.chunks(segments).collect();
        for (n, chunk) in chunks.iter().enumerate() {
            let is_end = n + 1 == chunks.len();
            let len = chunk.iter().map(|&len| usize::from(len)).sum();
            let (part, rest) = body.split_at(len);
            body = rest;
            let mut next = page.clone();
            next.is_continued = is_continued;
            (next.is_first, next.is_last) = (page.is_first && n == 0, page.is_last && is_end);
            next.sequence = sequence;
            sequence += 1;
            (next.segments, next.body) = (chunk.to_vec(), part.to_vec());
            is_continued = *chunk.last().unwrap() == 255;
            out.extend(written(&next));
        }
    }
    out
}

fn written(page: &Page) -> Vec<u8> {
    let flags = u8::from(page.is_continued) | u8::from(page.is_first) << 1 | u8::from(page.is_last) << 2;
    let mut bytes = [b"OggS\0", &[flags][..]].concat();
    bytes.extend(page.granule.unwrap_or(-1).to_le_bytes());
    bytes.extend(page.serial.to_le_bytes());
    bytes.extend(page.sequence.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.push(page.segments.len() as u8);
    bytes.extend(&page.segments);
    bytes.extend(&page.body);
    let sum = super::page::checksum(&bytes).to_le_bytes();
    bytes[22..26].copy_from_slice(&sum);
    bytes
}

/// The file with `segments` segments on a page, and matching granule positions.
fn split(name: &str, segments: usize) -> Vec<u8> {
    let bytes = fixture(name);
    let packets = packets(&bytes);
    let start = packets[0].0;
    let ends: Vec<i64> = packets.iter().map(|(pts, frames, _)| pts + *frames as i64 - start).collect();
    let mut count = 0;
    let pages = pages(&repaged(&bytes, segments));
    let split = pages.iter().flat_map(|page| {
        let (mut page, _) = Page::read(page).unwrap();
        if page.granule != Some(0) {
            count += page.segments.iter().filter(|&&len| len < 255).count();
            page.granule = page.segments.iter().any(|&len| len < 255).then(|| ends[count.min(ends.len()) - 1]);
        }
        written(&page)
    });
    split.collect()
}

/// Position, frames and bytes of each packet of the first part.
fn packets(bytes: &[u8]) -> Vec<(i64, u64, Vec<u8>)> {
    let mut reader = ours(bytes);
    std::iter::from_fn(|| reader.next_packet().ok().flatten())
        .map(|packet| (packet.pts.get(), packet.dur.get(), packet.data.to_vec()))
        .collect()
}

/// Positions after damage are those of the undamaged file: checked by the samples of Vorbis and FLAC, and by the packets of
/// Opus, whose decoder needs a few packets to converge to the same samples.
#[test]
fn positions_after_damage_are_kept() {
    let mut random = fastrand::Rng::with_seed(2);
    for name in [FILES[0], FILES[2], FILES[4], FILES[1]] {
        let whole = split(name, 7);
        let expected = decode(&mut ours(&whole));
        let all = packets(&whole);
        assert!(expected.is_whole && expected.samples == decode(&mut ours(&fixture(name))).samples, "{name}");
        let channels = params(&ours(&whole)).channels.unwrap().count();
        let is_header = |page: &&Vec<u8>| Page::read(page).unwrap().0.granule == Some(0);
        let first: usize = pages(&whole).iter().take_while(is_header).map(Vec::len).sum();
        for round in 0..40 {
            let at = random.usize(first..whole.len() - 1_000);
            let end = (at + [1, 500, 3_000, 1_000][round % 4]).min(whole.len());
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes[at] ^= 1 << random.u8(0..8),
                1 | 2 => bytes[at..end].fill_with(|| random.u8(..)),
                _ => drop(bytes.drain(at..end)),
            }
            // The granule position of the last page includes the trim. After a loss it does not give its packets' position.
            let left = packets(&bytes);
            let known = left.len().saturating_sub(7);
            // The overwritten bytes, and the two pages on which they begin and end.
            let bytes_of = |packets: &[(i64, u64, Vec<u8>)]| packets.iter().map(|packet| packet.2.len()).sum::<usize>();
            let lost = bytes_of(&all) - bytes_of(&left);
            assert!(lost <= end - at + 2 * 9 * 255, "{name} {round}: {lost} bytes");
            let is_right = |(pts, _, data): &(i64, u64, Vec<u8>)| {
                // The first Vorbis packet after a gap has no frames. Its position is that of the next one.
                all.iter().any(|(at, frames, packet)| packet == data && (at == pts || at + *frames as i64 == *pts))
            };
            let wrong = left[..known].iter().position(|packet| !is_right(packet));
            assert!(wrong.is_none(), "{name} {round}: {:?}", wrong.map(|wrong| left[wrong].0));
            if params(&ours(&whole)).codec == CODEC_ID_OPUS {
                continue;
            }
            let decoded = decode(&mut ours(&bytes));
            for &(_, pts, from) in decoded.places.iter().take(decoded.places.len().saturating_sub(7)) {
                let samples = &decoded.samples[0][from * channels..][..channels];
                assert_eq!(
                    samples,
                    &expected.samples[0][pts as usize * channels..][..channels],
                    "{name} {round}: {pts}"
                );
            }
        }
    }
}

/// Granule positions that count a third of what the packets hold, or nothing (prism-media #114, mediabunny #439).
#[test]
fn positions_that_count_too_little_lose_nothing() {
    let whole = split(FILES[1], 20);
    let expected = decode(&mut ours(&whole)).samples.remove(0).len();
    for divisor in [3, i64::MAX] {
        let bytes: Vec<u8> = pages(&whole)
            .iter()
            .flat_map(|page| {
                let (mut page, _) = Page::read(page).unwrap();
                page.granule = page.granule.map(|granule| granule / divisor);
                written(&page)
            })
            .collect();
        let frames = decode(&mut ours(&bytes)).samples.remove(0).len();
        assert!((expected..expected + 2_000).contains(&frames), "{divisor}: {frames} of {expected}");
    }
}

#[test]
fn hostile_files_end_soon() {
    let start = std::time::Instant::now();
    let whole = fixture(FILES[2]);
    let page = [&b"OggS\0\0"[..], &[0; 20], &[255], &[255; 255]].concat();
    let marks = [&whole[..], &page.repeat(5_000)].concat();
    decode(&mut ours(&marks));
    let chain = whole.repeat(50);
    assert_eq!(decode(&mut ours(&chain)).samples.len(), 50);
    let mut random = fastrand::Rng::with_seed(3);
    for name in FILES {
        let whole = fixture(name);
        for _ in 0..40 {
            // Wrong values on pages whose checksum is right.
            let mut bytes = Vec::new();
            for page in pages(&whole) {
                let mut page = page;
                if random.u8(0..3) == 0 {
                    let at = random.usize(5..page.len());
                    page[at] = random.u8(..);
                }
                let sum = super::page::checksum(&page).to_le_bytes();
                page[22..26].copy_from_slice(&sum);
                bytes.extend(page);
            }
            if let Ok(mut reader) = OggReader::try_new(stream(&bytes), FormatOptions::default()) {
                while !matches!(reader.next_packet(), Ok(None) | Err(Error::IoError(_) | Error::DecodeError(_))) {}
            }
        }
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
