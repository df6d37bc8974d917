//! Takes back migrations, so that a database looks as an earlier version left it.

/// The statements that take back all migrations after number `last`, which only add columns and tables.
pub fn statements(last: u32) -> Vec<String> {
    let folder = crate::support::test_dir::fixture("../migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let number = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap()[..4].parse::<u32>().unwrap();
    let later = files.iter().filter(|path| number(path) > last);
    let mut statements: Vec<String> = later
        .flat_map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => {
                    Some(format!("ALTER TABLE {table} DROP COLUMN {column}"))
                }
                ["CREATE", "TABLE", table, ..] => Some(format!("DROP TABLE {table}")),
                _ => None,
            }
        })
        .collect();
    statements.push(format!("DELETE FROM prepare_audio_migrations WHERE version > {last}"));
    statements
}
