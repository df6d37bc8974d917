//! Checks the promises of a run: nothing is lost, nothing is done twice, and every row's file exists and matches.
//!
//! Call [`watch`] before the run and [`audit`] after it. Neither may be called from within a runtime.

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use prepare_audio::store::DatabaseUrl;
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, FromRow,
    postgres::PgRow,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

/// The properties of a segment that must not depend on disturbances: first sample, one past the last, hash of its file.
pub type ExpectedSegment = (i64, i64, String);

/// The expected segments of each source.
pub type Expected = HashMap<String, Vec<ExpectedSegment>>;

/// Records each time that a recording becomes done, even if the second write is equal to the first.
const WATCH: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS made_done (recording_id BIGINT NOT NULL, token BIGINT NOT NULL);
     CREATE INDEX IF NOT EXISTS made_done_recording ON made_done (recording_id);
     CREATE TRIGGER IF NOT EXISTS made_done AFTER UPDATE OF state ON recording WHEN NEW.state = 'done'
     BEGIN INSERT INTO made_done VALUES (NEW.id, NEW.token); END",
    "CREATE TABLE IF NOT EXISTS made_done (recording_id BIGINT NOT NULL, token BIGINT NOT NULL);
     CREATE INDEX IF NOT EXISTS made_done_recording ON made_done (recording_id);
     CREATE OR REPLACE FUNCTION made_done() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN INSERT INTO made_done VALUES (NEW.id, NEW.token); RETURN NULL; END $$;
     CREATE OR REPLACE TRIGGER made_done AFTER UPDATE OF state ON recording
     FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION made_done()",
];

/// The result of an audit. Each list describes its violations, one per line.
#[derive(Debug, Default)]
pub struct Audit {
    /// Sources without exactly one row that is done, or whose segments differ from those of an undisturbed run.
    pub lost: Vec<String>,
    /// Recordings that became done more than once, or have segment rows of another claim than their last one.
    pub double: Vec<String>,
    /// Segment rows whose file is missing or different, and unexpected files.
    pub bad: Vec<String>,
    /// Expected sources whose row is done.
    pub done: usize,
    /// Number of segment rows.
    pub segments: usize,
    /// Number of temporary files that were left behind. They only occupy space.
    pub temporary: usize,
    /// Number of segment files without a row, which a process leaves that dies between the two. They only occupy space.
    pub orphans: usize,
}

impl Audit {
    /// Number of violations.
    pub fn violations(&self) -> usize {
        self.lost.len() + self.double.len() + self.bad.len()
    }

    /// Fails if there is a violation.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert_eq!(self.violations(), 0, "{self}");
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, double, bad) = (self.lost.len(), self.double.len(), self.bad.len());
        write!(f, "{} done, {} segments: {lost} lost, {double} double, {bad} bad files", self.done, self.segments)?;
        write!(f, "; left over: {} temporary files, {} orphans", self.temporary, self.orphans)?;
        for (kind, lines) in [("lost", &self.lost), ("double", &self.double), ("bad", &self.bad)] {
            for line in lines.iter().take(10) {
                write!(f, "\n  {kind}: {line}")?;
            }
        }
        Ok(())
    }
}

struct Recording {
    id: i64,
    source: String,
    state: String,
    token: i64,
    segments: i64,
    times_done: i64,
}

struct Segment {
    idx: i64,
    start_sample: i64,
    end_sample: i64,
    path: String,
    sha256: String,
    token: i64,
}

impl Segment {
    fn expectation(&self) -> ExpectedSegment {
        (self.start_sample, self.end_sample, self.sha256.clone())
    }
}

/// Makes the database count how often each recording becomes done. The tables must exist already.
pub fn watch(url: &DatabaseUrl) {
    execute(url, WATCH);
}

/// The segments of each done source, after an undisturbed run.
pub fn expected_segments(url: &DatabaseUrl) -> Expected {
    let mut of = segments(url);
    let done = recordings(url, false).into_iter().filter(|recording| recording.state == "done");
    done.map(|r| (r.source, of.remove(&r.id).unwrap_or_default().iter().map(Segment::expectation).collect())).collect()
}

/// Checks every row and every file, and prints the result. Of sources that are not in `expected`, only the claims and the
/// files are checked.
///
/// `output` is the folder that the run wrote to. Relative paths in rows are relative to its parent.
pub fn audit(url: &DatabaseUrl, output: &Path, expected: &Expected) -> Audit {
    let (recordings, segments) = (recordings(url, true), segments(url));
    let mut audit = Audit { segments: segments.values().map(Vec::len).sum(), ..Audit::default() };
    let mut rows: HashMap<&str, Vec<&Recording>> = HashMap::new();
    for recording in &recordings {
        rows.entry(&recording.source).or_default().push(recording);
    }
    for (source, wanted) in expected {
        audit.check_source(source, wanted, rows.get(source.as_str()).map_or(&[], Vec::as_slice), &segments);
    }
    for recording in &recordings {
        audit.check_claims(recording, segments.get(&recording.id).map_or(&[], Vec::as_slice));
    }
    let referenced = audit.check_files(output, segments.values().flatten());
    audit.check_other_files(output, &referenced);
    println!("audit: {audit}");
    audit
}

impl Audit {
    /// The source has exactly one row, which is done and has the segments of an undisturbed run.
    fn check_source(
        &mut self,
        source: &str,
        expected: &[ExpectedSegment],
        rows: &[&Recording],
        segments: &HashMap<i64, Vec<Segment>>,
    ) {
        let [row] = rows else {
            let kind = if rows.is_empty() { &mut self.lost } else { &mut self.double };
            return kind.push(format!("{source} has {} rows", rows.len()));
        };
        if row.state != "done" {
            return self.lost.push(format!("{source} is {}", row.state));
        }
        self.done += 1;
        let found: Vec<ExpectedSegment> =
            segments.get(&row.id).into_iter().flatten().map(Segment::expectation).collect();
        if found != expected {
            self.lost.push(format!("{source} has segments {found:?}, after an undisturbed run {expected:?}"));
        }
    }

    /// The recording became done once, and that claim wrote all of its segments.
    fn check_claims(&mut self, row: &Recording, segments: &[Segment]) {
        let (id, token) = (row.id, row.token);
        if row.times_done > 1 || row.state == "done" && row.times_done != 1 {
            self.double.push(format!("recording {id} became done {} times", row.times_done));
        }
        if row.state == "done" && row.segments != segments.len() as i64 {
            self.double.push(format!("recording {id} counts {} segments and has {}", row.segments, segments.len()));
        }
        for (position, segment) in segments.iter().enumerate() {
            if segment.token != token {
                let other = segment.token;
                self.double.push(format!("recording {id} has token {token}, its segment {position} token {other}"));
            }
            if segment.idx != position as i64 {
                self.double.push(format!("recording {id} has a segment {} at position {position}", segment.idx));
            }
        }
    }

    /// Every row's file exists and has the row's length and hash. Returns the paths of all rows.
    fn check_files<'s>(&mut self, output: &Path, segments: impl Iterator<Item = &'s Segment>) -> HashSet<PathBuf> {
        let mut referenced = HashSet::new();
        for segment in segments {
            let path = output.parent().unwrap_or(output).join(&segment.path);
            let length = 44 + 2 * (segment.end_sample - segment.start_sample);
            match fs::read(&path) {
                Err(error) => self.bad.push(format!("{}: {error}", path.display())),
                Ok(bytes) if bytes.len() as i64 != length => {
                    self.bad.push(format!("{} has {} bytes, not {length}", path.display(), bytes.len()));
                }
                Ok(bytes) if hex::encode(Sha256::digest(&bytes)) != segment.sha256 => {
                    self.bad.push(format!("{} has another hash than its row", path.display()));
                }
                Ok(_) if !path.starts_with(output) => {
                    self.bad.push(format!("{} is outside of the output folder", path.display()));
                }
                Ok(_) => {}
            }
            referenced.insert(path);
        }
        referenced
    }

    /// Files that no row refers to are temporary files or orphans.
    fn check_other_files(&mut self, output: &Path, referenced: &HashSet<PathBuf>) {
        let entries = walkdir::WalkDir::new(output).into_iter().filter_map(Result::ok);
        for path in entries.filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path) {
            let name = path.file_name().unwrap().to_string_lossy();
            if referenced.contains(&path) || name == ".prepare-audio-databases" {
                continue;
            } else if name.starts_with(".tmp.") {
                self.temporary += 1;
            } else if path.extension().is_some_and(|end| end == "wav") {
                self.orphans += 1;
            } else {
                self.bad.push(format!("{} is a file that no run writes", path.display()));
            }
        }
    }
}

fn recordings(url: &DatabaseUrl, is_watched: bool) -> Vec<Recording> {
    let times_done = if is_watched { "(SELECT COUNT(*) FROM made_done m WHERE m.recording_id = r.id)" } else { "1" };
    let all = rows(
        url,
        &format!(
            "SELECT r.id, r.source, r.state, r.token, COALESCE(r.segments, -1), CAST({times_done} AS BIGINT)
             FROM recording r ORDER BY r.id"
        ),
    );
    let recording =
        |(id, source, state, token, segments, times_done)| Recording { id, source, state, token, segments, times_done };
    all.into_iter().map(recording).collect()
}

fn segments(url: &DatabaseUrl) -> HashMap<i64, Vec<Segment>> {
    let mut of: HashMap<i64, Vec<Segment>> = HashMap::new();
    let all = rows(
        url,
        "SELECT recording_id, idx, start_sample, end_sample, path, sha256, token FROM segment ORDER BY recording_id, idx",
    );
    for (recording_id, idx, start_sample, end_sample, path, sha256, token) in all {
        let segment = Segment { idx, start_sample, end_sample, path, sha256, token };
        of.entry(recording_id).or_default().push(segment);
    }
    of
}

/// The rows that `sql` returns. It is run without the store.
pub fn rows<T>(url: &DatabaseUrl, sql: &str) -> Vec<T>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let sql = AssertSqlSafe(sql.to_owned());
    super::test_database::runtime().block_on(async {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut connection = sqlite(path).connect().await.unwrap();
                let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
            DatabaseUrl::Postgres(address) => {
                let mut connection = address.options().connect().await.unwrap();
                let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
        }
    })
}

/// Runs the first text on SQLite, the second on PostgreSQL.
pub fn execute(url: &DatabaseUrl, [for_sqlite, for_postgres]: [&'static str; 2]) {
    super::test_database::runtime().block_on(async {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut connection = sqlite(path).connect().await.unwrap();
                connection.execute(sqlx::raw_sql(for_sqlite)).await.unwrap();
                connection.close().await.unwrap();
            }
            DatabaseUrl::Postgres(address) => {
                let mut connection = address.options().connect().await.unwrap();
                connection.execute(sqlx::raw_sql(for_postgres)).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    });
}

fn sqlite(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30))
}
