//! A running `listen`, and a client of it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

use super::test_dir::{TestDir, fixture};

/// No test waits longer for a message.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running `listen`. It is killed when this is dropped.
pub struct Listen {
    child: Child,
    /// Address of its WebSocket.
    pub url: String,
}

impl Listen {
    /// Starts `listen` in a directory, on any free port.
    pub fn start(dir: &TestDir, args: &[&str]) -> Self {
        let mut command = dir.command(&[&["listen", "--json", "--quiet", "--bind", "127.0.0.1:0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: address["url"].as_str().unwrap().to_owned() }
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("ws://").trim_end_matches("/ws")
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
    }

    /// Waits for its end; returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What was acknowledged.
    pub acknowledged: u64,
    /// Events, in the order of their arrival.
    pub events: Vec<Value>,
}

impl Client {
    /// Connects.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let (socket, _) = connect_async(url).await?;
        Ok(Self { socket, acknowledged: 0, events: Vec::new() })
    }

    /// Connects, sends the first message, and returns the answer.
    pub async fn open(url: &str, first: Value) -> (Self, Value) {
        let mut client = Self::connect(url).await.unwrap();
        client.send(&first).await.unwrap();
        let answer = client.next().await.unwrap();
        (client, answer)
    }

    /// Sends a message in JSON.
    pub async fn send(&mut self, message: &Value) -> Result<(), Error> {
        self.socket.send(Message::text(message.to_string())).await
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.socket.send(Message::text(text)).await
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.socket.send(Message::binary(bytes.to_vec())).await
    }

    /// The next message; `None` when the connection has ended. Acknowledgements and events are noted.
    pub async fn next(&mut self) -> Option<Value> {
        let message = tokio::time::timeout(TIMEOUT, self.socket.next()).await.expect("a message in time");
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(Some(frame)))) => return Some(json!({ "closed": u16::from(frame.code) })),
            _ => return None,
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "ack" {
            self.acknowledged = message["next_sample"].as_u64().unwrap();
        }
        if message["event"].is_u64() {
            self.events.push(message.clone());
        }
        Some(message)
    }

    /// What has arrived already.
    pub async fn arrived(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Ok(Some(message)) = tokio::time::timeout(Duration::ZERO, self.next()).await {
            messages.push(message);
        }
        messages
    }

    /// The next message of this type.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("the connection ended before {kind}"));
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The code with which the server closes the connection.
    pub async fn close_code(&mut self) -> u64 {
        loop {
            let message = self.next().await.expect("the connection is closed properly");
            if let Some(code) = message["closed"].as_u64() {
                return code;
            }
        }
    }

    /// Ends the recording.
    pub async fn end(&mut self) -> Value {
        self.send(&json!({ "type": "end" })).await.unwrap();
        self.next_of("ended").await
    }
}

/// 6.6 s with three sentences, as bytes of 16-bit samples.
pub fn speech() -> Vec<u8> {
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    reader.samples::<i16>().flat_map(|sample| sample.unwrap().to_le_bytes()).collect()
}

/// The samples of a recording.
pub fn samples(path: &str) -> Vec<u8> {
    let mut reader = hound::WavReader::open(path).unwrap();
    reader.samples::<i16>().flat_map(|sample| sample.unwrap().to_le_bytes()).collect()
}
