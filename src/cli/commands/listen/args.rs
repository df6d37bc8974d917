//! The arguments of `listen`. They are the same whether the command is compiled in or not.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::value_parser;

use crate::cli::args::{BaseArgs, PreparationArgs};

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio listen                                  for clients on this machine, at ws://127.0.0.1:8765/ws
  prepare-audio listen --bind 0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem
  python3 examples/live_client.py ws://127.0.0.1:8765/ws talk.wav
  curl http://127.0.0.1:8765/readyz                     whether new sessions are taken

A client sends audio while it is spoken. It is told at once where speech starts and ends, and how much is stored. When it ends the
recording, segments and rows are made as by fetch; so is whatever else is pending in the database. docs/live-protocol.md has
the messages.

Audio is stored below the output folder, in live/, before it is acknowledged. A client whose connection was lost comes back with
its resume token, also after this server was killed and started again. SIGTERM and Ctrl-C end the server: it takes no new
sessions, and closes connections after --drain; their sessions are resumed when it runs again.

What is reported live is speech in the mix of all channels, before segments are merged or dropped; other options of channels, denoising
and segments are those of the rows.

Exit codes:
  0    ended by a signal
  2    the command line, a setting, the address or the output folder is wrong
  4    the database cannot be used";

/// Arguments of `listen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port to listen on; port 0 for any that is free
    #[arg(long, value_name = "ADDR:PORT", env = "PREPARE_AUDIO_BIND", default_value = "127.0.0.1:8765")]
    pub bind: SocketAddr,
    /// Certificate for TLS, with those of its authorities, in PEM format; it is read again when the file changes
    #[arg(long, value_name = "FILE", env = "PREPARE_AUDIO_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate, in PEM format
    #[arg(long, value_name = "FILE", env = "PREPARE_AUDIO_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that other machines reach, as behind a proxy that encrypts
    #[arg(long)]
    pub insecure: bool,
    /// Sessions at a time, those included that wait for their client to come back
    #[arg(long, value_name = "N", env = "PREPARE_AUDIO_MAX_SESSIONS", default_value_t = 1000)]
    #[arg(value_parser = value_parser!(u32).range(1..=100_000))]
    pub max_sessions: u32,
    /// Web pages of this origin may connect, for example https://app.example; may be repeated
    #[arg(long, value_name = "ORIGIN", env = "PREPARE_AUDIO_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// How long a session waits for its client to come back before its recording ends
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_RESUME_WINDOW", default_value = "2m")]
    #[arg(value_parser = humantime::parse_duration)]
    pub resume_window: Duration,
    /// How long a client may send nothing before its connection is closed
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_IDLE_TIMEOUT", default_value = "1m")]
    #[arg(value_parser = humantime::parse_duration)]
    pub idle_timeout: Duration,
    /// Seconds of audio that are read from a client in a second; 30 s more may come at once
    #[arg(long, value_name = "X", env = "PREPARE_AUDIO_MAX_SPEED", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_speed: u32,
    /// Acknowledge audio when it is on the disk, so that it survives a power cut; without, it survives the end of the process
    #[arg(long, env = "PREPARE_AUDIO_SYNC")]
    pub sync: bool,
    /// How long running sessions may go on after SIGTERM or Ctrl-C
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_DRAIN", default_value = "10s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// Threads for live audio, and recordings to prepare at a time [default: the number of cores]
    #[arg(short, long, value_name = "N", env = "PREPARE_AUDIO_WORKERS", value_parser = value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print the address as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub preparation: PreparationArgs,
}
