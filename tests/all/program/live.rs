//! `listen`: audio over a WebSocket becomes acknowledgements, events, a recording and rows.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use prepare_audio_live::SessionKey;
use serde_json::{Value, json};

use crate::support::{
    live::{Client, Listen, samples, speech},
    test_database::runtime,
    test_dir::{TestDir, expected},
};

/// Bytes of 20 ms.
const FRAME: usize = 640;

fn hello() -> Value {
    json!({ "type": "hello", "audio_id": "call 7" })
}

/// Waits until this many recordings are done.
fn wait_for_done(dir: &TestDir, number: i64) {
    let started = Instant::now();
    while dir.count("done") < number {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", dir.status());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The boundaries of segments in events.
fn spans(events: &[Value]) -> Vec<[u64; 2]> {
    let ended = events.iter().filter(|event| event["type"] == "speech_ended");
    ended.map(|event| ["start_sample", "end_sample"].map(|key| event[key].as_u64().unwrap())).collect()
}

fn official_spans() -> Value {
    expected("segments.json")["files"]["speech/pauses.wav"]["segments"]["defaults"].clone()
}

fn get(listen: &Listen, path: &str) -> String {
    let mut stream = TcpStream::connect(listen.host()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", listen.host()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_is_heard_live_is_what_fetch_hears() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &[]);
    let audio = speech();
    let (ended, events) = runtime().block_on(async {
        let first =
            json!({ "type": "hello", "audio_id": "call 7", "utterance_end_ms": 600, "metadata": { "caller": "Zoë" } });
        let (mut client, welcome) = Client::open(&listen.url, first).await;
        assert_eq!(
            (&welcome["type"], &welcome["next_sample"], &welcome["session_key"]),
            (&json!("welcome"), &json!(0), &Value::Null)
        );
        for frame in audio.chunks(FRAME) {
            client.send_binary(frame).await.unwrap();
        }
        let ended = client.end().await;
        assert_eq!(client.acknowledged, 106_243, "all of it before the end");
        assert_eq!(client.close_code().await, 1000);
        (ended, client.events)
    });
    assert_eq!(json!(spans(&events)), official_spans());
    assert!(events.iter().zip(1..).all(|(event, number)| event["event"] == number));
    assert_eq!(
        (&ended["samples"], events.iter().filter(|event| event["type"] == "utterance_end").count()),
        (&json!(106_243), 2)
    );
    let recording = ended["recording"].as_str().unwrap();
    assert!(samples(recording) == audio);
    wait_for_done(&dir, 1);
    let rows = dir.segments(&[recording]);
    assert_eq!(
        json!(rows.iter().map(|row| [&row["start_sample"], &row["end_sample"]]).collect::<Vec<_>>()),
        official_spans()
    );
    assert_eq!((&rows[0]["metadata"]["caller"], &rows[0]["metadata"]["audio_id"]), (&json!("Zoë"), &json!("call 7")));
    // The rows are those that `fetch` would make: there is nothing left for it to do.
    assert!(dir.run(&["fetch", recording]).exits(0).stdout.starts_with("0 recordings done"));
    let session = dir.query_row("SELECT state, source, samples, audio_id FROM live_session");
    assert_eq!(session, json!({ "state": "ended", "source": recording, "samples": 106_243, "audio_id": "call 7" }));
}

/// Messages as other servers take them: JSON with an audio_id and base64, without anything before it.
#[test]
fn json_without_a_hello_is_a_recording() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &[]);
    let audio = speech();
    runtime().block_on(async {
        let message = |audio: &[u8]| json!({ "audio_id": "7", "content": BASE64.encode(audio) });
        let (mut client, welcome) = Client::open(&listen.url, message(&audio[..FRAME])).await;
        assert_eq!(welcome["type"], "welcome");
        for frame in audio[FRAME..].chunks(8_000) {
            client.send(&message(frame)).await.unwrap();
        }
        let ended = client.end().await;
        assert!(samples(ended["recording"].as_str().unwrap()) == audio);
        assert_eq!(json!(spans(&client.events)), official_spans());
    });
}

#[test]
fn a_client_comes_back_and_receives_what_it_missed() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &[]);
    let audio = speech();
    runtime().block_on(async {
        let (mut client, welcome) = Client::open(&listen.url, hello()).await;
        let token = &welcome["resume_token"];
        let resume = |last: usize| json!({ "type": "resume", "resume_token": token, "last_event": last });
        client.send_binary(&audio[..120_000]).await.unwrap();
        client.next_of("speech_ended").await;
        let seen = client.events.len();
        // A second connection takes the session over; the first one is told.
        let (mut second, resumed) = Client::open(&listen.url, resume(1)).await;
        assert_eq!((&resumed["type"], &resumed["next_sample"]), (&json!("resumed"), &json!(60_000)));
        assert_eq!(client.close_code().await, 4001);
        second.next_of("speech_ended").await;
        assert_eq!(second.events, client.events[1..seen], "from the first event that it does not know");
        drop(second); // as when a network is lost
        let (mut third, resumed) = Client::open(&listen.url, resume(seen)).await;
        assert_eq!(resumed["next_sample"], 60_000);
        third.send_binary(&audio[120_000..]).await.unwrap();
        let ended = third.end().await;
        assert!(samples(ended["recording"].as_str().unwrap()) == audio);
        client.events.truncate(seen);
        client.events.extend(third.events);
        assert_eq!(json!(spans(&client.events)), official_spans());
        // The token is worth nothing any more.
        let (_, refused) = Client::open(&listen.url, resume(0)).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("unknown_session")));
    });
}

#[test]
fn frames_that_are_not_next_are_refused_and_change_nothing() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &[]);
    let audio = speech();
    runtime().block_on(async {
        let first = json!({ "type": "hello", "audio_id": "a", "frames": "signed" });
        let (mut client, welcome) = Client::open(&listen.url, first).await;
        let key = SessionKey::derive(welcome["resume_token"].as_str().unwrap().as_bytes());
        assert_eq!(welcome["session_key"], BASE64.encode(key.bytes()));
        let session = welcome["session"].as_str().unwrap();
        let signed = |number: u64, audio: &[u8]| {
            [&number.to_be_bytes()[..], &key.sign(session, "a", number, audio), audio].concat()
        };
        let frame = signed(0, &audio[..FRAME]);
        let mut tampered = frame.clone();
        tampered[100] ^= 1;
        client.send_binary(&frame).await.unwrap();
        for (message, code) in [
            (frame.clone(), "repeated_frame"),
            (tampered, "wrong_mac"),
            (signed(960, &audio[..FRAME]), "gap"),
            (signed(320, &audio[..FRAME + 1]), "partial_sample"),
            (frame[..39].to_vec(), "malformed_frame"),
        ] {
            client.send_binary(&message).await.unwrap();
            let refused = client.next_of("refused").await;
            assert_eq!((&refused["code"], &refused["next_sample"]), (&json!(code), &json!(320)), "{refused}");
        }
        // The same in JSON, and what has no code.
        let content = BASE64.encode(&audio[FRAME..2 * FRAME]);
        let mac = hex::encode(key.sign(session, "a", 320, &audio[FRAME..2 * FRAME]));
        client.send(&json!({ "type": "audio", "seq": 320, "content": content })).await.unwrap();
        assert_eq!(client.next_of("refused").await["code"], "mac_required");
        client.send(&json!({ "type": "audio", "seq": 320, "content": "?", "mac": mac })).await.unwrap();
        assert_eq!(client.next_of("refused").await["code"], "malformed_frame");
        client.send(&json!({ "type": "audio", "seq": 320, "content": content, "mac": mac })).await.unwrap();
        let ended = client.end().await;
        assert!(samples(ended["recording"].as_str().unwrap()) == audio[..2 * FRAME]);

        let (mut client, _) = Client::open(&listen.url, hello()).await;
        for _ in 0..20 {
            client.send_binary(b"odd").await.unwrap();
        }
        assert_eq!(client.close_code().await, 1008);
    });
}

/// What no client sends in good faith ends its own connection, and no other.
#[test]
fn hostile_clients_end_their_own_connections() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &["--max-sessions", "3", "--idle-timeout", "300ms"]);
    runtime().block_on(async {
        let (mut good, _) = Client::open(&listen.url, json!({ "type": "hello", "audio_id": "good" })).await;
        for (first, code) in [
            ("", "bad_message"),
            ("{", "bad_message"),
            (r#"{"type": "hello"}"#, "bad_message"),
            (r#"{"type": "end"}"#, "bad_message"),
            (r#"{"type": "hello", "audio_id": "a", "sample_rate": 16001}"#, "bad_format"),
            (r#"{"type": "resume", "resume_token": "guessed"}"#, "unknown_session"),
        ] {
            let mut client = Client::connect(&listen.url).await.unwrap();
            client.send_text(first).await.unwrap();
            let error = client.next_of("error").await;
            assert_eq!(error["code"], code, "{first}: {error}");
            assert_eq!(client.close_code().await, 1008);
        }
        let mut client = Client::connect(&listen.url).await.unwrap();
        client.send_binary(b"audio").await.unwrap();
        assert_eq!(client.next_of("error").await["code"], "bad_message");
        let mut client = Client::connect(&listen.url).await.unwrap();
        let _ = client.send_binary(&vec![0; 1 << 20]).await;
        while client.next().await.is_some_and(|message| message["type"] != "welcome") {}
        good.send_binary(&speech()[..FRAME]).await.unwrap();
        // Who sends nothing for too long has to come back.
        let (mut idle, _) = Client::open(&listen.url, hello()).await;
        assert_eq!(idle.next_of("error").await["code"], "idle");
        // Both sessions wait for their clients, and a third one; there is no place for a fourth.
        let (_third, welcome) = Client::open(&listen.url, hello()).await;
        assert_eq!(welcome["type"], "welcome");
        let (mut fourth, refused) = Client::open(&listen.url, hello()).await;
        assert_eq!((&refused["code"], &refused["retry_after_s"]), (&json!("overloaded"), &json!(10)));
        assert_eq!(fourth.close_code().await, 1013);
    });
    assert!(get(&listen, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(&listen, "/healthz").starts_with("HTTP/1.1 200"));
    #[cfg(feature = "metrics")]
    assert!(get(&listen, "/metrics").contains("prepare_audio_live_sessions 3\n"));
    assert!(get(&listen, "/").starts_with("HTTP/1.1 404"));
    assert!(get(&listen, "/ws").starts_with("HTTP/1.1 400"), "no upgrade is asked for");
}

#[test]
fn sessions_whose_clients_stay_away_become_recordings() {
    let dir = TestDir::new();
    let listen = Listen::start(&dir, &["--resume-window", "1s"]);
    runtime().block_on(async {
        let (mut client, _) = Client::open(&listen.url, hello()).await;
        client.send_binary(&speech()).await.unwrap();
        client.next_of("ack").await;
        let (empty, _) = Client::open(&listen.url, hello()).await;
        drop((client, empty));
    });
    wait_for_done(&dir, 1);
    assert_eq!(dir.segments(&[]).len(), 3);
    assert_eq!(dir.query_row("SELECT COUNT(*) AS n FROM live_session WHERE state = 'empty'")["n"], 1);
    assert_eq!(dir.files("segments/live").iter().filter(|(path, _)| path.extension().is_some()).count(), 1);
}

#[test]
fn a_server_is_started_where_it_is_safe() {
    let dir = TestDir::new();
    let refused = dir.run(&["listen", "--bind", "0.0.0.0:0"]).exits(2);
    assert!(refused.stderr.contains("--tls-cert and --tls-key are needed"), "{}", refused.stderr);
    let refused = dir.run(&["listen", "--bind", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "no.key"]).exits(2);
    assert!(refused.stderr.contains("no.pem: No such file"), "{}", refused.stderr);
    dir.write("no.pem", "nothing");
    dir.write("no.key", "nothing");
    let refused = dir.run(&["listen", "--bind", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "no.key"]).exits(2);
    assert!(refused.stderr.contains("no.pem: not in PEM format"), "{}", refused.stderr);
    let first = Listen::start(&dir, &[]);
    let refused = dir.run(&["listen", "--bind", "127.0.0.1:0"]).exits(2);
    assert!(refused.stderr.contains("another `prepare-audio listen` stores its recordings in"), "{}", refused.stderr);
    first.terminate();
    assert_eq!(first.wait(), Some(0));
}
