//! Which part of a corpus a recording belongs to: training, development or test.

use sha2::{Digest, Sha256};

use super::Recording;

/// Parts of a corpus with their shares. The part of a recording is decided by a hash of its key, so that it stays the same
/// when rows are added, and recordings with one key are never in two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Name and share of each part. The shares add up to 1.
    parts: Vec<(String, f64)>,
    /// The metadata key that is hashed; `None` for the source.
    by: Option<String>,
}

/// A split that cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}; write NAME=SHARE,NAME=SHARE, for instance train=0.9,dev=0.05,test=0.05")]
pub struct InvalidSplit(String);

impl Split {
    /// A split of `train=0.9,dev=0.05,test=0.05`, by the metadata's `key` or, without one, by the source.
    ///
    /// # Errors
    /// Where the text is not such a list, or the shares do not add up to 1.
    pub fn parse(text: &str, key: Option<&str>) -> Result<Self, InvalidSplit> {
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(|| InvalidSplit(format!("{part:?} has no share")))?;
            let name = name.trim();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || !name.chars().all(is_plain) {
                return Err(InvalidSplit(format!("{name:?} is no name for a part: letters, digits, - and _ are")));
            }
            let share: f64 = share
                .trim()
                .parse()
                .map_err(|_| InvalidSplit(format!("{share:?} is no share, a number from 0 to 1")))?;
            if !(0.0..=1.0).contains(&share) {
                return Err(InvalidSplit(format!("{share} is no share, a number from 0 to 1")));
            }
            if parts.iter().any(|(known, _)| known == name) {
                return Err(InvalidSplit(format!("part {name} is named twice")));
            }
            parts.push((name.to_owned(), share));
        }
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() > 1e-6 {
            return Err(InvalidSplit(format!("the shares add up to {sum}, not to 1")));
        }
        Ok(Self { parts, by: key.map(str::to_owned) })
    }

    /// The names of the parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(name, _)| name.as_str())
    }

    /// The position of the part that a recording belongs to. A recording whose metadata lacks the key is hashed by its
    /// source.
    pub(super) fn part_of(&self, recording: &Recording) -> usize {
        let key = self.by.as_deref().and_then(|key| recording.label(key));
        let position = position(key.as_deref().unwrap_or(&recording.source));
        let mut end = 0.0;
        for (index, (_, share)) in self.parts.iter().enumerate() {
            end += share;
            if position < end {
                return index;
            }
        }
        // Rounding: the shares may add up to a little less than 1.
        self.parts.iter().rposition(|(_, share)| *share > 0.0).unwrap_or_default()
    }
}

/// Where a key lies from 0 to 1: the first 53 bits of its SHA-256.
fn position(key: &str) -> f64 {
    let digest = Sha256::digest(key.as_bytes());
    let bits = digest.iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shares_add_up_to_one() {
        for (text, problem) in [
            ("train=0.9,dev=0.1", None),
            ("a=1", None),
            ("a=0.5,b=0.4", Some("add up to 0.9")),
            ("a", Some("has no share")),
            ("a=x", Some("is no share")),
            ("a=-1,b=2", Some("is no share")),
            ("a=0.5,a=0.5", Some("named twice")),
            ("../x=1", Some("is no name")),
        ] {
            let got = Split::parse(text, None).map(|_| ()).map_err(|error| error.to_string());
            match problem {
                None => assert_eq!(got, Ok(()), "{text}"),
                Some(problem) => assert!(got.unwrap_err().contains(problem), "{text}"),
            }
        }
    }

    /// SHA-256 of "abc" begins with ba7816bf (FIPS 180-2, appendix B.1): 0xba7816bf / 2^32 is 0.72839...
    #[test]
    fn the_position_is_the_hash_as_a_fraction() {
        assert!((position("abc") - f64::from(0xba78_16bf_u32) / f64::from(u32::MAX)).abs() < 1e-9);
    }

    #[test]
    fn a_speaker_is_in_one_part_and_the_shares_are_kept() {
        let split = Split::parse("train=0.8,test=0.2", Some("speaker")).unwrap();
        let part = |source: usize, speaker: usize| {
            let metadata = json!({ "speaker": format!("s{speaker}") }).as_object().unwrap().clone();
            split.part_of(&Recording { source: format!("{source}.wav"), metadata, ..Recording::default() })
        };
        let parts: Vec<_> = (0..10_000).map(|speaker| part(0, speaker)).collect();
        assert!((0..10_000).all(|speaker| part(1, speaker) == parts[speaker]));
        // Four standard deviations of a binomial distribution: 4 sqrt(10,000 x 0.8 x 0.2) = 160.
        let train = parts.iter().filter(|part| **part == 0).count();
        assert!((7840..=8160).contains(&train), "{train}");
    }
}
