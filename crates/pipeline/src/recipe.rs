//! The identity of a preparation: the model, the parameters and the form of the segments.

use prepare_audio_media::{ChannelChoice, RawFormat, SegmentFileSettings, SegmentFormat, SegmentRate, TrackChoice};
use prepare_audio_vad::{Engine, Parameters};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Denoising, InputLimits, SegmentFilter, VadInput};

/// Model and parameters. A source is prepared once for each recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Short hash of [`Recipe::text`]; the row's `recipe`.
    pub id: String,
    /// The recipe as JSON; the row's `parameters`.
    pub text: String,
}

impl Recipe {
    /// The recipe of these settings. It holds everything that decides the segments' boundaries and bytes, and nothing else:
    /// not the number of workers, not the output folder, not the engine that computes the model. Options that are off are
    /// left out, so that a new option does not turn finished recordings into new work.
    pub fn new(
        engine: &Engine,
        parameters: &Parameters,
        channels: ChannelChoice,
        limits: &InputLimits,
        files: Option<&SegmentFileSettings>,
        denoising: Option<&Denoising>,
        filter: &SegmentFilter,
    ) -> Self {
        let mut text = json!({
            "model_sha256": engine.sha256(),
            "vad": parameters,
            "segments": files.map_or(Value::Null, describe),
        });
        if channels != ChannelChoice::Mix {
            text["channels"] = json!(channels.to_string());
        }
        if limits.track != TrackChoice::Default {
            text["audio_track"] = json!(limits.track.to_string());
        }
        if let Some(raw) = limits.raw {
            text["raw"] = json!(raw.to_string());
        }
        if let Some(Denoising { model, vad_input }) = denoising {
            text["denoise"] = json!({ "model": model.kind(), "sha256": model.sha256() });
            if *vad_input == VadInput::Denoised {
                text["vad_on"] = json!("denoised");
            }
        }
        if let Some(filter) = filter.describe() {
            text["filter"] = filter;
        }
        let text = text.to_string();
        let id = hex::encode(&Sha256::digest(&text)[..8]);
        Self { id, text }
    }

    /// Whether the recipe that `text` describes writes segments of equal boundaries into equal files.
    pub fn writes_equal_files(&self, text: &str) -> bool {
        let segments = |text: &str| serde_json::from_str::<Value>(text).ok().map(|recipe| recipe["segments"].clone());
        segments(text).is_some_and(|theirs| Some(theirs) == segments(&self.text))
    }

    /// Whether both recipes denoise, by the same model.
    pub fn denoises_equally(&self, text: &str) -> bool {
        let model = |text: &str| {
            let recipe = serde_json::from_str::<Value>(text).ok()?;
            recipe["denoise"]["sha256"].as_str().map(str::to_owned)
        };
        model(&self.text).is_some_and(|own| model(text) == Some(own))
    }
}

/// What a recipe says of how a recording is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecipeInput {
    /// The channels that are analysed.
    pub channels: ChannelChoice,
    /// The audio track.
    pub track: TrackChoice,
    /// The format of a file without a header.
    pub raw: Option<RawFormat>,
}

impl RecipeInput {
    /// What the recipe says that `text` describes; see [`Recipe::text`]. What is missing or unknown is the default.
    pub fn of(text: &str) -> Self {
        let recipe: Value = serde_json::from_str(text).unwrap_or_default();
        let setting = |name: &str| recipe[name].as_str();
        Self {
            channels: setting("channels").and_then(|text| text.parse().ok()).unwrap_or_default(),
            track: setting("audio_track").and_then(|text| text.parse().ok()).unwrap_or_default(),
            raw: setting("raw").and_then(|text| text.parse().ok()),
        }
    }
}

fn describe(files: &SegmentFileSettings) -> Value {
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
    use prepare_audio_denoise::DenoiseModel;
    use prepare_audio_vad::SileroModel;

    fn recipe(channels: ChannelChoice, files: Option<SegmentFileSettings>) -> Recipe {
        let engine = Engine::Native(SileroModel::bundled().unwrap());
        Recipe::new(
            &engine,
            &Parameters::default(),
            channels,
            &InputLimits::default(),
            files.as_ref(),
            None,
            &SegmentFilter::default(),
        )
    }

    fn denoising(vad_input: VadInput, files: Option<SegmentFileSettings>) -> Recipe {
        let engine = Engine::Native(SileroModel::bundled().unwrap());
        let denoising = Denoising { model: DenoiseModel::rnnoise(), vad_input };
        let (parameters, limits) = (Parameters::default(), InputLimits::default());
        Recipe::new(
            &engine,
            &parameters,
            ChannelChoice::Mix,
            &limits,
            files.as_ref(),
            Some(&denoising),
            &SegmentFilter::default(),
        )
    }

    /// Recordings that the first version prepared stay done: this is the id that it gave.
    #[test]
    fn the_default_recipe_keeps_its_id() {
        assert_eq!(recipe(ChannelChoice::Mix, Some(SegmentFileSettings::default())).id, "8ddb5c055ead399e");
    }

    #[test]
    fn settings_that_change_rows_or_bytes_change_the_id() {
        let files = SegmentFileSettings::default();
        let flac = SegmentFileSettings { format: SegmentFormat::Flac, ..files };
        let opus = SegmentFileSettings { format: SegmentFormat::Opus, ..files };
        let recipes = [
            recipe(ChannelChoice::Mix, Some(files)),
            recipe(ChannelChoice::Split, Some(files)),
            recipe(ChannelChoice::One(2), Some(files)),
            recipe(ChannelChoice::Mix, None),
            recipe(ChannelChoice::Mix, Some(flac)),
            recipe(ChannelChoice::Mix, Some(opus)),
            recipe(ChannelChoice::Mix, Some(SegmentFileSettings { opus_bitrate: Some(16_000), ..opus })),
            recipe(ChannelChoice::Mix, Some(SegmentFileSettings { rate: SegmentRate::Source, ..files })),
            recipe(ChannelChoice::Mix, Some(SegmentFileSettings { rate: SegmentRate::Hz(24_000), ..files })),
            recipe(ChannelChoice::Mix, Some(SegmentFileSettings { all_channels: true, ..files })),
            denoising(VadInput::Raw, Some(files)),
            denoising(VadInput::Denoised, Some(files)),
        ];
        let mut ids: Vec<_> = recipes.iter().map(|recipe| &recipe.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), recipes.len());
        assert!(recipes[0].writes_equal_files(&recipes[1].text) && !recipes[0].writes_equal_files(&recipes[4].text));
        assert!(!recipes[0].writes_equal_files("not JSON"));
    }

    #[test]
    fn a_recipe_says_how_its_recordings_are_read() {
        assert_eq!(RecipeInput::of(&recipe(ChannelChoice::Mix, None).text), RecipeInput::default());
        assert_eq!(RecipeInput::of("not JSON"), RecipeInput::default());
        let input = RecipeInput {
            channels: ChannelChoice::Split,
            track: TrackChoice::Language("deu".into()),
            raw: "ulaw:8000:2".parse().ok(),
        };
        let engine = Engine::Native(SileroModel::bundled().unwrap());
        let limits = InputLimits { track: input.track.clone(), raw: input.raw, ..InputLimits::default() };
        let (parameters, filter) = (Parameters::default(), SegmentFilter::default());
        let recipe = Recipe::new(&engine, &parameters, input.channels, &limits, None, None, &filter);
        assert!(input.raw.is_some());
        assert_eq!(RecipeInput::of(&recipe.text), input);
    }

    #[test]
    fn recipes_of_one_model_denoise_equally() {
        let files = Some(SegmentFileSettings::default());
        let (raw, denoised) = (denoising(VadInput::Raw, files), denoising(VadInput::Denoised, None));
        assert!(raw.denoises_equally(&denoised.text) && denoised.denoises_equally(&raw.text));
        let off = recipe(ChannelChoice::Mix, files);
        assert!(!off.denoises_equally(&off.text) && !off.denoises_equally(&raw.text));
        assert!(!raw.denoises_equally(&off.text) && !raw.denoises_equally("not JSON"));
        assert!(raw.writes_equal_files(&off.text), "the raw files do not depend on it");
    }
}
