//! The HTTP server: accepts connections within limits, and stops gracefully. The routes are the caller's.
//!
//! axum's own `serve` has no limits: a client that sends half a request, or many idle clients, would occupy it forever.

#[cfg(feature = "live")]
mod tls;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "live")]
pub use self::tls::{Tls, TlsError};

/// How long to wait after a connection could not be accepted, as when all file descriptors are in use.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Limits on what clients may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of simultaneous connections. More wait in the system's queue.
    pub connections: usize,
    /// How long a client may take to send the head of its request.
    pub head_timeout: Duration,
    /// How long a connection may last. A connection that was upgraded, for example to a WebSocket, is no longer limited.
    pub connection_timeout: Duration,
    /// Maximum size of a request's head, bytes.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(30),
            head_bytes: 8192, // the minimum that hyper accepts
        }
    }
}

/// A server that is bound to its address and does not accept connections yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    #[cfg(feature = "live")]
    tls: Option<Tls>,
}

impl Server {
    /// Binds to an address. Port 0 selects any free port.
    ///
    /// # Errors
    /// The system's error, for example if the address is in use.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            limits,
            #[cfg(feature = "live")]
            tls: None,
        })
    }

    /// Encrypts connections.
    #[cfg(feature = "live")]
    pub fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// The address that the server is bound to.
    ///
    /// # Errors
    /// The system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves `router` until `stop` is cancelled, and then completes the requests in progress, within the limits.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let capacity = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        let accept = async {
            loop {
                // The semaphore is never closed.
                let permit = Arc::clone(&capacity).acquire_owned().await.ok();
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let connection = self.connection(stream, router.clone(), stop.clone());
                        connections.spawn(async move {
                            connection.await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::debug!(%error, "accepting a connection");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        let stopped: Option<Infallible> = stop.run_until_cancelled(accept).await;
        debug_assert!(stopped.is_none(), "only cancellation ends the loop");
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves one connection, once it is encrypted if it is to be.
    fn connection(
        &self,
        stream: TcpStream,
        router: Router,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let limits = self.limits;
        // Answers are small, and clients wait for them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "setting an option of a connection");
        }
        #[cfg(feature = "live")]
        let acceptor = self.tls.as_ref().map(Tls::acceptor);
        async move {
            #[cfg(feature = "live")]
            if let Some(acceptor) = acceptor {
                match tokio::time::timeout(limits.head_timeout, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => serve_connection(stream, router, limits, stop).await,
                    Ok(Err(error)) => tracing::debug!(%error, "encrypting a connection"),
                    Err(_) => tracing::debug!("a connection was not encrypted in time"),
                }
                return;
            }
            serve_connection(stream, router, limits, stop).await;
        }
    }
}

async fn serve_connection<S>(stream: S, router: Router, limits: Limits, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    match tokio::time::timeout(limits.connection_timeout, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "serving a connection"),
        Err(_) => tracing::debug!("a connection was closed at its time limit"),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::JoinHandle,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const TIMEOUT: Duration = Duration::from_secs(10);

    async fn start(limits: Limits) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let slow = get(|| async {
            tokio::time::sleep(SHORT).await;
            "slow"
        });
        let router = Router::new().route("/", get(|| async { "fast" })).route("/slow", slow);
        (address, stop.clone(), tokio::spawn(server.serve(router, stop)))
    }

    /// Everything that the server sends until it closes the connection.
    async fn response(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await;
        let _ = read.expect("the server closes the connection"); // a reset counts as an end
        String::from_utf8(bytes).unwrap()
    }

    async fn request(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        response(&mut stream).await
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn slow_and_idle_clients_are_disconnected() {
        let limits = Limits { head_timeout: SHORT, connection_timeout: 5 * SHORT, ..Limits::default() };
        let (address, ..) = start(limits).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HT").await.unwrap();
        assert!(request(address, GET).await.ends_with("fast"), "others are served meanwhile");
        assert!(!response(&mut slow).await.contains("200 OK"));
        assert!(!response(&mut idle).await.contains("200 OK"));
        // A client that keeps its connection open for another request is disconnected, too.
        let kept = request(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(kept.ends_with("fast"), "{kept}");
    }

    #[tokio::test]
    async fn clients_beyond_the_limit_wait_for_others() {
        let limits = Limits { connections: 2, head_timeout: SHORT, ..Limits::default() };
        let (address, ..) = start(limits).await;
        let mut idle = Vec::new();
        for _ in 0..4 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(request(address, GET).await.ends_with("fast"), "as soon as those before it are disconnected");
    }

    #[tokio::test]
    async fn a_request_with_too_long_a_head_is_refused() {
        let (address, ..) = start(Limits::default()).await;
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        assert!(!request(address, &long).await.contains("200 OK"));
        assert!(request(address, GET).await.ends_with("fast"));
    }

    #[tokio::test]
    async fn requests_in_progress_are_completed_when_the_server_stops() {
        let (address, stop, serving) = start(Limits::default()).await;
        let slow = tokio::spawn(async move { request(address, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await });
        tokio::time::sleep(SHORT / 2).await;
        stop.cancel();
        tokio::time::timeout(TIMEOUT, serving).await.unwrap().unwrap();
        assert!(slow.await.unwrap().ends_with("slow"));
        assert!(TcpStream::connect(address).await.is_err(), "no connection is accepted any more");
    }
}
