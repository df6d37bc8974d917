//! What is measured of segments and recordings: one line for each histogram, for each count by name, and for each key that
//! recordings are grouped by.

use serde::Serialize;

use self::{
    Outliers::{Both, Greatest, Least},
    Table::{Recording, Segment},
};

/// The rows that are measured, as SQL knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Segments `s` of done recordings `r`.
    Segment,
    /// Done recordings `r`.
    Recording,
}

/// A number that each row has or lacks, and the classes of its histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The unit of its values, empty for a share.
    pub unit: &'static str,
    /// The rows.
    pub table: Table,
    /// The value in SQL.
    pub sql: &'static str,
    /// Start of the first class, which also has all lower values.
    pub low: f64,
    /// End of the last class, which also has all higher values.
    pub high: f64,
    /// Number of classes.
    pub classes: u32,
    /// Which rows are worth a look.
    pub outliers: Outliers,
}

/// Which rows of a measure are worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outliers {
    /// Those with the least values.
    Least,
    /// Those with the greatest values.
    Greatest,
    /// Both.
    Both,
}

/// The start of the first class, the end of the last one, and the number of classes.
type Classes = (f64, f64, u32);

const fn measure(
    (name, title, unit): (&'static str, &'static str, &'static str),
    table: Table,
    sql: &'static str,
    (low, high, classes): Classes,
    outliers: Outliers,
) -> Measure {
    Measure { name, title, unit, table, sql, low, high, classes, outliers }
}

/// All measures, in the order of the page. A new column of `segment` is one line here.
#[rustfmt::skip]
pub const MEASURES: &[Measure] = &[
    measure(("segment_length", "Segment length", "s"), Segment, "s.end_s - s.start_s", (0.0, 30.0, 30), Both),
    measure(("mean_probability", "Mean speech probability", ""), Segment, "s.mean_probability", (0.0, 1.0, 40), Least),
    measure(("level", "Level (RMS)", "dBFS"), Segment, "s.level_dbfs", (-80.0, 0.0, 40), Both),
    measure(("snr", "Signal-to-noise ratio", "dB"), Segment, "s.snr_db", (-10.0, 60.0, 35), Least),
    measure(("loudness", "Loudness", "LUFS"), Segment, "s.loudness_lufs", (-60.0, 0.0, 30), Both),
    measure(("bandwidth", "Bandwidth", "Hz"), Segment, "s.bandwidth_hz", (0.0, 24_000.0, 48), Least),
    measure(("dnsmos_overall", "DNSMOS, overall", ""), Segment, "s.dnsmos_overall", (1.0, 5.0, 40), Least),
    measure(("recording_length", "Recording length", "min"), Recording, "r.duration_s / 60.0", (0.0, 60.0, 30), Greatest),
    measure(("speech_share", "Share of speech", ""), Recording, "r.speech_s / NULLIF(r.duration_s, 0)", (0.0, 1.0, 25), Least),
    measure(("speed", "Speed of preparation", "× real time"), Recording, "r.duration_s * 1000 / NULLIF(r.total_ms, 0)",
            (0.0, 2000.0, 40), Least),
];

/// A name that each row has, of which there are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The rows.
    pub table: Table,
    /// The name in SQL.
    pub sql: &'static str,
}

/// All categories, in the order of the page.
#[rustfmt::skip]
pub const CATEGORIES: &[Category] = &[
    Category { name: "cut", title: "How segments end", table: Table::Segment, sql: "s.cut" },
    Category { name: "codec", title: "Codecs of the sources", table: Table::Recording, sql: "r.codec" },
];

/// What recordings are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// A column of text: its name, and its text in SQL.
    Column(&'static str, &'static str),
    /// A key of the metadata; keys within objects are separated by dots.
    Metadata(String),
}

/// The columns that recordings may be grouped by.
const COLUMNS: &[(&str, &str)] = &[
    ("container", "r.container"),
    ("codec", "r.codec"),
    ("sample_rate", "CAST(r.sample_rate AS TEXT)"),
    ("channels", "CAST(r.channels AS TEXT)"),
    ("recipe", "r.recipe"),
    ("model", "r.model"),
];

/// The error for text that names no key of groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write metadata.KEY, as in metadata.language, or one of container, codec, sample_rate, channels, recipe and model"
)]
pub struct UnknownGroupKey;

impl std::str::FromStr for GroupKey {
    type Err = UnknownGroupKey;

    fn from_str(text: &str) -> Result<Self, UnknownGroupKey> {
        if let Some(key) = text.strip_prefix("metadata.").filter(|key| !key.is_empty()) {
            return Ok(Self::Metadata(key.to_owned()));
        }
        let column = COLUMNS.iter().find(|(name, _)| *name == text);
        column.map(|(name, sql)| Self::Column(name, sql)).ok_or(UnknownGroupKey)
    }
}

impl std::fmt::Display for GroupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Column(name, _) => f.write_str(name),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_groups_are_parsed() {
        for text in ["metadata.language", "metadata.a.b", "container", "sample_rate"] {
            assert_eq!(text.parse::<GroupKey>().map(|key| key.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "language", "metadata.", "metadata", "state; DROP TABLE recording"] {
            assert_eq!(text.parse::<GroupKey>(), Err(UnknownGroupKey), "{text}");
        }
    }

    #[test]
    fn names_are_distinct_and_classes_not_empty() {
        let names: std::collections::BTreeSet<_> = MEASURES.iter().map(|measure| measure.name).collect();
        assert_eq!(names.len(), MEASURES.len());
        assert!(MEASURES.iter().all(|measure| measure.low < measure.high && (1..=60).contains(&measure.classes)));
    }
}
