//! Hours by a column or by a key of the metadata.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::store::{GroupKey, GroupedRecording, Result, State, Store};

/// Rows that are read at once.
const PAGE: usize = 10_000;
/// Values that are counted apart. Those that come later are counted together, because a key such as a file name may have as
/// many values as there are rows.
const COUNTED: usize = 10_000;
/// Values that are listed; the others are summed up.
const LISTED: usize = 30;
/// Characters of a value.
const LENGTH: usize = 200;

/// Recordings by the values of a column or a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Groups {
    /// The column, or `metadata.KEY`.
    pub by: String,
    /// The groups with the most audio, the longest first.
    pub groups: Vec<Group>,
    /// All others together, if there are more.
    pub others: Option<Group>,
    /// Number of values that `others` stands for, as far as they were counted apart.
    pub other_values: usize,
}

/// Recordings with the same value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// The value; `None` where recordings have none.
    pub value: Option<String>,
    /// Number of recordings, whatever their state.
    pub recordings: u64,
    /// How many of them are done.
    pub done: u64,
    /// How many of them failed or are quarantined.
    pub failed: u64,
    /// Length of the done ones, seconds.
    pub duration_s: f64,
    /// Their speech, seconds.
    pub speech_s: f64,
    /// Their segments.
    pub segments: u64,
}

impl Groups {
    /// Reads all recordings and counts them by the value of `key`.
    pub(super) async fn gather(store: &Store, key: &GroupKey) -> Result<Self> {
        let (mut groups, mut rest) = (HashMap::new(), Group::default());
        let mut after = i64::MIN;
        loop {
            let page = store.grouped(key, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for recording in &page {
                let value = value(key, recording);
                let is_known = groups.len() < COUNTED || groups.contains_key(&value);
                if is_known { groups.entry(value).or_default() } else { &mut rest }.add(recording);
            }
        }
        Ok(Self::new(key.to_string(), groups, rest))
    }

    fn new(by: String, groups: HashMap<Option<String>, Group>, mut rest: Group) -> Self {
        let named = groups.into_iter().map(|(value, group)| Group { value, ..group });
        let mut groups: Vec<Group> = named.collect();
        groups.sort_by(|a, b| {
            b.duration_s.total_cmp(&a.duration_s).then(b.recordings.cmp(&a.recordings)).then(a.value.cmp(&b.value))
        });
        let others = groups.split_off(groups.len().min(LISTED));
        others.iter().for_each(|group| rest.merge(group));
        let other_values = others.len();
        Self { by, groups, others: (rest.recordings > 0).then_some(rest), other_values }
    }
}

impl Group {
    fn add(&mut self, recording: &GroupedRecording) {
        self.recordings += 1;
        self.failed += u64::from(matches!(recording.state, State::Failed | State::Quarantined));
        if recording.state == State::Done {
            self.done += 1;
            self.duration_s += recording.duration_s;
            self.speech_s += recording.speech_s;
            self.segments += recording.segments;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.recordings += other.recordings;
        self.done += other.done;
        self.failed += other.failed;
        self.duration_s += other.duration_s;
        self.speech_s += other.speech_s;
        self.segments += other.segments;
    }
}

/// The value of a recording's key: texts as they are, everything else as JSON.
fn value(key: &GroupKey, recording: &GroupedRecording) -> Option<String> {
    let text = recording.value.as_deref()?;
    let text = match key {
        GroupKey::Column(..) => text.to_owned(),
        GroupKey::Metadata(key) => match in_metadata(&serde_json::from_str(text).ok()?, key)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    };
    Some(text.chars().take(LENGTH).collect())
}

/// As conditions of `export` read it: keys within objects, or one key that has dots itself.
fn in_metadata<'m>(metadata: &'m Value, key: &str) -> Option<&'m Value> {
    key.split('.').try_fold(metadata, |value, key| value.get(key)).or_else(|| metadata.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(state: State, value: Option<&str>) -> GroupedRecording {
        let value = value.map(str::to_owned);
        GroupedRecording { id: 1, state, value, duration_s: 10.0, speech_s: 4.0, segments: 3 }
    }

    #[test]
    fn values_of_metadata_are_texts() {
        let key = |text: &str| GroupKey::Metadata(text.to_owned());
        for (name, metadata, expected) in [
            ("language", r#"{"language": "de"}"#, Some("de")),
            ("age", r#"{"age": 41}"#, Some("41")),
            ("a.b", r#"{"a": {"b": [1]}}"#, Some("[1]")),
            ("a.b", r#"{"a.b": "dotted"}"#, Some("dotted")),
            ("language", r#"{"language": null}"#, None),
            ("language", "[1, 2]", None),
            ("language", "no JSON", None),
        ] {
            let found = value(&key(name), &recording(State::Done, Some(metadata)));
            assert_eq!(found.as_deref(), expected, "{metadata}");
        }
        assert_eq!(value(&key("a"), &recording(State::Done, None)), None);
    }

    #[test]
    fn the_longest_groups_are_listed_and_the_others_summed_up() {
        let mut groups = HashMap::new();
        for number in 0..100 {
            let group: &mut Group = groups.entry(Some(number.to_string())).or_default();
            (0..=number).for_each(|_| group.add(&recording(State::Done, None)));
            group.add(&recording(State::Failed, None));
        }
        let groups = Groups::new("metadata.n".into(), groups, Group::default());
        assert_eq!((groups.groups.len(), groups.other_values), (30, 70));
        let first = &groups.groups[0];
        assert_eq!((first.value.as_deref(), first.done, first.failed, first.segments), (Some("99"), 100, 1, 300));
        let others = groups.others.unwrap();
        assert_eq!((others.recordings, others.done), (2485 + 70, 2485)); // 1 + 2 + ... + 70 = 2485
    }
}
