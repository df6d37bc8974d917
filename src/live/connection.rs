//! One connection of `/ws`: messages to frames, and what was found to messages. It has no logic of sessions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use prepare_audio_live::{Frame, Numbered, ReceiveError, Refusal};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Sessions,
    failure::Failure,
    messages::{self, Audio, ClientMessage, Framing, Hello, OwnedFrame},
    sessions::{Attached, Live},
};

/// How often what was stored is acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_millis(100);

/// Seconds of audio that a client may send at once, as after it was away. Beyond that [`Limits::speed`](super::Limits) counts.
const BURST_S: f64 = 30.0;

/// The greatest pause in reading from a client that is too fast.
const PAUSE: Duration = Duration::from_millis(500);

/// A frame with the memory that it is in.
enum OwnedMessage {
    Binary(axum::body::Bytes),
    Text(OwnedFrame),
}

/// Serves a connection to its end.
pub(super) async fn serve(mut socket: WebSocket, sessions: Arc<Sessions>) {
    let failure = match converse(&mut socket, &sessions).await {
        Ok(()) => {
            let _ = timeout(sessions.settings.limits.send, close(&mut socket, 1000, "the recording has ended")).await;
            return;
        }
        Err(failure) => failure,
    };
    tracing::debug!(%failure, "a live connection ends");
    let mut message = json!({ "type": "error", "code": failure.code(), "message": failure.to_string() });
    if let Some(seconds) = failure.retry_after_s() {
        message["retry_after_s"] = seconds.into();
    }
    let farewell = async {
        let _ = socket.send(Message::text(message.to_string())).await;
        close(&mut socket, failure.close_code(), failure.code()).await;
    };
    let _ = timeout(sessions.settings.limits.send, farewell).await;
}

/// Closes the socket, and waits until the client has received what was sent before.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

/// From the first message to the last.
async fn converse(socket: &mut WebSocket, sessions: &Arc<Sessions>) -> Result<(), Failure> {
    let first = timeout(sessions.settings.limits.handshake, next(socket));
    let first = tokio::select! {
        first = first => first.map_err(|_| Failure::Idle)??,
        () = sessions.closing.cancelled() => return Err(Failure::Draining),
    };
    let Message::Text(text) = first else {
        return Err(Failure::BadMessage("the first message must be hello, resume or audio, in JSON".into()));
    };
    let mut connection = Connection::open(socket, sessions, &text).await?;
    connection.run().await?;
    connection.end().await
}

/// The next message that is not about the connection itself.
async fn next(socket: &mut WebSocket) -> Result<Message, Failure> {
    loop {
        match socket.recv().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return Err(Failure::Gone),
        }
    }
}

struct Connection<'a> {
    socket: &'a mut WebSocket,
    sessions: &'a Arc<Sessions>,
    attached: Attached,
    /// The sample after the last that was acknowledged, and when that was.
    acknowledged: u64,
    acknowledged_at: Instant,
    next_sample: u64,
    refused_in_a_row: u32,
    opened_at: Instant,
    first_sample: u64,
    is_draining: bool,
}

impl<'a> Connection<'a> {
    /// Begins or resumes the session that the first message names.
    async fn open(socket: &'a mut WebSocket, sessions: &'a Arc<Sessions>, text: &str) -> Result<Self, Failure> {
        let (attached, token, frame, last_event) = match ClientMessage::parse(text)? {
            ClientMessage::Hello(hello) => {
                let (attached, token) = sessions.begin(*hello).await?;
                (attached, Some(token), None, 0)
            }
            ClientMessage::Audio(audio) => {
                let id = audio.audio_id.clone();
                let id = id.ok_or_else(|| Failure::BadMessage("the first audio must have an audio_id".into()))?;
                let (attached, token) = sessions.begin(Hello::implied(id)).await?;
                (attached, Some(token), Some(audio), 0)
            }
            ClientMessage::Resume(resume) => {
                (sessions.resume(&resume.resume_token).await?, None, None, resume.last_event)
            }
            ClientMessage::End => return Err(Failure::BadMessage("end before any audio".into())),
        };
        let (next_sample, now) = (attached.next_sample, Instant::now());
        let mut connection = Self {
            socket,
            sessions,
            attached,
            acknowledged: next_sample,
            acknowledged_at: now,
            next_sample,
            refused_in_a_row: 0,
            opened_at: now,
            first_sample: next_sample,
            is_draining: false,
        };
        connection.welcome(token).await?;
        let missed = std::mem::take(&mut connection.attached.events);
        connection.report(missed.into_iter().filter(|missed| missed.number > last_event)).await?;
        if let Some(audio) = frame {
            connection.receive_text(audio).await?;
        }
        Ok(connection)
    }

    async fn welcome(&mut self, token: Option<String>) -> Result<(), Failure> {
        let limits = &self.sessions.settings.limits;
        let mut welcome = json!({
            "type": if token.is_some() { "welcome" } else { "resumed" },
            "session": self.attached.id(),
            "audio_id": self.attached.audio_id(),
            "next_sample": self.next_sample,
            "resume_window_s": limits.resume_window.as_secs(),
            "max_message_bytes": limits.message_bytes,
        });
        if let Some(token) = token {
            welcome["resume_token"] = token.into();
        }
        if let Some(key) = &self.attached.key {
            welcome["session_key"] = BASE64.encode(key.bytes()).into();
        }
        self.send(&welcome).await
    }

    /// Receives frames until the client ends the recording.
    async fn run(&mut self) -> Result<(), Failure> {
        let sessions = Arc::clone(self.sessions);
        loop {
            let is_pending = self.acknowledged < self.next_sample;
            let acknowledge_at = self.acknowledged_at + ACKNOWLEDGE;
            // Only waiting happens in the branches: what is dropped there has stored nothing.
            let message = tokio::select! {
                message = timeout(sessions.settings.limits.idle, next(self.socket)) => message.map_err(|_| Failure::Idle)??,
                () = tokio::time::sleep_until(acknowledge_at.into()), if is_pending => {
                    self.acknowledge().await?;
                    continue;
                }
                () = self.attached.taken_over.cancelled() => return Err(Failure::TakenOver),
                () = sessions.draining.cancelled(), if !self.is_draining => {
                    self.is_draining = true;
                    self.send(&json!({ "type": "draining" })).await?;
                    continue;
                }
                () = sessions.closing.cancelled() => {
                    self.acknowledge().await?;
                    return Err(Failure::Draining);
                }
            };
            match message {
                Message::Binary(bytes) => self.receive(OwnedMessage::Binary(bytes)).await?,
                Message::Text(text) => match ClientMessage::parse(&text)? {
                    ClientMessage::Audio(audio) => self.receive_text(audio).await?,
                    ClientMessage::End => return self.acknowledge().await,
                    ClientMessage::Hello(_) | ClientMessage::Resume(_) => {
                        return Err(Failure::BadMessage("this connection has a session already".into()));
                    }
                },
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
            self.slow_down().await;
        }
    }

    async fn receive_text(&mut self, audio: Audio<'_>) -> Result<(), Failure> {
        match audio.decode() {
            Ok(frame) => self.receive(OwnedMessage::Text(frame)).await,
            Err(refusal) => self.refuse(&refusal).await,
        }
    }

    /// Stores a frame and reports what was found.
    async fn receive(&mut self, message: OwnedMessage) -> Result<(), Failure> {
        let framing = self.attached.options.frames;
        let work = move |live: &mut Live| store(live, &message, framing);
        match self.sessions.with(&mut self.attached, work).await? {
            Ok((next_sample, events)) => {
                self.refused_in_a_row = 0;
                let seconds = self.attached.options.format.seconds(next_sample - self.next_sample);
                self.sessions.counters.received(seconds, events.len());
                self.next_sample = next_sample;
                if self.acknowledged_at.elapsed() >= ACKNOWLEDGE {
                    self.acknowledge().await?;
                }
                self.report(events).await
            }
            Err(ReceiveError::Refused(refusal)) => self.refuse(&refusal).await,
            Err(ReceiveError::Storage(error)) => Err(error.into()),
        }
    }

    async fn refuse(&mut self, refusal: &Refusal) -> Result<(), Failure> {
        self.sessions.counters.refused();
        self.refused_in_a_row += 1;
        let (code, message) = (refusal.code(), refusal.to_string());
        let next_sample = self.next_sample;
        self.send(&json!({ "type": "refused", "code": code, "message": message, "next_sample": next_sample })).await?;
        if self.refused_in_a_row >= self.sessions.settings.limits.refusals { Err(Failure::Refusals) } else { Ok(()) }
    }

    /// Tells the client how much is stored. With `sync`, what came since the last time goes to the disk together.
    async fn acknowledge(&mut self) -> Result<(), Failure> {
        if self.acknowledged == self.next_sample {
            return Ok(());
        }
        if self.sessions.settings.sync {
            self.sessions.with(&mut self.attached, |live| live.session.spool().sync()).await??;
        }
        (self.acknowledged, self.acknowledged_at) = (self.next_sample, Instant::now());
        self.send(&json!({ "type": "ack", "next_sample": self.acknowledged })).await
    }

    async fn report(&mut self, events: impl IntoIterator<Item = Numbered>) -> Result<(), Failure> {
        for event in events {
            self.send(&messages::event(&event)).await?;
        }
        Ok(())
    }

    /// Does not read for a while from a client that sends faster than it may.
    async fn slow_down(&mut self) {
        let received = self.attached.options.format.seconds(self.next_sample - self.first_sample);
        let allowed = BURST_S + self.opened_at.elapsed().as_secs_f64() * self.sessions.settings.limits.speed;
        if received > allowed {
            let seconds = (received - allowed) / self.sessions.settings.limits.speed;
            tokio::time::sleep(Duration::from_secs_f64(seconds).min(PAUSE)).await;
        }
    }

    /// Ends the recording.
    async fn end(self) -> Result<(), Failure> {
        let Self { socket, sessions, attached, .. } = self;
        let format = attached.options.format;
        let finished = sessions.finish(attached).await?;
        let events = finished.events.iter().map(messages::event);
        let ended = json!({
            "type": "ended",
            "recording": finished.source,
            "samples": finished.samples,
            "duration_s": format.seconds(finished.samples),
        });
        for message in events.chain([ended]) {
            send(socket, &message, sessions.settings.limits.send).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        send(self.socket, message, self.sessions.settings.limits.send).await
    }
}

/// A client that does not receive is gone.
async fn send(socket: &mut WebSocket, message: &Value, limit: Duration) -> Result<(), Failure> {
    let sent = timeout(limit, socket.send(Message::text(message.to_string()))).await;
    sent.map_err(|_| Failure::Gone)?.map_err(|_| Failure::Gone)
}

/// Stores a frame and detects speech in it; returns the next sample and what was found. Runs on the pool.
fn store(live: &mut Live, message: &OwnedMessage, framing: Framing) -> Result<(u64, Vec<Numbered>), ReceiveError> {
    let frame = match (message, framing) {
        (OwnedMessage::Text(frame), _) => frame.as_frame(),
        (OwnedMessage::Binary(bytes), Framing::Bare) => Frame::bare(bytes),
        (OwnedMessage::Binary(bytes), Framing::Numbered) => Frame::numbered(bytes)?,
        (OwnedMessage::Binary(bytes), Framing::Signed) => Frame::signed(bytes)?,
    };
    live.session.receive(&frame)?;
    let mut events = Vec::new();
    if let Err(error) = live.session.detect(&mut events) {
        tracing::error!(%error, "live audio was stored, but not analysed");
    }
    live.events.extend_from_slice(&events);
    Ok((live.session.next_sample(), events))
}
