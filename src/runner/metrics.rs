//! The figures of a run in Prometheus' text format.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{Report, Tally};
use crate::progress::Progress;

/// Collects the figures of a run from its progress reports, and passes these on.
pub struct Metrics {
    tally: Arc<Tally>,
    busy: Vec<AtomicBool>,
    is_paused: AtomicBool,
    next: Arc<dyn Progress>,
}

impl Metrics {
    /// Reads the counters of `tally`; `next` receives all progress reports.
    pub fn new(tally: Arc<Tally>, workers: usize, next: Arc<dyn Progress>) -> Arc<Self> {
        let busy = (0..workers).map(|_| AtomicBool::new(false)).collect();
        Arc::new(Self { tally, busy, is_paused: AtomicBool::new(false), next })
    }

    fn set_busy(&self, slot: usize, is_busy: bool) {
        if let Some(busy) = self.busy.get(slot) {
            busy.store(is_busy, Relaxed);
        }
    }

    /// The figures in Prometheus' text format.
    ///
    /// # Errors
    /// Where they cannot be formatted.
    pub fn text(self: &Arc<Self>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("prepare_audio");
        registry.register_collector(Box::new(Collected(Arc::clone(self))));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

impl Progress for Metrics {
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>) {
        self.set_busy(slot, true);
        self.next.started(slot, source, seconds);
    }

    fn advanced(&self, slot: usize, seconds: f64) {
        self.next.advanced(slot, seconds);
    }

    fn worked(&self, slot: usize, seconds: f64) {
        self.set_busy(slot, false);
        self.next.worked(slot, seconds);
    }

    fn ended(&self) {
        self.next.ended();
    }

    fn waiting(&self, running: i64, later: i64) {
        self.next.waiting(running, later);
    }

    fn paused(&self, why: &str) {
        self.is_paused.store(true, Relaxed);
        self.next.paused(why);
    }

    fn resumed(&self) {
        self.is_paused.store(false, Relaxed);
        self.next.resumed();
    }

    fn stopping(&self) {
        self.next.stopping();
    }
}

struct Collected(Arc<Metrics>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let report = self.0.tally.report();
        let mut ended = encoder.encode_descriptor("recordings", "Attempts by their end", None, MetricType::Counter)?;
        for (how, number) in ends(&report) {
            ConstCounter::new(number).encode(ended.encode_family(&[("end", how)])?)?;
        }
        let mut errors = encoder.encode_descriptor("errors", "Failed for good, by code", None, MetricType::Counter)?;
        for (code, number) in &report.errors {
            ConstCounter::new(*number).encode(errors.encode_family(&[("code", code.as_str())])?)?;
        }
        let mut stages = encoder.encode_descriptor("stage_seconds", "Time by stage", None, MetricType::Counter)?;
        for (stage, seconds) in [
            ("decode", report.decode_s),
            ("resample", report.resample_s),
            ("vad", report.vad_s),
            ("write", report.write_s),
        ] {
            ConstCounter::new(seconds).encode(stages.encode_family(&[("stage", stage)])?)?;
        }
        for (name, help, value) in [
            ("audio_seconds", "Audio prepared", report.audio_s),
            ("speech_seconds", "Speech found", report.speech_s),
            ("segments", "Segments written", report.segments as f64),
        ] {
            ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let busy = self.0.busy.iter().filter(|busy| busy.load(Relaxed)).count() as i64;
        for (name, help, value) in [
            ("workers", "Recordings that can be prepared at once", self.0.busy.len() as i64),
            ("workers_busy", "Recordings being prepared", busy),
            ("paused", "1 while the output or the database cannot be used", i64::from(self.0.is_paused.load(Relaxed))),
        ] {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

fn ends(report: &Report) -> [(&'static str, u64); 6] {
    [
        ("done", report.done),
        ("failed", report.failed),
        ("quarantined", report.quarantined),
        ("retried", report.retried),
        ("released", report.released),
        ("lost", report.lost),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_figures_are_in_the_text_format() {
        let metrics = Metrics::new(Arc::default(), 3, Arc::new(Silent));
        metrics.started(1, "a", None);
        metrics.paused("why");
        let text = metrics.text().unwrap();
        for line in [
            "# TYPE prepare_audio_recordings counter",
            "prepare_audio_recordings_total{end=\"done\"} 0",
            "prepare_audio_stage_seconds_total{stage=\"vad\"} 0.0",
            "prepare_audio_workers 3",
            "prepare_audio_workers_busy 1",
            "prepare_audio_paused 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
