//! Recordings that are not claimed for a while, by the beginnings of their sources.

use std::sync::{Arc, PoisonError, RwLock};

use crate::store::statement::Statement;

/// Prefixes of sources that a claimer leaves alone. All clones share them.
#[derive(Clone, Debug, Default)]
pub struct Exclusion(Arc<RwLock<Vec<String>>>);

impl Exclusion {
    /// Sets the prefixes. The empty one stands for all relative sources.
    pub fn set(&self, prefixes: Vec<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = prefixes;
    }

    /// Fills in `{without}`, a condition on recordings `r`, whose parameters are added to the statement.
    pub(super) fn apply<'a>(&self, statement: Statement<'a>) -> Statement<'a> {
        let prefixes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut conditions = String::new();
        let (mut parameters, persistent) = (Vec::new(), statement.persistent && prefixes.is_empty());
        for prefix in &*prefixes {
            if prefix.is_empty() {
                conditions += " AND substr(r.source, 1, 1) = '/'";
                continue;
            }
            parameters.push(prefix.clone().into());
            let number = statement.parameters.len() + parameters.len();
            conditions += &format!(" AND substr(r.source, 1, length(${number})) <> ${number}");
        }
        let text = statement.text.replace("{without}", &conditions).into();
        // A text that depends on the number of folders is not worth keeping prepared.
        Statement { text, persistent, ..statement }.bind_all(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_bound_and_never_written_into_the_text() {
        let exclusion = Exclusion::default();
        let statement = || Statement::new("SELECT 1 WHERE $1{without}").bind(7);
        let applied = exclusion.apply(statement());
        assert_eq!((&*applied.text, applied.parameters.len(), applied.persistent), ("SELECT 1 WHERE $1", 1, true));
        exclusion.clone().set(vec!["/mnt/'nas/".into(), String::new()]);
        let applied = exclusion.apply(statement());
        let text = "SELECT 1 WHERE $1 AND substr(r.source, 1, length($2)) <> $2 AND substr(r.source, 1, 1) = '/'";
        assert_eq!((&*applied.text, applied.parameters.len(), applied.persistent), (text, 2, false));
    }
}
