//! Parameters that the official package does not have: the quietest cut, a padding for each end, chunks.

use prepare_audio_vad::{
    Chunk, CutReason, MaxSpeechCut, Merger, Parameters, SILERO_16K, Segmenter, SpeechSegment, WINDOW,
};
use proptest::prelude::*;

fn segments_of(parameters: &Parameters, track: &[f32]) -> Vec<SpeechSegment> {
    let mut segments = Vec::new();
    let mut segmenter = Segmenter::new(parameters, SILERO_16K).unwrap();
    track.iter().for_each(|probability| segmenter.push(*probability, &mut segments));
    segmenter.finish((track.len() * WINDOW) as u64, &mut segments);
    segments
}

fn boundaries(segments: &[SpeechSegment]) -> Vec<(u64, u64)> {
    segments.iter().map(|segment| (segment.start, segment.end)).collect()
}

/// Speech is cut after about a second: 31 windows, because Silero subtracts one window from the maximum. No padding.
fn quietest() -> Parameters {
    Parameters {
        max_speech_duration_s: 32.0 * WINDOW as f64 / 16_000.0,
        max_speech_cut: MaxSpeechCut::Quietest,
        speech_pad_ms: 0,
        ..Parameters::default()
    }
}

#[test]
fn long_speech_is_cut_at_the_lowest_probability() {
    let mut track = vec![0.9; 50];
    track[4] = 0.36; // quieter, but in the first half
    track[20] = 0.6;
    track[25] = 0.7;
    let segments = segments_of(&quietest(), &track);
    assert_eq!(boundaries(&segments), [(0, 20 * 512), (20 * 512, 50 * 512)]);
    assert_eq!([segments[0].cut, segments[1].cut], [CutReason::Quietest, CutReason::End]);
    assert_eq!((segments[0].windows, segments[0].min_probability), (20, 0.36));
    assert_eq!((segments[1].windows, segments[1].min_probability), (30, 0.6));
    let official = Parameters { max_speech_cut: MaxSpeechCut::Official, ..quietest() };
    assert_eq!(boundaries(&segments_of(&official, &track))[0], (0, 32 * 512), "at the current window");
}

#[test]
fn long_speech_ends_at_a_pause_that_has_not_ended() {
    let track = [vec![0.9; 30], vec![0.2, 0.1], vec![0.9; 18]].concat();
    let segments = segments_of(&quietest(), &track);
    assert_eq!(
        boundaries(&segments),
        [(0, 31 * 512), (31 * 512, 50 * 512)],
        "the second silent window is the quietest"
    );
    let parameters = Parameters { min_silence_duration_ms: 1000, ..quietest() };
    let track = [vec![0.9; 30], vec![0.2, 0.1, 0.1], vec![0.9; 17]].concat();
    let segments = segments_of(&parameters, &track);
    assert_eq!(boundaries(&segments), [(0, 30 * 512), (33 * 512, 50 * 512)], "only the silence is left out");
}

#[test]
fn the_rest_of_long_speech_is_kept_even_if_it_is_short() {
    let mut track = vec![0.9; 50];
    track[31] = 0.5;
    track[34..].fill(0.0);
    let segments = segments_of(&quietest(), &track);
    assert_eq!(boundaries(&segments), [(0, 31 * 512), (31 * 512, 34 * 512)]);
}

/// Segments that are far apart get their full padding. If they are close, the gap is divided in proportion.
#[test]
fn each_end_has_its_own_padding() {
    let with = |start, end, gap| {
        let parameters =
            Parameters { speech_pad_start_ms: Some(start), speech_pad_end_ms: Some(end), ..Parameters::default() };
        let track = [vec![0.0; 20], vec![1.0; 20], vec![0.0; gap], vec![1.0; 20], vec![0.0; 20]].concat();
        boundaries(&segments_of(&parameters, &track))
    };
    let ms = 16;
    let (first, second) = (20 * 512, (40 + 20) * 512);
    assert_eq!(with(100, 20, 20), [(first - 100 * ms, 40 * 512 + 20 * ms), (second - 100 * ms, 80 * 512 + 20 * ms)]);
    assert_eq!(with(300, 100, 10)[0].1, 40 * 512 + 1280, "a quarter of the gap");
    assert_eq!(with(300, 100, 10)[1].0, 40 * 512 + 1280, "three quarters of it");
    assert_eq!(with(0, 0, 10), [(first, 40 * 512), (50 * 512, 70 * 512)]);
}

fn track() -> impl Strategy<Value = Vec<f32>> {
    let stretch = (prop_oneof![Just(0.0_f32), Just(1.0), 0.0..1.0_f32], 1_usize..40);
    prop::collection::vec(stretch, 0..40)
        .prop_map(|stretches| stretches.into_iter().flat_map(|(value, count)| vec![value; count]).collect())
}

fn chunks_of(parameters: &Parameters, track: &[f32]) -> Vec<Chunk> {
    let (mut segmenter, mut merger) =
        (Segmenter::new(parameters, SILERO_16K).unwrap(), Merger::new(parameters, SILERO_16K));
    let (mut segments, mut chunks, mut needed) = (Vec::new(), Vec::new(), 0);
    for probability in track {
        segmenter.push(*probability, &mut segments);
        let known = chunks.len();
        segments.drain(..).for_each(|segment| merger.push(segment, &mut chunks));
        merger.advance(segmenter.needed_from(), &mut chunks);
        assert!(chunks[known..].iter().all(|chunk| chunk.speech.start >= needed), "its samples are still needed");
        needed = merger.needed_from(segmenter.needed_from());
    }
    segmenter.finish((track.len() * WINDOW) as u64, &mut segments);
    segments.drain(..).for_each(|segment| merger.push(segment, &mut chunks));
    merger.finish(&mut chunks);
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No segment is lost or split, their order is kept, no chunk is too long, and no chunk could include the next segment.
    #[test]
    fn chunks_contain_all_segments(track in track(), limit in 0.1..20.0, pad in 0_u32..300) {
        let parameters = Parameters { merge_to_s: Some(limit), speech_pad_ms: pad, ..Parameters::default() };
        let segments = segments_of(&parameters, &track);
        let chunks = chunks_of(&parameters, &track);
        let parts: Vec<_> = chunks.iter().flat_map(|chunk| chunk.parts.clone()).collect();
        prop_assert_eq!(parts, boundaries(&segments));
        let samples = limit * 16_000.0;
        for chunk in &chunks {
            let whole = (chunk.parts[0].0, chunk.parts[chunk.parts.len() - 1].1);
            prop_assert_eq!((chunk.speech.start, chunk.speech.end), whole);
            prop_assert!(chunk.parts.len() == 1 || (whole.1 - whole.0) as f64 <= samples);
        }
        for pair in chunks.windows(2) {
            prop_assert!((pair[1].parts[0].1 - pair[0].speech.start) as f64 > samples, "the next segment does not fit");
        }
        let windows = |all: &[SpeechSegment]| all.iter().map(|segment| segment.windows).sum::<u64>();
        let whole: Vec<_> = chunks.iter().map(|chunk| chunk.speech).collect();
        prop_assert_eq!(windows(&whole), windows(&segments));
    }

    #[test]
    fn without_a_limit_each_segment_is_its_own_chunk(track in track()) {
        let parameters = Parameters::default();
        let chunks: Vec<Chunk> = segments_of(&parameters, &track).into_iter().map(Chunk::from).collect();
        prop_assert_eq!(chunks_of(&parameters, &track), chunks);
    }

    /// Another implementation of the rule, over the whole track: speech without silence is cut at the window with the
    /// lowest probability of each second half; of equal ones, at the last.
    #[test]
    fn cuts_are_at_the_lowest_probability_of_the_second_half(track in prop::collection::vec(0.5..1.0_f32, 1..300)) {
        let (longest, mut start, mut want) = (31, 0, Vec::new());
        for at in 0..track.len() {
            if at - start > longest {
                let first = start + longest / 2 + 1;
                let quietest = (first..=at).rev().min_by(|a, b| track[*a].total_cmp(&track[*b])).unwrap();
                want.push((start as u64 * 512, quietest as u64 * 512));
                start = quietest;
            }
        }
        if track.len() * 512 - start * 512 > 4000 || start > 0 {
            want.push((start as u64 * 512, track.len() as u64 * 512));
        }
        prop_assert_eq!(boundaries(&segments_of(&quietest(), &track)), want);
    }

    /// No window of speech is lost, and no segment is longer than the maximum.
    #[test]
    fn the_quietest_cut_loses_no_speech(track in track(), windows in 3_u32..80, silence in 0_u32..500) {
        let parameters = Parameters {
            max_speech_duration_s: f64::from(windows * 512) / 16_000.0,
            min_speech_duration_ms: 0,
            min_silence_duration_ms: silence,
            ..quietest()
        };
        let segments = segments_of(&parameters, &track);
        for segment in &segments {
            prop_assert!(segment.end > segment.start && segment.end - segment.start <= u64::from(windows) * 512);
        }
        for (window, probability) in track.iter().enumerate() {
            let at = (window * 512) as u64;
            let is_inside = segments.iter().any(|segment| segment.start <= at && at < segment.end);
            prop_assert!(is_inside || *probability < 0.5, "window {} is lost", window);
        }
    }
}
