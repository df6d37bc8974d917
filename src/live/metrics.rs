//! The figures of a server in Prometheus' text format, at `/metrics`.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{LiveFigures, routes::Server};

/// The media type of the OpenMetrics text format.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers with the figures.
pub(super) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    match as_text(server.sessions.figures()) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn as_text(figures: LiveFigures) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("prepare_audio_live");
    registry.register_collector(Box::new(Collected(figures)));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Collected(LiveFigures);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let LiveFigures { sessions, connections, begun, resumed, recorded, refused, events, received_s } = self.0;
        for (name, help, value) in [
            ("sessions", "Sessions that have not ended", sessions),
            ("connections", "Sessions that have a connection", connections),
        ] {
            ConstGauge::new(value as i64).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        for (name, help, value) in [
            ("sessions_begun", "Sessions that have begun", begun as f64),
            ("sessions_resumed", "How often a session was resumed", resumed as f64),
            ("recordings", "Sessions that have become recordings", recorded as f64),
            ("frames_refused", "Frames that were refused", refused as f64),
            ("events", "Starts and ends of speech that were found", events as f64),
            ("audio_seconds", "Audio that was stored", received_s),
        ] {
            ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_in_the_text_format() {
        let text = as_text(LiveFigures { sessions: 3, refused: 2, received_s: 1.5, ..LiveFigures::default() }).unwrap();
        for line in [
            "# TYPE prepare_audio_live_sessions gauge",
            "prepare_audio_live_sessions 3",
            "prepare_audio_live_connections 0",
            "prepare_audio_live_frames_refused_total 2.0",
            "prepare_audio_live_audio_seconds_total 1.5",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
