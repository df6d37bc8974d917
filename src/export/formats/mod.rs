//! The formats. Each is a [`Writer`] in a module of its own; [`Format`] knows what they have in common.
//!
//! To add a format: its module here, a variant with its line in the table below, and a consumer in tests/consumers.py.

mod annotations;
mod huggingface;
mod kaldi;
mod lhotse;
mod lines;
mod ljspeech;
#[cfg(feature = "parquet")]
mod parquet;
mod per_recording;
mod subtitles;
mod table;
mod webdataset;

use std::{fmt, str::FromStr};

use super::{AudioFiles, Naming, Recording, Result, Settings, names::Name, target::Target};

/// Writes recordings in one format.
pub(super) trait Writer: Send {
    /// Writes a recording's segments, at least one unless [`Format::takes_silent_recordings`].
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()>;

    /// Completes the files.
    fn finish(&mut self, target: &mut Target) -> Result<()>;
}

/// A format of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lhotse's recordings, supervisions and cuts.
    Lhotse,
    /// NeMo's manifest.
    Nemo,
    /// Kaldi's data folder.
    Kaldi,
    /// Hugging Face's audiofolder.
    HuggingFace,
    /// Hugging Face's dataset as Parquet, with the audio inside.
    HuggingFaceParquet,
    /// WebDataset's tar shards.
    WebDataset,
    /// LJSpeech's folder.
    LjSpeech,
    /// NIST's Rich Transcription Time Marked.
    Rttm,
    /// NIST's time-marked words.
    Ctm,
    /// NIST's un-partitioned evaluation map.
    Uem,
    /// NIST's segment time marks.
    Stm,
    /// Praat's TextGrid.
    TextGrid,
    /// ELAN's annotation file.
    Eaf,
    /// Audacity's labels.
    Audacity,
    /// SubRip's subtitles.
    Srt,
    /// WebVTT.
    Vtt,
    /// WhisperX's JSON.
    WhisperX,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// JSON lines.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// What a format is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One file for all recordings, or one for each.
    Lines,
    /// One file for all recordings.
    OneFile,
    /// One file for each recording.
    PerRecording,
    /// A folder of files.
    Corpus,
}

impl Format {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Lhotse,
        Self::Nemo,
        Self::Kaldi,
        Self::HuggingFace,
        Self::HuggingFaceParquet,
        Self::WebDataset,
        Self::LjSpeech,
        Self::Rttm,
        Self::Ctm,
        Self::Uem,
        Self::Stm,
        Self::TextGrid,
        Self::Eaf,
        Self::Audacity,
        Self::Srt,
        Self::Vtt,
        Self::WhisperX,
        Self::Csv,
        Self::Tsv,
        Self::JsonLines,
        Self::Parquet,
    ];

    /// Name, shape, extension, and what it is for.
    fn facts(self) -> (&'static str, Shape, &'static str, &'static str) {
        use Shape::{Corpus, Lines, OneFile, PerRecording};
        match self {
            Self::Lhotse => ("lhotse", Corpus, "", "recordings, supervisions and cuts for Lhotse, icefall and K2"),
            Self::Nemo => ("nemo", OneFile, "jsonl", "a manifest for NVIDIA NeMo"),
            Self::Kaldi => ("kaldi", Corpus, "", "a data folder for Kaldi and ESPnet"),
            Self::HuggingFace => ("huggingface", Corpus, "", "an audiofolder for Hugging Face datasets"),
            Self::HuggingFaceParquet => {
                ("huggingface-parquet", Corpus, "", "the same as Parquet, with the audio inside (feature parquet)")
            }
            Self::WebDataset => ("webdataset", Corpus, "", "tar shards for WebDataset"),
            Self::LjSpeech => {
                ("ljspeech", Corpus, "", "wavs/ and metadata.csv for TTS recipes; needs texts and WAV files")
            }
            Self::Rttm => ("rttm", Lines, "rttm", "speaker turns for pyannote and dscore"),
            Self::Ctm => ("ctm", Lines, "ctm", "time marks with words"),
            Self::Uem => ("uem", Lines, "uem", "the extent of each recording, for scoring"),
            Self::Stm => ("stm", Lines, "stm", "segment time marks with texts, for sclite"),
            Self::TextGrid => ("textgrid", PerRecording, "TextGrid", "tiers for Praat"),
            Self::Eaf => ("eaf", PerRecording, "eaf", "tiers for ELAN"),
            Self::Audacity => ("audacity", PerRecording, "txt", "a label track for Audacity"),
            Self::Srt => ("srt", PerRecording, "srt", "SubRip subtitles"),
            Self::Vtt => ("vtt", PerRecording, "vtt", "WebVTT subtitles"),
            Self::WhisperX => ("whisperx", PerRecording, "json", "segments as WhisperX writes them"),
            Self::Csv => ("csv", OneFile, "csv", "all columns, for pandas and spreadsheets"),
            Self::Tsv => ("tsv", OneFile, "tsv", "all columns, separated by tabs"),
            Self::JsonLines => ("jsonl", OneFile, "jsonl", "all columns, a JSON object a line"),
            Self::Parquet => ("parquet", OneFile, "parquet", "all columns, typed and compressed (feature parquet)"),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// What it is for.
    pub fn purpose(self) -> &'static str {
        self.facts().3
    }

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        self.facts().2
    }

    /// Whether it is a folder of several files.
    pub fn is_corpus(self) -> bool {
        self.facts().1 == Shape::Corpus
    }

    /// Whether it has a file for each recording and no other form.
    pub fn is_per_recording(self) -> bool {
        self.facts().1 == Shape::PerRecording
    }

    /// Whether it is one file for all recordings and has no other form.
    pub fn is_one_file(self) -> bool {
        matches!(self.facts().1, Shape::OneFile | Shape::Lines)
    }

    /// Whether it may have a file for each recording.
    pub fn may_be_per_recording(self) -> bool {
        matches!(self.facts().1, Shape::PerRecording | Shape::Lines)
    }

    /// How recordings are named unless the user wishes otherwise. Annotations name a recording as the tools that read
    /// them do, by its file; corpora need unique names.
    pub(super) fn naming(self) -> Naming {
        match self.facts().1 {
            Shape::Lines | Shape::PerRecording => Naming::Stem,
            Shape::OneFile | Shape::Corpus => Naming::Key,
        }
    }

    /// The audio that it refers to unless the user wishes otherwise. Kaldi's own form is a recording with offsets.
    pub(super) fn audio(self) -> AudioFiles {
        if self == Self::Kaldi { AudioFiles::Sources } else { AudioFiles::Segments }
    }

    /// Whether its files name or contain audio files.
    pub(super) fn refers_to_audio(self) -> bool {
        use Format::{HuggingFace, HuggingFaceParquet, Kaldi, Lhotse, LjSpeech, Nemo, WebDataset};
        matches!(self, Lhotse | Nemo | Kaldi | HuggingFace | HuggingFaceParquet | WebDataset | LjSpeech)
    }

    /// Whether it can refer to sources by offset and duration.
    pub(super) fn can_refer_to_sources(self) -> bool {
        matches!(self, Self::Lhotse | Self::Nemo | Self::Kaldi)
    }

    /// Whether its columns must be known before the first row.
    pub fn has_columns(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::HuggingFace | Self::HuggingFaceParquet | Self::Parquet)
    }

    /// Whether it cannot do without a transcript.
    pub(super) fn needs_text(self) -> bool {
        self == Self::LjSpeech
    }

    /// Whether a recording without segments has a place in it.
    pub(super) fn takes_silent_recordings(self) -> bool {
        self == Self::Uem || self.is_per_recording()
    }

    /// Whether it can hold this path. Kaldi's tables have a line for each file, and a `|` at the end of one makes it a
    /// command.
    pub(super) fn can_write_path(self, path: &str) -> bool {
        match self {
            Self::Kaldi => !path.contains(['\n', '\r']) && !path.ends_with('|') && path.trim() == path,
            _ => true,
        }
    }

    /// A writer of this format.
    pub(super) fn writer(self, settings: &Settings, target: &mut Target) -> Result<Box<dyn Writer>> {
        Ok(match self {
            Self::Lhotse => Box::new(lhotse::Lhotse::new(settings, target)?),
            Self::Nemo => Box::new(lines::nemo(settings, target)?),
            Self::JsonLines => Box::new(lines::json_lines(target)?),
            Self::Kaldi => Box::new(kaldi::Kaldi::new(settings)),
            Self::HuggingFace => Box::new(huggingface::AudioFolder::new(settings, target)?),
            Self::LjSpeech => Box::new(ljspeech::LjSpeech::new(target)?),
            Self::WebDataset => Box::new(webdataset::WebDataset::new(settings)),
            Self::Rttm => Box::new(annotations::writer(annotations::rttm, self, target)?),
            Self::Ctm => Box::new(annotations::writer(annotations::ctm, self, target)?),
            Self::Uem => Box::new(annotations::writer(annotations::uem, self, target)?),
            Self::Stm => Box::new(annotations::writer(annotations::stm, self, target)?),
            Self::TextGrid => Box::new(annotations::writer(per_recording::textgrid, self, target)?),
            Self::Eaf => Box::new(annotations::writer(per_recording::eaf, self, target)?),
            Self::Audacity => Box::new(annotations::writer(per_recording::audacity, self, target)?),
            Self::WhisperX => Box::new(annotations::writer(per_recording::whisperx, self, target)?),
            Self::Srt => Box::new(annotations::writer(subtitles::srt, self, target)?),
            Self::Vtt => Box::new(annotations::writer(subtitles::vtt, self, target)?),
            Self::Csv => Box::new(table::Table::new(b',', settings, target)?),
            Self::Tsv => Box::new(table::Table::new(b'\t', settings, target)?),
            #[cfg(feature = "parquet")]
            Self::HuggingFaceParquet => Box::new(parquet::AudioDataset::new(settings)),
            #[cfg(feature = "parquet")]
            Self::Parquet => Box::new(parquet::ParquetTable::new(settings, target)?),
            #[cfg(not(feature = "parquet"))]
            Self::HuggingFaceParquet | Self::Parquet => return Err(super::ExportError::NotCompiled("parquet")),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.iter().find(|format| format.name() == text);
        known.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("{text:?} is no format of exports; there are {}", names.join(", "))
        })
    }
}
