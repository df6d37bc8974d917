//! `--metrics`: serves a run's metrics to Prometheus. The metrics themselves are in `runner::Metrics`.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prepare_audio::{
    progress::Progress,
    runner::{Metrics, Shutdown, Tally},
    web::{Limits, Server},
};

use super::exit;

/// The media type of the OpenMetrics text format.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The address that the metrics are served at. A port alone means the loopback address, which other machines cannot
/// reach.
#[derive(Clone, Copy, Debug)]
pub struct MetricsAddress(SocketAddr);

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
            return Ok(Self((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self).map_err(|_| "write a port (9464), or an address with a port (0.0.0.0:9464)".to_owned())
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serves the metrics of a run until it ends. Returns the progress that the run must report to, which passes every event
/// on to `next`.
///
/// # Errors
/// If the address cannot be bound.
pub async fn serve(
    address: MetricsAddress,
    tally: Arc<Tally>,
    workers: usize,
    next: Arc<dyn Progress>,
    shutdown: &Shutdown,
) -> anyhow::Result<Arc<dyn Progress>> {
    let refused = |error| exit::Usage(format!("--metrics: cannot listen on {address}: {error}"));
    let server = Server::bind(address.0, Limits::default()).await.map_err(refused)?;
    tracing::info!("metrics at http://{}/metrics", server.address()?);
    let metrics = Metrics::new(tally, workers, next);
    tokio::spawn(server.serve(router(Arc::clone(&metrics)), shutdown.token()));
    Ok(metrics)
}

/// The metrics at `/metrics`. The answer for any other path names this one.
fn router(metrics: Arc<Metrics>) -> Router {
    let text = move || async move {
        match metrics.text() {
            Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    };
    let not_found = || async { (StatusCode::NOT_FOUND, "the metrics are at /metrics\n") };
    Router::new().route("/metrics", get(text)).fallback(not_found)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use prepare_audio::progress::Silent;

    use super::*;

    #[test]
    fn a_port_alone_is_a_loopback_address() {
        for (text, address) in [
            ("9464", "127.0.0.1:9464"),
            (":9464", "127.0.0.1:9464"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(text.parse::<MetricsAddress>().unwrap().0.to_string(), address);
        }
        assert!("host".parse::<MetricsAddress>().is_err() && "99999".parse::<MetricsAddress>().is_err());
    }

    /// The status line and the rest of a response.
    fn request(address: SocketAddr, line: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (status, rest) = response.split_once("\r\n").unwrap();
        (status.to_owned(), rest.to_owned())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn metrics_are_served_only_at_their_path() {
        let metrics = Metrics::new(Arc::default(), 3, Arc::new(Silent));
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
        let (address, shutdown) = (server.address().unwrap(), Shutdown::default());
        let serving = tokio::spawn(server.serve(router(metrics), shutdown.token()));
        let (status, rest) = request(address, "GET /metrics");
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(rest.contains(CONTENT_TYPE) && rest.ends_with("# EOF\n"), "{rest}");
        assert_eq!(request(address, "HEAD /metrics").0, "HTTP/1.1 200 OK");
        let (status, rest) = request(address, "GET /");
        assert!(status.contains(" 404 ") && rest.ends_with("the metrics are at /metrics\n"), "{status} {rest}");
        assert!(request(address, "POST /metrics").0.contains(" 405 "));
        shutdown.now();
        serving.await.unwrap();
    }
}
