//! The identity of a piece of work: which model listens, and how its answers are cut.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    audio::{ChannelChoice, SegmentFiles, SegmentFormat, SegmentRate},
    vad::{Engine, Parameters},
};

/// Model and parameters. A source is prepared once for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Short hash of [`Recipe::text`], which the row's `recipe` holds.
    pub id: String,
    /// The recipe in words, JSON, which the row's `parameters` holds.
    pub text: String,
}

impl Recipe {
    /// All that decides the segments' boundaries and bytes, and nothing that does not: not the number of workers, not
    /// the folder that they go to, not the engine that computes the model. What is off is not in it, so that a new
    /// option does not turn what is done into new work.
    pub fn new(
        engine: &Engine,
        parameters: &Parameters,
        channels: ChannelChoice,
        files: Option<&SegmentFiles>,
    ) -> Self {
        let mut text = json!({
            "model_sha256": engine.sha256(),
            "vad": parameters,
            "segments": files.map_or(Value::Null, describe),
        });
        if channels != ChannelChoice::Mix {
            text["channels"] = json!(channels.to_string());
        }
        let text = text.to_string();
        let id = Sha256::digest(&text)[..8].iter().map(|b| format!("{b:02x}")).collect();
        Self { id, text }
    }

    /// Whether segments of the same boundaries are the same files under the recipe that `text` describes.
    pub fn writes_like(&self, text: &str) -> bool {
        let segments = |text: &str| serde_json::from_str::<Value>(text).ok().map(|recipe| recipe["segments"].clone());
        segments(text).is_some_and(|theirs| Some(theirs) == segments(&self.text))
    }
}

fn describe(files: &SegmentFiles) -> Value {
    let encoding = match files.format {
        SegmentFormat::Wav if files.keeps_depth() => "pcm",
        SegmentFormat::Wav => "pcm_s16le",
        other => other.name(),
    };
    let rate = match files.rate {
        SegmentRate::Source => json!("source"),
        SegmentRate::Hz(rate) => json!(rate),
    };
    let channels = if files.all_channels { json!("source") } else { json!(1) };
    let mut text =
        json!({ "format": files.format.name(), "encoding": encoding, "sample_rate": rate, "channels": channels });
    if files.format == SegmentFormat::Opus {
        text["bitrate"] = files.opus_bitrate.map_or(json!("auto"), |bits| json!(bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vad::Model;

    fn recipe(channels: ChannelChoice, files: Option<SegmentFiles>) -> Recipe {
        let engine = Engine::Native(Model::bundled().unwrap());
        Recipe::new(&engine, &Parameters::default(), channels, files.as_ref())
    }

    /// What was done by the first version stays done: this is the id that it gave.
    #[test]
    fn the_default_has_the_id_that_it_always_had() {
        assert_eq!(recipe(ChannelChoice::Mix, Some(SegmentFiles::default())).id, "8ddb5c055ead399e");
    }

    #[test]
    fn whatever_changes_rows_or_bytes_changes_the_id() {
        let files = SegmentFiles::default();
        let flac = SegmentFiles { format: SegmentFormat::Flac, ..files };
        let opus = SegmentFiles { format: SegmentFormat::Opus, ..files };
        let recipes = [
            recipe(ChannelChoice::Mix, Some(files)),
            recipe(ChannelChoice::Split, Some(files)),
            recipe(ChannelChoice::One(2), Some(files)),
            recipe(ChannelChoice::Mix, None),
            recipe(ChannelChoice::Mix, Some(flac)),
            recipe(ChannelChoice::Mix, Some(opus)),
            recipe(ChannelChoice::Mix, Some(SegmentFiles { opus_bitrate: Some(16_000), ..opus })),
            recipe(ChannelChoice::Mix, Some(SegmentFiles { rate: SegmentRate::Source, ..files })),
            recipe(ChannelChoice::Mix, Some(SegmentFiles { rate: SegmentRate::Hz(24_000), ..files })),
            recipe(ChannelChoice::Mix, Some(SegmentFiles { all_channels: true, ..files })),
        ];
        let mut ids: Vec<_> = recipes.iter().map(|recipe| &recipe.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), recipes.len());
        assert!(recipes[0].writes_like(&recipes[1].text) && !recipes[0].writes_like(&recipes[4].text));
        assert!(!recipes[0].writes_like("not JSON"));
    }
}
