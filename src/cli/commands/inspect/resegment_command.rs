//! The command line of `resegment` that a recipe and parameters stand for.

use std::sync::LazyLock;

use prepare_audio::{
    inspect::Command,
    media::SegmentFileSettings,
    vad::{MaxSpeechCut, ModelFile, Parameters},
};
use serde_json::Value;

/// What a recipe may have that this module knows; see `Recipe::new` in crates/pipeline.
const KNOWN: [&str; 9] =
    ["model_sha256", "vad", "segments", "channels", "audio_track", "raw", "denoise", "vad_on", "filter"];

/// SHA-256 of the bundled model.
static BUNDLED: LazyLock<Option<String>> = LazyLock::new(|| Some(ModelFile::bundled().ok()?.sha256().to_owned()));

/// The command that segments recordings by `parameters`. All other options are those of `recipe`, as far as they are not the
/// defaults: `resegment` does not know the recipe that a recording was prepared with.
pub fn resegment_command(recipe: &Value, parameters: &Parameters, recording: Option<i64>) -> Command {
    let mut words = vec!["prepare-audio".to_owned(), "resegment".to_owned()];
    words.extend(recording.map(|id| id.to_string()));
    let options = vad_options(parameters).into_iter().chain(recipe_options(recipe));
    for (name, value) in options {
        words.push(name.to_owned());
        words.extend(value.map(|value| quoted(&value)));
    }
    Command { line: words.join(" "), remarks: remarks(recipe) }
}

/// An option and its value.
type CommandOption = (&'static str, Option<String>);

/// The options of the parameters that are not the defaults.
fn vad_options(parameters: &Parameters) -> Vec<CommandOption> {
    let (p, d) = (parameters, Parameters::default());
    let cut = (p.max_speech_cut == MaxSpeechCut::Quietest).then_some("quietest");
    let options = [
        ("--vad-threshold", unless_default(p.threshold, d.threshold)),
        ("--vad-neg-threshold", text(p.neg_threshold)),
        ("--vad-min-speech-duration-ms", unless_default(p.min_speech_duration_ms, d.min_speech_duration_ms)),
        ("--vad-max-speech-duration-s", unless_default(p.max_speech_duration_s, d.max_speech_duration_s)),
        ("--vad-min-silence-duration-ms", unless_default(p.min_silence_duration_ms, d.min_silence_duration_ms)),
        ("--vad-speech-pad-ms", unless_default(p.speech_pad_ms, d.speech_pad_ms)),
        (
            "--vad-min-silence-at-max-speech-ms",
            unless_default(p.min_silence_at_max_speech_ms, d.min_silence_at_max_speech_ms),
        ),
        ("--vad-use-max-possible-silence", unless_default(p.use_max_possible_silence, d.use_max_possible_silence)),
        ("--vad-speech-pad-start-ms", text(p.speech_pad_start_ms)),
        ("--vad-speech-pad-end-ms", text(p.speech_pad_end_ms)),
        ("--max-speech-cut", text(cut)),
        ("--merge-to", text(p.merge_to_s)),
        ("--min-dbfs", text(p.min_dbfs)),
    ];
    options.into_iter().filter(|(_, value)| value.is_some()).collect()
}

fn unless_default<T: PartialEq + ToString>(value: T, default: T) -> Option<String> {
    (value != default).then(|| value.to_string())
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// The options of channels, input and segment files that are not the defaults.
fn recipe_options(recipe: &Value) -> Vec<CommandOption> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut options = Vec::new();
    for (name, value) in [
        ("--channels", &recipe["channels"]),
        ("--audio-track", &recipe["audio_track"]),
        ("--raw", &recipe["raw"]),
        ("--vad-on", &recipe["vad_on"]),
        ("--min-snr", &recipe["filter"]["min_snr_db"]),
        ("--min-bandwidth", &recipe["filter"]["min_bandwidth_hz"]),
        ("--max-clipped", &recipe["filter"]["max_clipped"]),
    ] {
        options.extend(scalar(value).map(|value| (name, Some(value))));
    }
    if recipe["denoise"]["model"] == "rnnoise" {
        options.push(("--denoise", Some("rnnoise".to_owned())));
    }
    let segments = &recipe["segments"];
    if segments.is_null() {
        options.push(("--no-audio", None));
        return options;
    }
    let defaults = SegmentFileSettings::default();
    for (name, key, default) in [
        ("--format", "format", defaults.format.name().to_owned()),
        ("--segment-rate", "sample_rate", defaults.rate.to_string()),
        ("--segment-channels", "channels", "1".to_owned()),
        ("--opus-bitrate", "bitrate", "auto".to_owned()),
    ] {
        options.extend(scalar(&segments[key]).filter(|value| *value != default).map(|value| (name, Some(value))));
    }
    options
}

/// What the command leaves to the user.
fn remarks(recipe: &Value) -> Vec<String> {
    let mut remarks = Vec::new();
    if recipe["model_sha256"].as_str() != BUNDLED.as_deref() {
        remarks.push(
            "The recording was prepared with another model than the bundled one: add --vad-model FILE.".to_owned(),
        );
    }
    if !recipe["denoise"].is_null() && recipe["denoise"]["model"] != "rnnoise" {
        remarks.push("The recording was denoised by a model in a file: add --denoise FILE.".to_owned());
    }
    if !recipe["filter"].is_null() {
        remarks.push("The cuts shown here are those before segments are dropped by their figures.".to_owned());
    }
    let unknown: Vec<&str> = recipe
        .as_object()
        .map(|recipe| recipe.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect())
        .unwrap_or_default();
    if !unknown.is_empty() {
        remarks.push(format!("The recipe has more settings, which the command leaves out: {}.", unknown.join(", ")));
    }
    remarks
}

/// A word as a POSIX shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use prepare_audio::{
        media::{ChannelChoice, SegmentFormat, SegmentRate},
        pipeline::{InputLimits, Recipe, SegmentFilter},
        vad::{Engine, SileroModel},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::cli::{
        args::PreparationArgs,
        command_line::{Cli, Command as CliCommand},
    };

    /// What the program reads of a command line.
    fn parsed(line: &str) -> (Vec<String>, PreparationArgs) {
        match Cli::parse_from(line.split(' ')).command {
            CliCommand::Resegment(args) => (args.sources, args.preparation),
            other => panic!("{other:?}"),
        }
    }

    fn recipe(
        parameters: &Parameters,
        channels: ChannelChoice,
        limits: &InputLimits,
        files: Option<SegmentFileSettings>,
    ) -> Recipe {
        let engine = Engine::Native(SileroModel::bundled().unwrap());
        Recipe::new(&engine, parameters, channels, limits, files.as_ref(), None, &SegmentFilter::default())
    }

    fn value(recipe: &Recipe) -> Value {
        serde_json::from_str(&recipe.text).unwrap()
    }

    #[test]
    fn defaults_need_no_options() {
        let recipe = recipe(
            &Parameters::default(),
            ChannelChoice::Mix,
            &InputLimits::default(),
            Some(SegmentFileSettings::default()),
        );
        let command = resegment_command(&value(&recipe), &Parameters::default(), None);
        assert_eq!(command, Command { line: "prepare-audio resegment".into(), remarks: Vec::new() });
        let parameters = Parameters { threshold: 0.6, ..Parameters::default() };
        let command = resegment_command(&value(&recipe), &parameters, Some(12));
        assert_eq!(command.line, "prepare-audio resegment 12 --vad-threshold 0.6");
    }

    #[test]
    fn denoising_and_criteria_are_options() {
        let recipe = serde_json::json!({
            "model_sha256": *BUNDLED, "vad": {}, "segments": null, "vad_on": "denoised",
            "denoise": { "model": "rnnoise", "sha256": "0" }, "filter": { "min_snr_db": 12.5, "max_clipped": 0.0 },
        });
        let Command { line, remarks } = resegment_command(&recipe, &Parameters::default(), None);
        let (_, args) = parsed(&line);
        assert_eq!(
            args.segmentation.filter(),
            SegmentFilter { min_snr_db: Some(12.5), max_clipped: Some(0.0), min_bandwidth_hz: None }
        );
        assert!(line.contains("--denoise rnnoise") && line.contains("--vad-on denoised"), "{line}");
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        let by_file =
            resegment_command(&serde_json::json!({ "denoise": { "model": "onnx" } }), &Parameters::default(), None);
        assert!(by_file.remarks.iter().any(|remark| remark.contains("--denoise FILE")), "{:?}", by_file.remarks);
    }

    prop_compose! {
        fn any_parameters()(
            threshold in 0.02..1.0, neg in prop::option::of(0.0..1.0), times in prop::array::uniform4(0_u32..5000),
            max in prop_oneof![Just(f64::INFINITY), 0.5..100.0], longest in any::<bool>(), quietest in any::<bool>(),
            pads in prop::array::uniform2(prop::option::of(0_u32..900)), merge in prop::option::of(0.5..60.0),
            level in prop::option::of(-90.0..0.0),
        ) -> Parameters {
            Parameters {
                threshold,
                neg_threshold: neg,
                min_speech_duration_ms: times[0],
                max_speech_duration_s: max,
                min_silence_duration_ms: times[1],
                speech_pad_ms: times[2],
                min_silence_at_max_speech_ms: times[3],
                use_max_possible_silence: longest,
                speech_pad_start_ms: pads[0],
                speech_pad_end_ms: pads[1],
                max_speech_cut: if quietest { MaxSpeechCut::Quietest } else { MaxSpeechCut::Official },
                merge_to_s: merge,
                min_dbfs: level,
            }
        }
    }

    proptest! {
        /// The program reads the same parameters from the command, whatever they are.
        #[test]
        fn the_command_has_the_parameters(parameters in any_parameters()) {
            let command = resegment_command(&Value::Null, &parameters, None);
            prop_assert_eq!(parsed(&command.line).1.parameters(), parameters);
        }
    }

    /// The command gives the recipe that it was made from, whatever that has.
    #[test]
    fn the_command_has_the_settings_of_the_recipe() {
        let files = SegmentFileSettings::default();
        let opus = SegmentFileSettings { format: SegmentFormat::Opus, opus_bitrate: Some(16_000), ..files };
        let source =
            SegmentFileSettings { format: SegmentFormat::Flac, rate: SegmentRate::Source, all_channels: true, ..files };
        let track = InputLimits { track: "eng".parse().unwrap(), ..InputLimits::default() };
        let raw = InputLimits { raw: "s16le:8000:1".parse().ok(), ..InputLimits::default() };
        for (channels, limits, files) in [
            (ChannelChoice::Split, InputLimits::default(), Some(files)),
            (ChannelChoice::One(2), track, None),
            (ChannelChoice::Mix, raw, Some(opus)),
            (ChannelChoice::Mix, InputLimits::default(), Some(source)),
            (
                ChannelChoice::Mix,
                InputLimits::default(),
                Some(SegmentFileSettings { rate: SegmentRate::Hz(8_000), ..files }),
            ),
        ] {
            let original = recipe(&Parameters::default(), channels, &limits, files);
            let command = resegment_command(&value(&original), &Parameters::default(), Some(3));
            let (sources, arguments) = parsed(&command.line);
            let (channels, files) = arguments.segments.settings().unwrap();
            let again = recipe(&arguments.parameters(), channels, &arguments.reading.limits().unwrap(), files);
            assert_eq!((again, sources), (original, vec!["3".to_owned()]), "{}", command.line);
        }
    }

    #[test]
    fn what_is_unknown_is_said() {
        let recipe = serde_json::json!({ "model_sha256": "00", "segments": null, "later": 1 });
        let command = resegment_command(&recipe, &Parameters::default(), None);
        assert_eq!(command.line, "prepare-audio resegment --no-audio");
        assert!(command.remarks[0].contains("--vad-model") && command.remarks[1].contains("later"), "{command:?}");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
