//! The sessions that have not ended: those with a connection, those that wait for their client, and those that a process which
//! was killed has left behind.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prepare_audio_live::{Detector, Numbered, Session, SessionKey, WavSpool};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Counters, LiveFigures, OpenError, Settings,
    failure::Failure,
    files,
    messages::{Framing, Hello, Options},
};
use crate::{
    pool::Pool,
    store::{LiveEnd, LiveSession, NewRecording, Store},
};

/// How often sessions are looked for whose clients have not come back.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a connection that is taken over may need to store its last frame.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// The sessions of a server.
pub struct Sessions {
    pub(super) settings: Settings,
    pub(super) pool: Pool,
    pub(super) counters: Counters,
    store: Arc<Store>,
    /// By the hash of their tokens.
    entries: Mutex<HashMap<String, Arc<Entry>>>,
    /// Cancelled when no session may begin any more.
    pub(super) draining: CancellationToken,
    /// Cancelled when connections are to be closed.
    pub(super) closing: CancellationToken,
    _lock: File,
}

/// A session that has not ended.
pub(super) struct Entry {
    row: LiveSession,
    content: Arc<AsyncMutex<Content>>,
    link: Mutex<Link>,
}

/// What is in memory of a session. A connection holds its lock as long as it lasts.
enum Content {
    /// Nothing: all of it is on the disk.
    OnDisk,
    Loaded(Box<Live>),
    /// It has ended.
    Over,
}

/// The connection of a session.
struct Link {
    /// Cancelled when another connection resumes the session.
    taken_over: CancellationToken,
    /// Since when there is no connection.
    left_at: Option<Instant>,
}

/// A session in memory.
pub(super) struct Live {
    pub session: Session<WavSpool>,
    /// All of its events, for clients that come back.
    pub events: Vec<Numbered>,
}

/// A session with the connection that it belongs to.
pub(super) struct Attached {
    entry: Arc<Entry>,
    /// `None` only while it is in use, and after a panic.
    content: Option<OwnedMutexGuard<Content>>,
    pub options: Options,
    pub taken_over: CancellationToken,
    /// Samples that were stored when it was attached.
    pub next_sample: u64,
    /// Events so far.
    pub events: Vec<Numbered>,
    /// The key of its frames, if they are authenticated.
    pub key: Option<SessionKey>,
}

impl Attached {
    pub fn id(&self) -> &str {
        &self.entry.row.id
    }

    pub fn audio_id(&self) -> &str {
        &self.entry.row.audio_id
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.content = None; // before the session counts as left
        let mut link = lock(&self.entry.link);
        if !self.taken_over.is_cancelled() {
            link.left_at = Some(Instant::now());
        }
    }
}

/// A session that has ended.
pub(super) struct Finished {
    /// Its recording's source; `None` without any audio.
    pub source: Option<String>,
    /// Samples of each channel.
    pub samples: u64,
    /// What was still open at the end.
    pub events: Vec<Numbered>,
}

impl Sessions {
    /// Opens the folder, and finds the sessions that were not ended there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(store: Arc<Store>, settings: Settings) -> Result<Arc<Self>, OpenError> {
        let folder = settings.folder.clone();
        let locked = spawn_blocking(move || files::lock_folder(&folder)).await;
        let lock = locked.unwrap_or_else(|error| Err(TryLockError::Error(io::Error::other(error))));
        let lock = lock.map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(settings.folder.clone()),
            TryLockError::Error(error) => OpenError::Folder { folder: settings.folder.clone(), error },
        })?;
        let open = store.open_live(&settings.folder.to_string_lossy()).await?;
        let entries = open.into_iter().map(|row| (row.token_hash.clone(), Arc::new(Entry::left(row)))).collect();
        Ok(Arc::new(Self {
            pool: Pool::new(settings.threads)?,
            settings,
            counters: Counters::default(),
            store,
            entries: Mutex::new(entries),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            _lock: lock,
        }))
    }

    /// Takes no new sessions, and tells clients that the server is being stopped.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Closes the connections. Their sessions are resumed when the server runs again.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Whether new sessions are taken.
    pub fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && lock(&self.entries).len() < self.settings.limits.sessions
    }

    /// The figures.
    pub fn figures(&self) -> LiveFigures {
        let entries = lock(&self.entries);
        let connected = entries.values().filter(|entry| lock(&entry.link).left_at.is_none()).count();
        self.counters.figures(entries.len() as u64, connected as u64)
    }

    /// Ends sessions whose clients do not come back, until it is dropped.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let window = self.settings.limits.resume_window;
            let is_left = |entry: &Entry| lock(&entry.link).left_at.is_some_and(|at| at.elapsed() >= window);
            let left: Vec<_> = lock(&self.entries).values().filter(|entry| is_left(entry)).cloned().collect();
            for entry in left {
                if let Ok(content) = Arc::clone(&entry.content).try_lock_owned() {
                    // What fails is in the log, and is tried again later.
                    if self.end(&entry, content).await.is_err() {
                        lock(&entry.link).left_at = Some(Instant::now());
                    }
                }
            }
        }
    }

    /// Begins a session. Returns it with its resume token.
    pub(super) async fn begin(&self, hello: Hello) -> Result<(Attached, String), Failure> {
        let options = hello.options()?;
        if self.draining.is_cancelled() {
            return Err(Failure::Draining);
        }
        if !self.is_ready() {
            return Err(Failure::Overloaded);
        }
        let id = Uuid::new_v4().simple().to_string();
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut metadata = hello.metadata;
        metadata.insert("audio_id".into(), json!(hello.audio_id));
        metadata.insert("live_session".into(), json!(id));
        let row = LiveSession {
            token_hash: hash(&token),
            folder: self.settings.folder.to_string_lossy().into_owned(),
            audio_id: hello.audio_id,
            options: json!(options).to_string(),
            metadata: Some(json!(metadata).to_string()),
            id,
        };
        // The row first: a file without a row would be found by nobody.
        self.store.begin_live(&row).await?;
        let entry = Arc::new(Entry::left(row));
        lock(&self.entries).insert(entry.row.token_hash.clone(), Arc::clone(&entry));
        let attached = self.attach(entry, &token, true).await?;
        self.counters.begun();
        Ok((attached, token))
    }

    /// Attaches a connection to the session of a resume token.
    pub(super) async fn resume(&self, token: &str) -> Result<Attached, Failure> {
        if self.draining.is_cancelled() {
            return Err(Failure::Draining);
        }
        let entry = lock(&self.entries).get(&hash(token)).cloned().ok_or(Failure::UnknownSession)?;
        let attached = self.attach(entry, token, false).await?;
        self.counters.resumed();
        Ok(attached)
    }

    async fn attach(&self, entry: Arc<Entry>, token: &str, is_new: bool) -> Result<Attached, Failure> {
        let taken_over = CancellationToken::new();
        {
            let mut link = lock(&entry.link);
            link.taken_over.cancel();
            *link = Link { taken_over: taken_over.clone(), left_at: None };
        }
        let options: Options = serde_json::from_str(&entry.row.options).map_err(io::Error::from)?;
        let key = (options.frames == Framing::Signed).then(|| SessionKey::derive(token.as_bytes()));
        let mut attached = Attached {
            entry: Arc::clone(&entry),
            content: None,
            options,
            taken_over,
            next_sample: 0,
            events: Vec::new(),
            key,
        };
        let content = tokio::time::timeout(TAKE_OVER, Arc::clone(&entry.content).lock_owned()).await;
        let mut content = content.map_err(|_| Failure::Unavailable)?;
        match &*content {
            Content::Over => return Err(Failure::UnknownSession),
            Content::Loaded(_) => {}
            Content::OnDisk => {
                let load = self.loader(&attached, is_new);
                *content = Content::Loaded(Box::new(self.pool.run(load).await??));
            }
        }
        attached.content = Some(content);
        let state = |live: &mut Live| (live.session.next_sample(), live.events.clone());
        (attached.next_sample, attached.events) = self.with(&mut attached, state).await?;
        Ok(attached)
    }

    /// What makes a session of its file, which it creates for a new one. It blocks, and computes.
    fn loader(&self, attached: &Attached, is_new: bool) -> impl FnOnce() -> Result<Live, Failure> + Send + use<> {
        let path = self.path(&attached.entry.row);
        let Options { format, utterance_end_ms, .. } = attached.options;
        let Settings { engine, parameters, limits, .. } = self.settings.clone();
        let LiveSession { id, audio_id, .. } = attached.entry.row.clone();
        let (key, seconds) = (attached.key.clone(), limits.session_seconds);
        move || {
            let mut events = Vec::new();
            let detector = Detector::new(&engine, &parameters, format, utterance_end_ms)?;
            let spool = if is_new { WavSpool::create(path, format)? } else { files::open(path, format)? };
            let session = Session::new(id, audio_id, format, spool, detector).with_key(key).with_max_seconds(seconds);
            let session = session.resume(&mut events)?;
            Ok(Live { session, events })
        }
    }

    /// Runs work on a session on the pool.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        attached: &mut Attached,
        work: impl FnOnce(&mut Live) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let mut content = attached.content.take().ok_or(Failure::Unavailable)?;
        // Should the work panic, the session is loaded from the disk again.
        let Content::Loaded(mut live) = std::mem::replace(&mut *content, Content::OnDisk) else {
            return Err(Failure::UnknownSession);
        };
        let (done, live) = self.pool.run(move || (work(&mut live), live)).await?;
        *content = Content::Loaded(live);
        attached.content = Some(content);
        Ok(done)
    }

    /// Ends the session of a connection: completes its file, and makes it a pending recording.
    pub(super) async fn finish(&self, mut attached: Attached) -> Result<Finished, Failure> {
        let content = attached.content.take().ok_or(Failure::Unavailable)?;
        let entry = Arc::clone(&attached.entry);
        self.end(&entry, content).await
    }

    async fn end(&self, entry: &Entry, mut content: OwnedMutexGuard<Content>) -> Result<Finished, Failure> {
        let options: Options = serde_json::from_str(&entry.row.options).map_err(io::Error::from)?;
        let path = self.path(&entry.row);
        let loaded = std::mem::replace(&mut *content, Content::OnDisk);
        let complete = move || match loaded {
            Content::Over => Ok(None),
            Content::Loaded(live) => live.complete().map(Some),
            Content::OnDisk => match WavSpool::open(path, options.format) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                spool => Ok(Some((files::complete(spool?)?, Vec::new()))),
            },
        };
        let completed = self.pool.run(complete).await??;
        let source = self.path(&entry.row).to_string_lossy().into_owned();
        let end = match &completed {
            None => LiveEnd::Lost,
            Some((0, _)) => LiveEnd::Empty,
            Some((samples, _)) => {
                let metadata = entry.row.metadata.clone();
                let recording = NewRecording { source: source.clone(), priority: 0, metadata };
                LiveEnd::Recorded { recording, samples: *samples }
            }
        };
        self.store.end_live(&entry.row.id, &end).await?;
        *content = Content::Over;
        lock(&self.entries).remove(&entry.row.token_hash);
        let (samples, events) = completed.unwrap_or_default();
        match end {
            LiveEnd::Recorded { .. } => {
                self.counters.recorded();
                let seconds = options.format.seconds(samples);
                tracing::info!(session = entry.row.id, audio_id = entry.row.audio_id, seconds, "recorded");
                Ok(Finished { source: Some(source), samples, events })
            }
            LiveEnd::Empty => Ok(Finished { source: None, samples, events }),
            LiveEnd::Lost => {
                tracing::error!(session = entry.row.id, "the file of a live session is gone: {source}");
                Ok(Finished { source: None, samples, events })
            }
        }
    }

    fn path(&self, row: &LiveSession) -> PathBuf {
        self.settings.folder.join(format!("{}.wav", row.id))
    }
}

impl Live {
    /// Completes a session: its length in samples, and its last events.
    fn complete(mut self) -> Result<(u64, Vec<Numbered>), Failure> {
        let mut last = Vec::new();
        if let Err(error) = self.session.finish(&mut last) {
            tracing::warn!(%error, "the last audio of a live session was not analysed");
        }
        Ok((files::complete(self.session.into_spool())?, last))
    }
}

impl Entry {
    /// A session that waits for its client.
    fn left(row: LiveSession) -> Self {
        let link = Link { taken_over: CancellationToken::new(), left_at: Some(Instant::now()) };
        Self { row, content: Arc::new(AsyncMutex::new(Content::OnDisk)), link: Mutex::new(link) }
    }
}

/// What is stored of a token.
fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
