//! The segmenter equals the official package, and keeps its invariants on random input.

use std::io::Read;

use prepare_audio_vad::{MaxSpeechCut, Parameters, SILERO_16K, SegmentEvent, Segmenter, SpeechSegment, WINDOW};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    parameters: Parameters,
    total: u64,
    track: String,
    segments: Vec<(u64, u64)>,
}

impl Case {
    fn probabilities(&self) -> Vec<f32> {
        self.track.bytes().map(|byte| f32::from(byte - 48) / 63.0).collect()
    }
}

fn segments_of(parameters: &Parameters, probabilities: &[f32], total: u64) -> Vec<SpeechSegment> {
    let mut segments = Vec::new();
    let mut segmenter = Segmenter::new(parameters, SILERO_16K).expect("valid parameters");
    for probability in probabilities {
        segmenter.push(*probability, &mut segments);
    }
    segmenter.finish(total, &mut segments);
    segments
}

/// The segments of the events. Each must have the start that was reported before.
fn segments_of_events(segmenter: &mut Segmenter, probabilities: &[f32], total: u64) -> Vec<SpeechSegment> {
    let mut events = Vec::new();
    for probability in probabilities {
        segmenter.push_events(*probability, &mut events);
    }
    segmenter.finish_events(total, &mut events);
    let (pairs, rest) = events.as_chunks::<2>();
    assert!(rest.is_empty(), "a segment that started and did not end: {rest:?}");
    let segment = |pair: &[SegmentEvent; 2]| match *pair {
        [SegmentEvent::Started { at }, SegmentEvent::Ended(segment)] if segment.start == at => segment,
        _ => panic!("not a start and its end: {pair:?}"),
    };
    pairs.iter().map(segment).collect()
}

#[test]
fn equals_the_official_package() {
    let packed = include_bytes!("../golden/segmenter_cases.jsonl.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("gzip");
    let mut count = 0;
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("a case");
        let segments = segments_of(&case.parameters, &case.probabilities(), case.total);
        let found: Vec<_> = segments.iter().map(|segment| (segment.start, segment.end)).collect();
        assert_eq!(found, case.segments, "case {count}: {line}");
        // With events, also from a segmenter that has finished another recording before.
        let mut used = Segmenter::new(&case.parameters, SILERO_16K).expect("valid parameters");
        for _ in 0..2 {
            assert_eq!(
                segments_of_events(&mut used, &case.probabilities(), case.total),
                segments,
                "case {count}: {line}"
            );
        }
        count += 1;
    }
    assert_eq!(count, 6000);
}

/// Valid parameters, with and without those that the official package does not have.
fn parameters() -> impl Strategy<Value = Parameters> {
    let pad = prop::option::of(0_u32..1500);
    let cut = prop_oneof![Just(MaxSpeechCut::Official), Just(MaxSpeechCut::Quietest)];
    (official(), pad.clone(), pad, cut).prop_map(|(official, start, end, cut)| Parameters {
        speech_pad_start_ms: start,
        speech_pad_end_ms: end,
        max_speech_cut: cut,
        ..official
    })
}

/// The official package's parameters. The negative threshold is at most the threshold.
fn official() -> impl Strategy<Value = Parameters> {
    let limit = prop_oneof![Just(f64::INFINITY), 0.01..5.0];
    (0.05..0.95, 0.0..1.0, 0_u32..1000, limit, 0_u32..1000, 0_u32..1500, 0_u32..300, any::<bool>()).prop_map(
        |(threshold, below, min_speech, max_speech, min_silence, pad, min_pause, longest)| Parameters {
            threshold,
            neg_threshold: Some(threshold * below),
            min_speech_duration_ms: min_speech,
            max_speech_duration_s: max_speech,
            min_silence_duration_ms: min_silence,
            speech_pad_ms: pad,
            min_silence_at_max_speech_ms: min_pause,
            use_max_possible_silence: longest,
            ..Parameters::default()
        },
    )
}

/// Probabilities that stay constant for up to 39 windows.
fn track() -> impl Strategy<Value = Vec<f32>> {
    let stretch = (prop_oneof![Just(0.0_f32), Just(1.0), 0.0..1.0_f32], 1_usize..40);
    prop::collection::vec(stretch, 0..30)
        .prop_map(|stretches| stretches.into_iter().flat_map(|(value, count)| vec![value; count]).collect())
}

/// A track and a length that ends within its last window.
fn recording() -> impl Strategy<Value = (Vec<f32>, u64)> {
    (track(), 0..WINDOW).prop_map(|(track, missing)| {
        let missing = if track.is_empty() { 0 } else { missing };
        let total = (track.len() * WINDOW - missing) as u64;
        (track, total)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn events_have_the_same_segments(parameters in parameters(), (track, total) in recording()) {
        let mut segmenter = Segmenter::new(&parameters, SILERO_16K).expect("valid");
        let segments = segments_of_events(&mut segmenter, &track, total);
        prop_assert_eq!(segments, segments_of(&parameters, &track, total));
    }

    #[test]
    fn segments_are_in_order_and_within_the_recording(parameters in parameters(), (track, total) in recording()) {
        let mut end = 0;
        for segment in segments_of(&parameters, &track, total) {
            prop_assert!(end <= segment.start && segment.start < segment.end && segment.end <= total, "{:?}", segment);
            prop_assert!(segment.min_probability <= segment.mean_probability);
            end = segment.end;
        }
    }

    #[test]
    fn no_segment_starts_before_needed_from(parameters in parameters(), (track, total) in recording()) {
        let (mut segmenter, mut segments) = (Segmenter::new(&parameters, SILERO_16K).expect("valid"), Vec::new());
        let mut needed = 0;
        for probability in track {
            segmenter.push(probability, &mut segments);
            prop_assert!(segments.drain(..).all(|segment| segment.start >= needed));
            prop_assert!(segmenter.needed_from() >= needed);
            needed = segmenter.needed_from();
        }
        segmenter.finish(total, &mut segments);
        prop_assert!(segments.iter().all(|segment| segment.start >= needed));
    }

    /// A segment that was returned does not depend on later windows.
    #[test]
    fn returned_segments_are_final(parameters in parameters(), (track, _) in recording(), (other, _) in recording()) {
        let (mut segmenter, mut decided) = (Segmenter::new(&parameters, SILERO_16K).expect("valid"), Vec::new());
        for probability in &track {
            segmenter.push(*probability, &mut decided);
        }
        for follow in [&[][..], &other] {
            let whole = [&track[..], follow].concat();
            let segments = segments_of(&parameters, &whole, (whole.len() * WINDOW) as u64);
            prop_assert_eq!(&segments[..decided.len()], &decided[..]);
        }
    }

    /// Without padding, a segment's windows are known, so their statistics can be computed directly.
    #[test]
    fn statistics_are_those_of_the_windows(parameters in parameters(), (track, total) in recording()) {
        let parameters = Parameters {
            speech_pad_ms: 0,
            speech_pad_start_ms: None,
            speech_pad_end_ms: None,
            ..parameters
        };
        for segment in segments_of(&parameters, &track, total) {
            let windows = &track[segment.start as usize / WINDOW..(segment.end as usize).div_ceil(WINDOW)];
            let mean = windows.iter().map(|p| f64::from(*p)).sum::<f64>() / windows.len() as f64;
            prop_assert!((f64::from(segment.mean_probability) - mean).abs() < 1e-6, "{} {}", segment.mean_probability, mean);
            prop_assert_eq!(segment.windows, windows.len() as u64);
            prop_assert_eq!(segment.min_probability, windows.iter().copied().fold(1.0, f32::min));
        }
    }
}

#[test]
fn segments_are_returned_before_the_end() {
    let mut segmenter = Segmenter::new(&Parameters::default(), SILERO_16K).expect("valid");
    let mut segments = Vec::new();
    let track = [vec![1.0; 20], vec![0.0; 5]].concat();
    for probability in track {
        segmenter.push(probability, &mut segments);
    }
    assert_eq!(segments.len(), 1);
    assert_eq!((segments[0].start, segments[0].end), (0, 20 * 512 + 480));
    assert_eq!(segmenter.needed_from(), 25 * 512 - 480);
}

#[test]
fn infinity_is_null_in_json() {
    let parameters = Parameters::default();
    let text = serde_json::to_string(&parameters).expect("JSON");
    assert!(text.contains(r#""max_speech_duration_s":null"#), "{text}");
    assert_eq!(serde_json::from_str::<Parameters>(&text).expect("JSON"), parameters);
    let limited = Parameters { max_speech_duration_s: 12.5, ..parameters };
    let text = serde_json::to_string(&limited).expect("JSON");
    assert_eq!(serde_json::from_str::<Parameters>(&text).expect("JSON"), limited);
}

#[test]
fn parameters_out_of_range_are_errors() {
    let wrong = [
        Parameters { threshold: 1.5, ..Parameters::default() },
        Parameters { threshold: f64::NAN, ..Parameters::default() },
        Parameters { neg_threshold: Some(-0.1), ..Parameters::default() },
        Parameters { max_speech_duration_s: 0.0, ..Parameters::default() },
    ];
    for parameters in wrong {
        assert!(Segmenter::new(&parameters, SILERO_16K).is_err(), "{parameters:?}");
    }
    let error = Parameters { threshold: 1.5, ..Parameters::default() }.validate().expect_err("too high");
    assert_eq!(error.to_string(), "threshold is 1.5, expected a probability from 0 to 1");
}
