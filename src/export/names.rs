//! Names of recordings and segments in exports.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use prepare_audio_types::Segment;
use sha2::{Digest, Sha256};

use super::{ExportError, Recording, Result};
use crate::output::{readable_stem, recording_folder};

/// How recordings are named in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The file's name without its ending, as other tools name a recording. Two files of one name are an error.
    Stem,
    /// The file's name without its ending, and a hash of source and recipe: unique.
    Key,
}

/// Names recordings, and makes sure that no two get the same name.
pub(super) struct Names {
    naming: Naming,
    /// Hashes of the stems so far: 8 bytes for each recording instead of its name.
    stems: HashSet<u64>,
}

/// The names of a recording. They consist of letters, digits and `-_.`, and so do those derived from them.
#[derive(Clone, Debug)]
pub struct Name {
    /// The recording's name.
    pub recording: String,
}

impl Names {
    pub fn new(naming: Naming) -> Self {
        Self { naming, stems: HashSet::new() }
    }

    /// The name of a recording.
    ///
    /// # Errors
    /// Where another recording has the same stem.
    pub fn of(&mut self, recording: &Recording) -> Result<Name> {
        if self.naming == Naming::Key {
            return Ok(Name { recording: recording_folder(&recording.source, &recording.recipe) });
        }
        let stem = readable_stem(&recording.source);
        let mut hasher = DefaultHasher::new();
        stem.hash(&mut hasher);
        if !self.stems.insert(hasher.finish()) {
            return Err(ExportError::Invalid(format!(
                "several recordings would be called {stem}, for instance {}; --ids key makes the names unique",
                recording.source
            )));
        }
        Ok(Name { recording: stem })
    }
}

impl Name {
    /// A segment's name: the recording's and the segment's position, and the channel where there are several.
    pub fn segment(&self, segment: &Segment) -> String {
        let channel = segment.channel.map_or_else(String::new, |channel| format!("-c{channel}"));
        format!("{}{channel}-{:05}", self.recording, segment.idx)
    }
}

/// A label from the metadata as an identifier without white space: letters, digits, `_` and `.`. An identifier that differs
/// from its label ends with a hash of the label, so that two labels never share one. `-` is replaced, too: it ends the
/// speaker's part of an utterance id. No other character of an id sorts before it, so speakers and utterances have the same order.
pub(super) fn identifier(label: &str) -> String {
    let safe: String = label.chars().map(|c| if c.is_alphanumeric() || "_.".contains(c) { c } else { '_' }).collect();
    let mut short = safe.as_str();
    while short.len() > 80 {
        short = short.char_indices().next_back().map_or("", |(at, _)| &short[..at]);
    }
    if short == label {
        return safe;
    }
    format!("{short}_{}", hex::encode(&Sha256::digest(label)[..4]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recording(source: &str) -> Recording {
        Recording { source: source.into(), recipe: "r".into(), ..Recording::default() }
    }

    #[test]
    fn stems_must_be_unique_and_keys_are() {
        let mut names = Names::new(Naming::Stem);
        assert_eq!(names.of(&recording("/a/call 1.mp3")).unwrap().recording, "call_1");
        let error = names.of(&recording("/b/call 1.wav")).unwrap_err().to_string();
        assert!(error.contains("call_1") && error.contains("/b/call 1.wav") && error.contains("--ids key"), "{error}");
        let mut names = Names::new(Naming::Key);
        let [a, b] = ["/a/call 1.mp3", "/b/call 1.wav"].map(|source| names.of(&recording(source)).unwrap().recording);
        assert_ne!(a, b);
        assert!(a.starts_with("call_1-"));
    }

    proptest! {
        #[test]
        fn identifiers_are_safe_and_distinct(a in any::<String>(), b in any::<String>()) {
            let [id_a, id_b] = [&a, &b].map(|label| identifier(label));
            prop_assert!(id_a.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)), "{}", id_a);
            prop_assert!(id_a.len() <= 89);
            prop_assert_eq!(a == b, id_a == id_b);
        }
    }
}
