//! Whose segments lie in an output folder.
//!
//! A file in it lists the databases that ever wrote into it. `gc` reads the rows of one of them only, and would remove
//! the segments of the others.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    path::Path,
};

/// The list: one database identity on each line.
const FILE: &str = ".prepare-audio-databases";

/// Adds a database to the list, unless it is there.
pub(super) fn add(root: &Path, database: &str) -> io::Result<()> {
    if others(root, database)?.1 {
        return Ok(());
    }
    // One short write at the end: the writes of two processes do not interleave, and a second line does no harm.
    let mut file = OpenOptions::new().create(true).append(true).open(root.join(FILE))?;
    file.write_all(format!("{database}\n").as_bytes())?;
    file.sync_all()
}

/// How many other databases are listed, and whether this one is.
pub(super) fn others(root: &Path, database: &str) -> io::Result<(usize, bool)> {
    let mut text = String::new();
    match OpenOptions::new().read(true).open(root.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, false)),
        file => file?.take(1 << 20).read_to_string(&mut text)?,
    };
    let owners: std::collections::BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let is_there = owners.contains(database);
    Ok((owners.len() - usize::from(is_there), is_there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_listed_once() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(others(root.path(), "a").unwrap(), (0, false));
        for database in ["a", "b", "a"] {
            add(root.path(), database).unwrap();
        }
        assert_eq!(std::fs::read_to_string(root.path().join(FILE)).unwrap(), "a\nb\n");
        assert_eq!(others(root.path(), "a").unwrap(), (1, true));
        assert_eq!(others(root.path(), "c").unwrap(), (2, false));
    }
}
