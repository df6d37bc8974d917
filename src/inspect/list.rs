//! A page of recordings. Pages begin behind an id, so that the last one is as fast as the first.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::{Failure, Query};
use crate::store::{Direction, ListedRecording, RecordingFilter, State, StateCount, Store};

/// Recordings of a page.
const PAGE: usize = 50;
/// Recordings that a statement of a search goes through.
const STEP: usize = 20_000;
/// Recordings that a statement returns where metadata is compared here.
const COMPARED: usize = 1_000;
/// How long a search goes on. What it has not gone through by then is searched by the next page.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A state with fewer recordings than this is searched by its index.
const RARE: i64 = 10_000;
/// Counts are used for so many times the time that counting took.
const KEPT: u32 = 20;

/// The parameters of a search.
pub const PARAMETERS: [&str; 3] = ["q", "state", "metadata"];

/// A page of recordings.
#[derive(Debug)]
pub struct Found {
    /// What was asked for.
    pub query: Query,
    /// Counts by state, of all recordings.
    pub states: Vec<StateCount>,
    /// The page, the newest first.
    pub rows: Vec<ListedRecording>,
    /// The id that the page of newer recordings begins behind, if there may be some.
    pub newer: Option<i64>,
    /// The id that the page of older recordings begins behind, if there may be some.
    pub older: Option<i64>,
    /// Whether the search ended before it had gone through the recordings of a whole page.
    pub ended_early: bool,
}

/// The counts by state. Counting goes through all recordings, so the counts are used again for a while: for a moment where
/// there are few.
#[derive(Default)]
pub struct Counts(Mutex<Option<(Instant, Vec<StateCount>)>>);

impl Counts {
    async fn get(&self, store: &Store) -> Result<Vec<StateCount>, Failure> {
        let mut kept = self.0.lock().await;
        let started = Instant::now();
        match &*kept {
            Some((until, counts)) if *until > started => Ok(counts.clone()),
            _ => {
                let counts = store.counts().await?;
                *kept = Some((Instant::now() + KEPT * started.elapsed(), counts.clone()));
                Ok(counts)
            }
        }
    }
}

/// What is searched for.
struct Search {
    filter: RecordingFilter,
    /// A key of the metadata and its value. The database only finds them in the text, which may be no JSON at all.
    pair: Option<(String, String)>,
    direction: Direction,
    cursor: i64,
}

impl Search {
    fn new(query: &Query, states: &[StateCount]) -> Result<Self, Failure> {
        let metadata = query.text("metadata").map(str::to_owned);
        let pair = metadata.as_deref().and_then(|text| text.split_once('='));
        let pair = pair.map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches('"').to_owned()));
        let parts = match &pair {
            Some((key, value)) => [key.rsplit('.').next().unwrap_or(key), value]
                .iter()
                .filter(|part| is_plain(part))
                .map(|part| (*part).to_owned())
                .collect(),
            None => metadata.into_iter().collect(),
        };
        let state = query.text("state").map(str::parse::<State>).transpose().map_err(Failure::Invalid)?;
        let number = states.iter().find(|count| Some(count.state) == state).map_or(0, |count| count.recordings);
        let source = query.text("q").map(str::to_owned);
        let (direction, cursor) = match (query.value("after")?, query.value("before")?) {
            (Some(after), _) => (Direction::Newer, after),
            (None, before) => (Direction::Older, before.unwrap_or(i64::MAX)),
        };
        let filter = RecordingFilter { source, metadata: parts, state, is_rare: number < RARE };
        Ok(Self { filter, pair, direction, cursor })
    }

    /// The bounds of ids from `cursor` to `last`, both exclusive.
    fn ids(&self, cursor: i64, last: Option<i64>) -> (i64, i64) {
        match self.direction {
            Direction::Older => (last.map_or(i64::MIN, |last| last.saturating_sub(1)), cursor),
            Direction::Newer => (cursor, last.map_or(i64::MAX, |last| last.saturating_add(1))),
        }
    }

    fn meets(&self, row: &ListedRecording) -> bool {
        self.pair.as_ref().is_none_or(|(key, value)| row.metadata.as_deref().is_some_and(|json| has(json, key, value)))
    }

    /// The rows, one more than a page has if there are more; and the id to go on behind, if it ended early.
    async fn rows(&self, store: &Store) -> Result<(Vec<ListedRecording>, Option<i64>), Failure> {
        let (started, mut cursor, mut rows) = (Instant::now(), self.cursor, Vec::new());
        loop {
            let last = match self.filter.is_empty() || self.filter.uses_index() {
                true => None,
                false => match store.listed_until(cursor, self.direction, STEP).await? {
                    None => return Ok((rows, None)),
                    last => last,
                },
            };
            let limit = if self.pair.is_some() { COMPARED } else { PAGE + 1 };
            let page = store.listed(&self.filter, self.ids(cursor, last), self.direction, limit).await?;
            let next = if page.len() == limit { page.last().map(|row| row.id) } else { last };
            rows.extend(page.into_iter().filter(|row| self.meets(row)));
            match next {
                Some(next) if rows.len() <= PAGE => cursor = next,
                _ => return Ok((rows, None)),
            }
            if started.elapsed() > PATIENCE {
                return Ok((rows, Some(cursor)));
            }
        }
    }
}

/// Searches for a page.
pub async fn search(store: &Store, counts: &Counts, query: &Query) -> Result<Found, Failure> {
    let states = counts.get(store).await?;
    let search = Search::new(query, &states)?;
    let (mut rows, ended_at) = search.rows(store).await?;
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let onward = if has_more { rows.last().map(|row| row.id) } else { ended_at };
    let is_first = search.direction == Direction::Older && search.cursor == i64::MAX;
    let back = if is_first { None } else { Some(rows.first().map_or(search.cursor, |row| row.id)) };
    let (newer, older) = match search.direction {
        Direction::Older => (back, onward),
        Direction::Newer => {
            rows.reverse();
            (onward, back)
        }
    };
    Ok(Found { query: query.clone(), states, rows, newer, older, ended_early: ended_at.is_some() })
}

/// Whether JSON has only one way to write the text.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_.,:".contains(&byte))
}

/// Whether the metadata has this value under this key. Keys within objects are separated by dots.
fn has(json: &str, key: &str, wanted: &str) -> bool {
    let Ok(metadata) = serde_json::from_str::<Value>(json) else { return false };
    let found = metadata.get(key).or_else(|| key.split('.').try_fold(&metadata, |value, key| value.get(key)));
    match found {
        Some(Value::String(text)) => text == wanted,
        Some(other) => serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *other),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_has_values_under_keys() {
        let json = r#"{"language": "de", "age": 41, "place": {"city": "Köln"}, "a.b": true, "none": null}"#;
        for (key, value, is_there) in [
            ("language", "de", true),
            ("language", "d", false),
            ("age", "41", true),
            ("place.city", "Köln", true),
            ("a.b", "true", true),
            ("none", "null", true),
            ("city", "Köln", false),
        ] {
            assert_eq!(has(json, key, value), is_there, "{key}={value}");
        }
        assert!(!has("{", "language", "de"));
    }

    #[test]
    fn a_pair_is_found_by_its_innermost_key() {
        let search = Search::new(&Query::parse("metadata=place.city%3D%22K%C3%B6ln%22&after=5"), &[]).unwrap();
        assert_eq!(search.filter.metadata, ["city"], "JSON may escape the letter");
        assert_eq!(search.pair, Some(("place.city".into(), "Köln".into())));
        assert_eq!((search.direction, search.cursor), (Direction::Newer, 5));
        assert_eq!(search.ids(5, Some(9)), (5, 10));
        let search = Search::new(&Query::parse("metadata=de"), &[]).unwrap();
        assert_eq!((search.filter.metadata.as_slice(), search.pair.as_ref()), (&["de".to_owned()][..], None));
        let search = Search::new(&Query::parse("metadata=language%3Dde"), &[]).unwrap();
        assert_eq!(search.filter.metadata, ["language", "de"]);
        assert_eq!(search.ids(i64::MAX, None), (i64::MIN, i64::MAX));
        assert!(
            Search::new(&Query::parse("state=finished"), &[]).is_err()
                && Search::new(&Query::parse("before=x"), &[]).is_err()
        );
    }
}
