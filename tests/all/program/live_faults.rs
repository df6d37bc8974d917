//! `listen` under faults: connections that are cut, and servers that are killed or stopped. What was acknowledged is in the
//! recording.

use std::{sync::Mutex, time::Duration};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    live::{Client, Listen, samples, speech},
    test_database::runtime,
    test_dir::TestDir,
};

/// Clients at a time.
const CLIENTS: usize = 8;

/// Bytes of a frame, 100 ms.
const FRAME: usize = 3_200;

/// Seconds that a client sends, in about a tenth of the time.
const REPETITIONS: usize = 3;

/// What a client sends: different for each.
fn audio(client: usize) -> Vec<u8> {
    let mut audio = vec![0; 2 * 777 * client];
    (0..REPETITIONS).for_each(|_| audio.extend(speech()));
    audio
}

/// Sends a recording, and comes back whenever the connection is lost: with its token, or, without `resumes`, as a new session
/// that goes on where the last acknowledgement was. Returns the last answer.
async fn play(server: &Mutex<String>, audio: &[u8], resumes: bool, random: &mut fastrand::Rng) -> Value {
    let url = || server.lock().unwrap().clone();
    let (mut token, mut next, mut last_event, mut cuts) = (None::<Value>, 0, 0, 0);
    loop {
        let first = match &token {
            Some(token) if resumes => json!({ "type": "resume", "resume_token": token, "last_event": last_event }),
            _ => json!({ "type": "hello", "audio_id": "call" }),
        };
        let Ok(mut client) = Client::connect(&url()).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if client.send(&first).await.is_err() {
            continue;
        }
        let Some(welcome) = client.next().await else { continue };
        match welcome["type"].as_str() {
            Some("welcome") => (token, last_event) = (Some(welcome["resume_token"].clone()), 0),
            Some("resumed") => next = 2 * welcome["next_sample"].as_u64().unwrap() as usize,
            other => panic!("{other:?}: {welcome}"),
        }
        let cut_after = if cuts < 3 { random.usize(5..40) } else { usize::MAX };
        let mut is_lost = false;
        for (n, frame) in audio[next..].chunks(FRAME).enumerate() {
            tokio::time::sleep(Duration::from_millis(8)).await;
            if n == cut_after || client.send_binary(frame).await.is_err() {
                is_lost = true;
                break;
            }
            client.arrived().await.iter().for_each(|message| note(message, &mut last_event));
        }
        if is_lost || client.send(&json!({ "type": "end" })).await.is_err() {
            cuts += 1;
            next = 2 * client.acknowledged as usize;
            continue;
        }
        while let Some(message) = client.next().await {
            note(&message, &mut last_event);
            if message["type"] == "ended" {
                return message;
            }
        }
    }
}

/// Remembers the number of an event.
fn note(message: &Value, last_event: &mut u64) {
    if let Some(number) = message["event"].as_u64() {
        assert!(number > *last_event, "{message}: no event comes twice");
        *last_event = number;
    }
}

/// All clients, while the server is killed and started again three times. Returns what each has sent, and the answer.
fn play_all(dir: &TestDir, resumes: bool) -> Vec<(Vec<u8>, Value)> {
    let mut listen = Listen::start(dir, &[]);
    let server = Mutex::new(listen.url.clone());
    runtime().block_on(async {
        let clients = (0..CLIENTS).map(|n| {
            let server = &server;
            async move {
                let audio = audio(n);
                let ended = play(server, &audio, resumes, &mut fastrand::Rng::with_seed(n as u64)).await;
                (audio, ended)
            }
        });
        let kill = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(700)).await;
                listen.kill();
                listen = Listen::start(dir, &[]);
                *server.lock().unwrap() = listen.url.clone();
            }
            listen
        };
        let (played, _listen) = tokio::join!(futures_util::future::join_all(clients), kill);
        played
    })
}

fn is_whole((audio, ended): &(Vec<u8>, Value)) -> bool {
    Sha256::digest(samples(ended["recording"].as_str().unwrap())) == Sha256::digest(audio)
}

#[test]
fn nothing_is_lost_when_connections_are_cut_and_the_server_is_killed() {
    let dir = TestDir::new();
    for (n, played) in play_all(&dir, true).iter().enumerate() {
        assert!(is_whole(played), "client {n}: {}", played.1);
    }
    assert_eq!(dir.query_row("SELECT COUNT(*) AS n FROM live_session")["n"], CLIENTS);
}

/// The check above finds what it is for: without resuming, the same faults tear recordings apart.
#[test]
fn without_resuming_recordings_are_torn() {
    let dir = TestDir::new();
    let played = play_all(&dir, false);
    assert!(played.iter().filter(|played| is_whole(played)).count() < CLIENTS);
}

#[test]
fn a_server_that_is_stopped_lets_its_clients_come_back() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &["--drain", "1s"]);
    let audio = speech();
    let token = runtime().block_on(async {
        let (mut client, welcome) = Client::open(&listen.url, json!({ "type": "hello", "audio_id": "a" })).await;
        let mut other = Client::connect(&listen.url).await.unwrap();
        client.send_binary(&audio[..100_000]).await.unwrap();
        client.next_of("ack").await;
        listen.terminate();
        client.next_of("draining").await;
        other.send(&json!({ "type": "hello", "audio_id": "late" })).await.unwrap();
        assert_eq!(other.next_of("error").await["code"], "draining");
        assert!(Client::connect(&listen.url).await.is_err(), "refused before the handshake");
        client.send_binary(&audio[100_000..120_000]).await.unwrap();
        assert_eq!(client.next_of("error").await["code"], "draining");
        assert_eq!(client.acknowledged, 60_000, "what arrives while the server is being stopped is stored");
        assert_eq!(client.close_code().await, 1012);
        welcome["resume_token"].clone()
    });
    assert_eq!(listen.wait(), Some(0));
    let listen = Listen::start(&dir, &[]);
    runtime().block_on(async {
        let resume = json!({ "type": "resume", "resume_token": token });
        let (mut client, resumed) = Client::open(&listen.url, resume).await;
        assert_eq!(resumed["next_sample"], 60_000);
        client.send_binary(&audio[120_000..]).await.unwrap();
        let ended = client.end().await;
        assert!(samples(ended["recording"].as_str().unwrap()) == audio);
        assert_eq!(client.events.len(), 6, "those of before the end of the first server, too");
    });
}
