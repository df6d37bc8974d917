//! Which recordings a query or a change is about.

use super::statement::Statement;

/// Which recordings a query or a change is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// Every one.
    All,
    /// The one of this id.
    Id(i64),
    /// Those of this source, one for each recipe.
    Source(String),
    /// Those that wait to be claimed.
    Pending,
}

impl Selection {
    /// A statement whose text has `{which}` where the condition on recordings `r` belongs. Its `$1` is bound.
    pub(super) fn statement(&self, text: &str) -> Statement<'static> {
        let (which, value) = match self {
            Self::All => ("CAST($1 AS TEXT) IS NOT NULL", String::new()),
            Self::Id(id) => ("r.id = CAST($1 AS BIGINT)", id.to_string()),
            Self::Source(source) => ("r.source = $1", source.clone()),
            Self::Pending => ("CAST($1 AS TEXT) IS NOT NULL AND r.state = 'pending'", String::new()),
        };
        Statement::new(text.replace("{which}", which)).bind(value)
    }
}
