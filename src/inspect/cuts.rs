//! The segments that other parameters would give, from the stored probabilities: the same as those of `resegment`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use prepare_audio_pipeline::segment_probabilities;
use prepare_audio_vad::{Chunk, Parameters, SILERO_16K, Segmenter, SpeechSegment};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Failure, Inspector, Query, Shared, json_response, recording::Opened};
use crate::preview::RATE;

/// Segments under other parameters, and how to get them.
#[derive(Debug, Serialize)]
pub struct Cuts {
    /// First sample, sample after the last, mean probability, and why it ends.
    segments: Vec<(u64, u64, f32, &'static str)>,
    /// The upper and the lower threshold.
    thresholds: (f64, f64),
    /// Total length of the speech, seconds, without the pauses of joined segments.
    speech_s: f64,
    /// The command for all recordings.
    command: String,
    /// The command for this one.
    command_for_this: String,
    /// What the command leaves to the user.
    remarks: Vec<String>,
}

/// The parameters that the page has sliders for, by their names in requests.
pub fn adjustable(parameters: &Parameters) -> Value {
    json!({
        "threshold": parameters.threshold,
        "min_silence_ms": parameters.min_silence_duration_ms,
        "min_speech_ms": parameters.min_speech_duration_ms,
        "pad_ms": parameters.speech_pad_ms,
        "max_speech_s": Some(parameters.max_speech_duration_s).filter(|seconds| seconds.is_finite()),
    })
}

/// The recipe's parameters with those that the request changes.
fn changed(recipe: Parameters, query: &Query) -> Result<Parameters, Failure> {
    let pad = query.value("pad_ms")?;
    let parameters = Parameters {
        threshold: query.value("threshold")?.unwrap_or(recipe.threshold),
        min_silence_duration_ms: query.value("min_silence_ms")?.unwrap_or(recipe.min_silence_duration_ms),
        min_speech_duration_ms: query.value("min_speech_ms")?.unwrap_or(recipe.min_speech_duration_ms),
        max_speech_duration_s: query.value("max_speech_s")?.unwrap_or(recipe.max_speech_duration_s),
        speech_pad_ms: pad.unwrap_or(recipe.speech_pad_ms),
        // The slider is for both ends.
        speech_pad_start_ms: if pad.is_some() { None } else { recipe.speech_pad_start_ms },
        speech_pad_end_ms: if pad.is_some() { None } else { recipe.speech_pad_end_ms },
        ..recipe
    };
    parameters.validate().map_err(|error| Failure::Invalid(error.to_string()))?;
    Ok(parameters)
}

/// The segments under the parameters of the request.
pub async fn cuts(State(inspector): Shared, Path(id): Path<String>, query: Query) -> Result<Response, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let parameters = changed(opened.parameters(), &query)?;
    let chunks = chunks(&inspector, &opened, &parameters).await?;
    let first = opened.first_sample(&inspector).await;
    let speech: u64 = chunks.iter().flat_map(|chunk| &chunk.parts).map(|(start, end)| end - start).sum();
    let command = |only| (inspector.settings.command)(&opened.recipe, &parameters, only);
    let (for_all, for_this) = (command(None), command(Some(opened.row.id)));
    let database = inspector.settings.database_option.as_deref();
    let line = |command: String| database.map_or_else(|| command.clone(), |option| format!("{command} {option}"));
    Ok(json_response(&Cuts {
        segments: chunks.iter().map(|chunk| cut(chunk, first)).collect(),
        thresholds: (parameters.threshold, parameters.neg_threshold()),
        speech_s: speech as f64 / RATE,
        command: line(for_all.line),
        command_for_this: line(for_this.line),
        remarks: for_all.remarks,
    }))
}

fn cut(chunk: &Chunk, first: u64) -> (u64, u64, f32, &'static str) {
    let speech = &chunk.speech;
    (speech.start + first, speech.end + first, speech.mean_probability, speech.cut.name())
}

async fn chunks(inspector: &Inspector, opened: &Opened, parameters: &Parameters) -> Result<Vec<Chunk>, Failure> {
    let samples = opened.samples()?;
    let probabilities = opened.probabilities(inspector).await?;
    // The level of a segment that was never cut is known from its samples alone.
    let audio = if parameters.min_dbfs.is_some() { Some(opened.audio(inspector).await?) } else { None };
    let parameters = parameters.clone();
    let work = move || {
        let segmenter = Segmenter::new(&parameters, SILERO_16K).map_err(|error| Failure::Invalid(error.to_string()))?;
        let level = |segment: &SpeechSegment| match &audio {
            Some(audio) => audio.level_dbfs(segment.start, segment.end),
            None => Ok(0.0), // not asked for
        };
        let chunks = segment_probabilities(&probabilities.0, samples, segmenter, &parameters, level);
        Ok(chunks?)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::Unavailable("segmenting failed".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_changes_what_it_names() {
        let recipe =
            Parameters { threshold: 0.3, speech_pad_start_ms: Some(5), merge_to_s: Some(9.0), ..Parameters::default() };
        assert_eq!(changed(recipe.clone(), &Query::default()).unwrap(), recipe);
        let query = Query::parse("threshold=0.7&max_speech_s=inf&min_silence_ms=250");
        let wanted = Parameters { threshold: 0.7, min_silence_duration_ms: 250, ..recipe.clone() };
        assert_eq!(changed(recipe.clone(), &query).unwrap(), wanted);
        let wanted = Parameters { speech_pad_ms: 7, speech_pad_start_ms: None, ..recipe.clone() };
        assert_eq!(changed(recipe.clone(), &Query::parse("pad_ms=7")).unwrap(), wanted);
        for wrong in ["threshold=2", "threshold=NaN", "threshold=x", "max_speech_s=0", "max_speech_s=-1", "pad_ms=-1"] {
            assert!(changed(recipe.clone(), &Query::parse(wrong)).is_err(), "{wrong}");
        }
    }
}
