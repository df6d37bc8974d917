#![allow(clippy::unwrap_used)]
//! Sessions over recordings of fixtures/: segments are the official package's, whatever the frames are.

use std::{
    io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use prepare_audio_live::{
    AudioFormat, Detector, Encoding, Event, Frame, Numbered, ReceiveError, Session, SessionKey, Spool, WavSpool,
};
use prepare_audio_media::{Decoder, DecoderChoice, LocalFile};
use prepare_audio_vad::{Device, Engine, EngineChoice, ModelFile, Parameters};
use proptest::prelude::*;
use serde_json::{Value, json};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::open(ModelFile::bundled().unwrap(), EngineChoice::Native, Device::Cpu).unwrap());

/// 6.6 s with three sentences.
static PAUSES: LazyLock<Vec<u8>> = LazyLock::new(|| samples("speech/pauses.wav"));

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

fn samples(name: &str) -> Vec<u8> {
    let mut reader = hound::WavReader::open(fixture(name)).unwrap();
    reader.samples::<i16>().flat_map(|sample| sample.unwrap().to_le_bytes()).collect()
}

/// A spool in memory, which fails on demand.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Spool for Memory {
    fn append(&mut self, audio: &[u8]) -> io::Result<()> {
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(audio);
        Ok(())
    }
}

fn session_of(parameters: &Parameters, format: AudioFormat, utterance_end_ms: Option<u32>) -> Session<Memory> {
    let detector = Detector::new(&ENGINE, parameters, format, utterance_end_ms).unwrap();
    Session::new("s1", "call", format, Memory::default(), detector)
}

fn session() -> Session<Memory> {
    session_of(&Parameters::default(), AudioFormat::default(), Some(600))
}

/// All events of a recording in frames of these lengths, over and over.
fn play(session: &mut Session<Memory>, audio: &[u8], lengths: &[usize]) -> Vec<Numbered> {
    let (mut events, mut rest) = (Vec::new(), audio);
    for &length in lengths.iter().cycle() {
        let (now, later) = rest.split_at(rest.len().min(length));
        if now.is_empty() {
            break;
        }
        session.receive(&Frame::bare(now)).unwrap();
        session.detect(&mut events).unwrap();
        rest = later;
    }
    session.finish(&mut events).unwrap();
    events
}

fn segments(events: &[Numbered]) -> Vec<[u64; 2]> {
    let ended = events.iter().filter_map(|numbered| match numbered.event {
        Event::SpeechEnded(segment) => Some([segment.start, segment.end]),
        _ => None,
    });
    ended.collect()
}

fn parameters(given: &Value) -> Parameters {
    let mut all = serde_json::to_value(Parameters::default()).unwrap();
    for (name, value) in given.as_object().unwrap() {
        let name = match name.as_str() {
            "min_silence_at_max_speech" => "min_silence_at_max_speech_ms",
            "use_max_poss_sil_at_max_speech" => "use_max_possible_silence",
            name => name,
        };
        assert!(all.get(name).is_some(), "{name}");
        all[name] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

#[test]
fn segments_equal_the_official_packages() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("expected/segments.json")).unwrap()).unwrap();
    for (set, given) in expected["parameters"].as_object().unwrap() {
        for (file, facts) in expected["files"].as_object().unwrap() {
            let mut session = session_of(&parameters(given), AudioFormat::default(), None);
            let events = play(&mut session, &samples(file), &[640]);
            assert_eq!(json!(segments(&events)), facts["segments"][set], "{file} with {set}");
        }
    }
}

/// Other rates and two channels, decoded to 16 bits: boundaries are within a window of the official package's.
#[test]
fn segments_at_other_rates_are_near_the_official_packages() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("expected/formats.json")).unwrap()).unwrap();
    for file in [
        "wav_u8_8k_mono.wav",
        "wav_s16_44k1_mono.wav",
        "wav_s32_8k_stereo.wav",
        "flac_44k1_stereo.flac",
        "flac_48k_stereo.flac",
    ] {
        let name = format!("speech/{file}");
        let mut decoder = Decoder::open(&LocalFile::new(fixture(&name)), DecoderChoice::Symphonia).unwrap();
        let (mut audio, mut format) = (Vec::new(), AudioFormat::default());
        while let Some(block) = decoder.next_block().unwrap() {
            (format.sample_rate, format.channels) = (block.rate, block.channels() as u16);
            let pcm = block.samples().iter().map(|sample| (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16);
            audio.extend(pcm.flat_map(i16::to_le_bytes));
        }
        let frame = format.block_align() * format.sample_rate as usize / 50;
        let found = segments(&play(&mut session_of(&Parameters::default(), format, None), &audio, &[frame]));
        let wanted: Vec<[u64; 2]> = serde_json::from_value(expected["files"][&name]["segments"].clone()).unwrap();
        assert_eq!(found.len(), wanted.len(), "{file}: {found:?}, not {wanted:?}");
        let near = |(found, wanted): (&[u64; 2], &[u64; 2])| (0..2).all(|i| found[i].abs_diff(wanted[i]) <= 512);
        assert!(found.iter().zip(&wanted).all(near), "{file}: {found:?}, not {wanted:?}");
    }
}

/// The start is reported within the window that makes it certain, 250 ms after it; the end 100 ms after it.
#[test]
fn events_come_in_time() {
    let (mut session, mut events, mut times) = (session(), Vec::new(), Vec::new());
    for (n, frame) in PAUSES.chunks(640).enumerate() {
        session.receive(&Frame::bare(frame)).unwrap();
        session.detect(&mut events).unwrap();
        times.resize(events.len(), (n as u64 + 1) * 320);
    }
    for (numbered, at) in events.iter().zip(times) {
        let after = match numbered.event {
            Event::SpeechStarted { start } => at - start,
            Event::SpeechEnded(segment) => at - segment.end,
            Event::UtteranceEnd { end } => at - end,
        };
        assert!(after <= 16 * 660, "{numbered:?} {after}");
    }
    let kinds: String = events
        .iter()
        .map(|numbered| match numbered.event {
            Event::SpeechStarted { .. } => 's',
            Event::SpeechEnded(_) => 'e',
            Event::UtteranceEnd { .. } => 'u',
        })
        .collect();
    // The pauses are 0.5 s and 2 s, and the last sentence goes on to the end.
    assert_eq!(kinds, "seseus");
    assert!(events.iter().zip(1..).all(|(numbered, number)| numbered.number == number));
}

#[test]
fn what_is_not_next_is_refused() {
    let key = SessionKey::derive(b"token");
    let mut session = session().with_key(Some(key.clone())).with_max_seconds(1);
    let audio = [7; 640];
    let mac = key.sign("s1", "call", 0, &audio);
    let first = Frame { audio_id: Some("call"), number: Some(0), mac: Some(&mac), audio: &audio };
    let refused = |session: &mut Session<Memory>, frame: &Frame| match session.receive(frame) {
        Err(ReceiveError::Refused(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut session, &Frame { mac: None, ..first }), "mac_required");
    assert_eq!(refused(&mut session, &Frame { number: None, ..first }), "mac_required");
    assert_eq!(refused(&mut session, &Frame { audio_id: Some("Call"), ..first }), "wrong_audio_id");
    assert_eq!(refused(&mut session, &Frame { number: Some(320), ..first }), "wrong_mac");
    assert_eq!(refused(&mut session, &Frame { audio: &audio[..320], ..first }), "wrong_mac");
    assert_eq!(refused(&mut session, &Frame { mac: Some(&mac[..31]), ..first }), "wrong_mac");
    let signed = |number, audio: &[u8]| key.sign("s1", "call", number, audio);
    for (number, audio, code) in [
        (0, &[][..], "empty_frame"),
        (0, &audio[..7], "partial_sample"),
        (320, &audio, "gap"),
        (0, &[0; 32_002], "too_long"),
    ] {
        let mac = signed(number, audio);
        assert_eq!(refused(&mut session, &Frame { number: Some(number), mac: Some(&mac), audio, ..first }), code);
    }
    assert!(session.spool().bytes.is_empty() && session.next_sample() == 0);
    session.receive(&first).unwrap();
    assert_eq!(refused(&mut session, &first), "repeated_frame");
    assert_eq!((session.spool().bytes.len(), session.next_sample()), (640, 320));
}

#[test]
fn a_frame_that_could_not_be_stored_may_be_sent_again() {
    let mut session = session();
    session.spool_mut().is_full = true;
    let frame = Frame { number: Some(0), ..Frame::bare(&[0; 64]) };
    assert!(matches!(session.receive(&frame), Err(ReceiveError::Storage(_))));
    session.spool_mut().is_full = false;
    session.receive(&frame).unwrap();
    assert_eq!(session.next_sample(), 32);
}

/// Every code of G.711 is decoded as in a recording, and a spool is one, complete or not.
#[test]
fn a_spool_is_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let audio: Vec<u8> = (0..=255).cycle().take(8 * 1_000).collect();
    for encoding in Encoding::ALL {
        for (channels, sample_rate) in [(1, 8_000), (3, 44_100), (8, 48_000)] {
            let format = AudioFormat { encoding, sample_rate, channels };
            let path = folder.path().join(format!("{encoding} {channels}.wav"));
            let mut spool = WavSpool::create(&path, format).unwrap();
            let whole = audio.len() / format.block_align() * format.block_align();
            spool.append(&audio[..whole]).unwrap();
            let mut wanted = Vec::new();
            format.decode(&audio[..whole], &mut wanted);
            for is_complete in [false, true] {
                let mut decoder = Decoder::open(&LocalFile::new(&path), DecoderChoice::Symphonia).unwrap();
                let mut found = Vec::new();
                while let Some(block) = decoder.next_block().unwrap() {
                    assert_eq!((block.rate, block.channels()), (sample_rate, channels.into()));
                    found.extend_from_slice(block.samples());
                }
                assert!(found == wanted, "{format:?} {is_complete}");
                assert!(!decoder.damage().truncated && decoder.damage().decode_errors == 0, "{:?}", decoder.damage());
                spool.complete().unwrap();
            }
            assert!(WavSpool::create(&path, format).is_err(), "another session never overwrites it");
        }
    }
    let pcm = folder.path().join("linear16 3.wav");
    assert_eq!(hound::WavReader::open(pcm).unwrap().duration(), 8_000 / 6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However a recording is cut into frames, and whatever else is sent between them: spool and events are the same.
    #[test]
    fn frames_do_not_matter(
        lengths in prop::collection::vec(1..6_000usize, 1..20),
        strays in prop::collection::vec((any::<i16>(), 0..100usize, 0..3u8), 20),
    ) {
        let mut whole = session();
        let wanted = play(&mut whole, &PAUSES, &[PAUSES.len()]);
        let (mut session, mut events, mut rest) = (session(), Vec::new(), PAUSES.as_slice());
        for (&length, (distance, bytes, kind)) in lengths.iter().cycle().zip(strays.iter().cycle()) {
            let (now, later) = rest.split_at(rest.len().min(2 * length));
            if now.is_empty() {
                break;
            }
            let next = session.next_sample();
            let number = next.saturating_add_signed(i64::from(*distance));
            let stray = Frame { number: Some(number), audio: &PAUSES[..*bytes], ..Frame::default() };
            let stray = match kind {
                0 if number != next => stray,
                1 => Frame { audio_id: Some("other"), ..stray },
                _ => Frame { audio: &PAUSES[..2 * bytes + 1], ..stray },
            };
            prop_assert!(matches!(session.receive(&stray), Err(ReceiveError::Refused(_))));
            prop_assert_eq!(session.next_sample(), next);
            session.receive(&Frame { audio_id: Some("call"), number: Some(next), mac: None, audio: now }).unwrap();
            session.detect(&mut events).unwrap();
            rest = later;
        }
        session.finish(&mut events).unwrap();
        prop_assert!(session.spool().bytes == *PAUSES);
        prop_assert_eq!(events, wanted);
    }

    /// A session that is killed anywhere, within a sample too, goes on with the stored samples and the same events.
    #[test]
    fn a_killed_session_goes_on(at in 0..200_000usize, torn in 0..2usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.wav");
        let format = AudioFormat::default();
        let detector = || Detector::new(&ENGINE, &Parameters::default(), format, Some(600)).unwrap();
        let (before, after) = PAUSES.split_at(at / 2 * 2);
        let mut spool = WavSpool::create(&path, format).unwrap();
        spool.append(before).unwrap();
        spool.append(&after[..torn]).unwrap();
        let mut events = Vec::new();
        let spool = WavSpool::open(&path, format).unwrap();
        let mut session = Session::new("s1", "call", format, spool, detector()).resume(&mut events).unwrap();
        prop_assert_eq!(session.next_sample(), before.len() as u64 / 2);
        session.receive(&Frame::bare(after)).unwrap();
        session.finish(&mut events).unwrap();
        session.spool_mut().complete().unwrap();
        prop_assert_eq!(events, play(&mut self::session(), &PAUSES, &[1_000]));
        let stored: Vec<u8> = hound::WavReader::open(&path).unwrap().samples::<i16>().flat_map(|s| s.unwrap().to_le_bytes()).collect();
        prop_assert!(stored == *PAUSES);
        prop_assert!(WavSpool::open(&path, format).is_ok(), "completing may be interrupted and repeated");
        let other = AudioFormat { channels: 2, ..format };
        prop_assert!(WavSpool::open(&path, other).is_err());
    }
}
