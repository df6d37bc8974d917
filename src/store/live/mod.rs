//! Recordings that arrive while they are spoken.

mod sql;

use super::{NewRecording, Result, Store, columns::signed, queue, row::Row, statement::Statement};

/// A recording that is arriving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Unique among all that ever were; names its file, too.
    pub id: String,
    /// SHA-256 of the token by which its client resumes it, in hexadecimal digits.
    pub token_hash: String,
    /// The folder of its file.
    pub folder: String,
    /// The client's name for the recording.
    pub audio_id: String,
    /// The format of the audio and what else the client chose, JSON.
    pub options: String,
    /// What else is known of the recording, a JSON object.
    pub metadata: Option<String>,
}

/// How a live session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveEnd {
    /// As a recording, with this many samples of each channel.
    Recorded {
        /// The recording, which becomes pending.
        recording: NewRecording,
        /// Its length, at the rate at which it came.
        samples: u64,
    },
    /// Nothing had arrived.
    Empty,
    /// Its file is gone.
    Lost,
}

/// Live sessions.
impl Store {
    /// Records that a session has begun.
    pub async fn begin_live(&self, session: &LiveSession) -> Result<()> {
        let LiveSession { id, token_hash, folder, audio_id, options, metadata } = session.clone();
        let begin = Statement::new(sql::BEGIN).bind(id).bind(token_hash).bind(folder).bind(audio_id);
        self.write(begin.bind(options).bind(metadata)).await.map(drop)
    }

    /// The sessions of a folder that have not ended, the oldest first.
    pub async fn open_live(&self, folder: &str) -> Result<Vec<LiveSession>> {
        self.read(Statement::new(sql::OPEN).bind(folder.to_owned())).await?.all(read)
    }

    /// Ends a session. Its recording becomes pending in the same transaction. Returns `false`, and changes nothing, if it has
    /// ended before, so that the call may be repeated.
    pub async fn end_live(&self, id: &str, end: &LiveEnd) -> Result<bool> {
        let (state, source, samples) = match end {
            LiveEnd::Recorded { recording, samples } => ("ended", Some(recording.source.clone()), *samples),
            LiveEnd::Empty => ("empty", None, 0),
            LiveEnd::Lost => ("lost", None, 0),
        };
        let update = Statement::new(sql::END).bind(id.to_owned()).bind(state).bind(source).bind(signed(samples));
        let add = match end {
            LiveEnd::Recorded { recording, .. } => Some(queue::add(std::slice::from_ref(recording), None)),
            LiveEnd::Empty | LiveEnd::Lost => None,
        };
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let is_new = transaction.execute(update).await?.affected == 1;
            if let Some(add) = add.filter(|_| is_new) {
                transaction.execute(add).await?;
            }
            transaction.commit().await?;
            Ok(is_new)
        })
        .await
    }
}

fn read(row: &Row) -> sqlx::Result<LiveSession> {
    Ok(LiveSession {
        id: row.text("id")?,
        token_hash: row.text("token_hash")?,
        folder: row.text("folder")?,
        audio_id: row.text("audio_id")?,
        options: row.text("options")?,
        metadata: row.optional_text("metadata")?,
    })
}
