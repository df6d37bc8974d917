//! The audio tracks of a file, and the selection of one.

use std::{collections::HashMap, convert::Infallible, str::FromStr};

use symphonia::core::{
    codecs::CodecParameters,
    formats::{FormatReader, Track, TrackFlags},
};

use super::{codecs::codec_short_name, languages::same_language, matroska_tracks, mp4_tracks};
use crate::MediaInput;

/// The properties of an audio track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackInfo {
    /// Its number among the audio tracks, from 1.
    pub number: u32,
    /// Its id in the container.
    pub id: u32,
    /// The codec's short name, or the container's name for it.
    pub codec: String,
    /// Its language tag in the container; `None` if it is undetermined.
    pub language: Option<String>,
    /// Channels, if the header has them.
    pub channels: Option<usize>,
    /// Its title.
    pub title: Option<String>,
    /// Whether it is flagged as default.
    pub is_default: bool,
}

/// Properties of an audio track that symphonia's readers do not report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrackDetails {
    pub id: u32,
    /// The container's name for the codec.
    pub codec: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub is_default: bool,
    pub is_encrypted: bool,
}

/// Selects an audio track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrackChoice {
    /// The one flagged as default, or else the first.
    #[default]
    Default,
    /// By number, from 1.
    Number(u32),
    /// The first track of a language.
    Language(String),
}

/// The file has no track of this number or language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no audio track {requested}; the file has {present}")]
pub struct NoSuchTrack {
    /// The requested track.
    pub requested: String,
    /// The existing tracks.
    pub present: String,
}

impl FromStr for TrackChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(number) => Self::Number(number),
            Err(_) if text == "default" => Self::Default,
            Err(_) => Self::Language(text.to_owned()),
        })
    }
}

impl TrackChoice {
    /// Selects one of `tracks`.
    ///
    /// # Errors
    /// If there is no such track.
    pub fn choose<'t>(&self, tracks: &'t [TrackInfo]) -> Result<&'t TrackInfo, NoSuchTrack> {
        let found = match self {
            Self::Default => tracks.iter().find(|track| track.is_default).or(tracks.first()),
            Self::Number(number) => tracks.iter().find(|track| track.number == *number),
            Self::Language(language) => {
                let matches =
                    |track: &&TrackInfo| track.language.as_deref().is_some_and(|own| same_language(own, language));
                tracks.iter().find(matches)
            }
        };
        found.ok_or_else(|| NoSuchTrack { requested: self.to_string(), present: list(tracks) })
    }
}

impl std::fmt::Display for TrackChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Language(language) => f.write_str(language),
        }
    }
}

/// For messages: `1 (deu), 2 (eng)`.
fn list(tracks: &[TrackInfo]) -> String {
    let each = tracks.iter().map(|track| match &track.language {
        Some(language) => format!("{} ({language})", track.number),
        None => track.number.to_string(),
    });
    match tracks {
        [] => "none".into(),
        _ => each.collect::<Vec<_>>().join(", "),
    }
}

/// The audio tracks of `input`, which `reader` has opened, in the file's order. Tracks of an unknown codec count too, so that
/// the numbers match those of other programs.
pub(super) fn audio_tracks(reader: &dyn FormatReader, input: &dyn MediaInput) -> Vec<TrackInfo> {
    let details = match reader.format_info().short_name {
        "isomp4" => mp4_tracks::details(input),
        "matroska" => input.open().ok().and_then(matroska_tracks::details),
        _ => None,
    };
    let known: HashMap<u32, &Track> = reader.tracks().iter().map(|track| (track.id, track)).collect();
    match details.filter(|details| !details.is_empty()) {
        Some(details) => number(details.into_iter().map(|details| {
            let channels = known.get(&details.id).and_then(|track| channels(track));
            let codec = known.get(&details.id).and_then(|track| codec(track)).unwrap_or(details.codec);
            let TrackDetails { id, language, title, is_default, .. } = details;
            TrackInfo { number: 0, id, codec, language, channels, title, is_default }
        })),
        None => number(reader.tracks().iter().filter(|track| is_audio(track)).map(|track| TrackInfo {
            number: 0,
            id: track.id,
            codec: codec(track).unwrap_or_default(),
            language: track.language.clone().and_then(determined),
            channels: channels(track),
            title: None,
            is_default: track.flags.contains(TrackFlags::DEFAULT),
        })),
    }
}

fn number(tracks: impl Iterator<Item = TrackInfo>) -> Vec<TrackInfo> {
    (1..).zip(tracks).map(|(number, track)| TrackInfo { number, ..track }).collect()
}

fn is_audio(track: &Track) -> bool {
    matches!(track.codec_params, Some(CodecParameters::Audio(_)))
}

fn channels(track: &Track) -> Option<usize> {
    track.codec_params.as_ref()?.audio()?.channels.as_ref().map(|channels| channels.count())
}

fn codec(track: &Track) -> Option<String> {
    codec_short_name(track.codec_params.as_ref()?.audio()?.codec).map(str::to_owned)
}

/// `None` for an undetermined language: `und`, or an empty tag.
pub(super) fn determined(language: String) -> Option<String> {
    Some(language).filter(|language| !language.is_empty() && language != "und")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: u32, language: Option<&str>, is_default: bool) -> TrackInfo {
        let language = language.map(str::to_owned);
        TrackInfo { number, id: number + 1, codec: "aac".into(), language, channels: Some(2), title: None, is_default }
    }

    #[test]
    fn a_choice_is_a_number_a_language_or_the_default() {
        let tracks = [track(1, Some("ger"), false), track(2, Some("en-US"), true), track(3, None, false)];
        let chosen = |text: &str| text.parse::<TrackChoice>().unwrap().choose(&tracks).map(|track| track.number);
        assert_eq!(
            ["default", "3", "de", "deu", "eng", "EN"].map(|text| chosen(text).ok()),
            [2, 3, 1, 1, 2, 2].map(Some)
        );
        let missing = chosen("fra").unwrap_err();
        assert_eq!(missing.to_string(), "no audio track fra; the file has 1 (ger), 2 (en-US), 3");
        assert!(chosen("4").is_err() && chosen("0").is_err());
        assert_eq!(TrackChoice::Default.choose(&tracks[2..]).map(|track| track.number), Ok(3));
        assert!(TrackChoice::Default.choose(&[]).is_err());
    }

    #[test]
    fn tracks_are_listed() {
        let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats");
        for (name, codec) in [("film_opus.mkv", "opus"), ("film_aac.mp4", "aac"), ("mp2_48k.mp2", "mp2")] {
            let input = crate::LocalFile::new(fixtures.join(name));
            let reader = super::super::open::open_container(&input).unwrap();
            let tracks = audio_tracks(&*reader, &input);
            assert_eq!(tracks.len(), 1, "{name}");
            assert_eq!((tracks[0].number, tracks[0].codec.as_str()), (1, codec), "{name}");
        }
    }
}
