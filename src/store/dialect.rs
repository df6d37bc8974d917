//! The few words that the two databases spell differently.

use std::fmt::Write;

use super::statement::Statement;

/// How one database spells the words in braces.
#[derive(Debug)]
pub struct Dialect {
    /// `{now}`: milliseconds since 1970 by the database's clock.
    pub now: &'static str,
    /// `{nonce}`: 128 random bits as 32 hex digits, new for each row.
    pub nonce: &'static str,
    /// `{lock}`: ends a SELECT whose rows `r` are about to be changed; skips rows that another transaction is changing.
    pub lock: &'static str,
    /// `{list}`: the rows `list(value, position)` of the JSON array in `$1`.
    pub list: &'static str,
    /// `{new}`: those rows as `new(source, priority, metadata, position)`, each value an array of the first three.
    pub new: &'static str,
    /// `{unsynced}`: a row `unsynced(applies)` of a FROM clause that keeps the statement's transaction from waiting for the disk.
    /// The change is visible to all at once, and may be lost if the server itself goes down in the next moment.
    pub unsynced: &'static str,
    /// `{floor}`: the function that makes a CAST of a positive number to an integer round down.
    pub floor: &'static str,
    /// `{like}`: the operator that compares a text with a pattern, whether letters are capital or small.
    pub like: &'static str,
    /// Whether the parameters of `{values}` are numbered, `$1`; otherwise they are `?`.
    pub numbered_values: bool,
}

impl Dialect {
    /// The statement's text with the braces filled in. No user input gets into the text: values are always bound.
    pub fn sql(&self, statement: &Statement<'_>) -> String {
        #[cfg(feature = "fault-injection")]
        let text = &crate::faults::statement(&statement.text);
        #[cfg(not(feature = "fault-injection"))]
        let text = &statement.text;
        let text = text
            .replace("{fence}", fence())
            .replace("{fence_of_new}", fence_of_new())
            .replace("{new}", self.new)
            .replace("{now}", self.now)
            .replace("{nonce}", self.nonce)
            .replace("{lock}", self.lock)
            .replace("{list}", self.list)
            .replace("{unsynced}", self.unsynced)
            .replace("{floor}", self.floor)
            .replace("{like}", self.like);
        match statement.width {
            0 => text,
            width => text.replace("{values}", &self.values(statement.parameters.len() / width, width)),
        }
    }

    /// `($1, $2), ($3, $4)` or `(?, ?), (?, ?)`.
    fn values(&self, rows: usize, width: usize) -> String {
        let mut values = String::new();
        for number in 0..rows * width {
            values.push_str(match (number, number % width) {
                (0, _) => "(",
                (_, 0) => "), (",
                _ => ", ",
            });
            if self.numbered_values {
                let _ = write!(values, "${}", number + 1); // writing to a String does not fail
            } else {
                values.push('?');
            }
        }
        values + ")"
    }
}

/// What `{fence}` stands for.
fn fence() -> &'static str {
    "id = $1 AND token = $2 AND claim_id = $3 AND state = 'running'"
}

/// What `{fence_of_new}` stands for: the fence of several claims, the first three columns of the VALUES `new`. Both databases
/// name the columns of VALUES so. `|| ''` keeps PostgreSQL from reading all running rows instead of these few: their number
/// changes faster than its statistics.
fn fence_of_new() -> &'static str {
    "recording.id = new.column1 AND token = new.column2 AND claim_id = new.column3 AND state || '' = 'running'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::statement::Value;

    #[test]
    fn fills_in_the_words_of_the_database() {
        let dialect = Dialect {
            now: "NOW",
            nonce: "NONCE",
            lock: "LOCK",
            list: "LIST",
            new: "NEW",
            unsynced: "UNSYNCED",
            floor: "FLOOR",
            like: "LIKE",
            numbered_values: true,
        };
        let rows = vec![Value::Integer(None); 4];
        let insert = Statement::insert("INSERT INTO t (a, b) VALUES {values}", 2, rows);
        assert_eq!(dialect.sql(&insert), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        let unnumbered = Dialect { numbered_values: false, ..dialect };
        assert_eq!(unnumbered.sql(&insert), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
        let words = Statement::new("{now} {nonce} {lock} {list} {new} {unsynced} {floor}");
        assert_eq!(unnumbered.sql(&words), "NOW NONCE LOCK LIST NEW UNSYNCED FLOOR");
    }
}
