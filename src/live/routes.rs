//! The routes of a server: `/ws`, and what load balancers ask.

use std::sync::Arc;

use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::Semaphore;

use super::{Sessions, connection};

/// Bytes that a connection reads at a time. The default, 128 kB, would be most of a session's memory.
const READ_BUFFER: usize = 4 << 10;

/// Bytes that may wait for a client that receives slowly, besides the message that is being sent.
const WRITE_BUFFER: usize = 64 << 10;

/// Connections a session: a client that comes back has a second one for a moment.
const CONNECTIONS: usize = 2;

/// What requests share.
pub(super) struct Server {
    pub sessions: Arc<Sessions>,
    /// WebSockets that may be opened. A connection has one before it has a session.
    free: Arc<Semaphore>,
}

/// The routes.
pub fn router(sessions: Arc<Sessions>) -> Router {
    let free = Arc::new(Semaphore::new(CONNECTIONS * sessions.settings.limits.sessions));
    let router = Router::new()
        .route("/ws", get(upgrade))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready));
    #[cfg(feature = "metrics")]
    let router = router.route("/metrics", get(super::metrics::metrics));
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, "audio is received at /ws; see docs/live-protocol.md\n") })
        .with_state(Arc::new(Server { sessions, free }))
}

/// Whether a load balancer should send new clients.
async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, &'static str) {
    if server.sessions.is_ready() { (StatusCode::OK, "ready\n") } else { unavailable() }
}

fn unavailable() -> (StatusCode, &'static str) {
    (StatusCode::SERVICE_UNAVAILABLE, "no new sessions are taken\n")
}

/// Refuses before the handshake what would be refused after it: many clients connect again at once if a handshake succeeds.
async fn upgrade(State(server): State<Arc<Server>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if !is_allowed(&headers, &server.sessions.settings.origins) {
        return (StatusCode::FORBIDDEN, "pages of this origin may not connect; see --allow-origin\n").into_response();
    }
    let permit = Arc::clone(&server.free).try_acquire_owned();
    let (Ok(permit), false) = (permit, server.sessions.draining.is_cancelled()) else {
        return (unavailable().0, [(header::RETRY_AFTER, "10")], unavailable().1).into_response();
    };
    let limit = server.sessions.settings.limits.message_bytes;
    let upgrade = upgrade.read_buffer_size(READ_BUFFER).write_buffer_size(0).max_write_buffer_size(WRITE_BUFFER);
    let sessions = Arc::clone(&server.sessions);
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(|socket| async move {
        connection::serve(socket, sessions).await;
        drop(permit);
    })
}

/// Whether a client may connect: a program, which has no origin, or a page of the server itself or of an allowed origin. A
/// browser would let any page that its user visits connect to this machine.
fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = origin.split_once("://").is_some_and(|(_, of_page)| Some(of_page) == host);
    is_own || allowed.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_may_not_connect() {
        let allowed = ["https://app.example".to_owned()];
        for (origin, is_ok) in [
            (None, true),
            (Some("http://127.0.0.1:8765"), true),
            (Some("https://app.example"), true),
            (Some("https://app.example.org"), false),
            (Some("http://evil.example"), false),
            (Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8765".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_allowed(&headers, &allowed), is_ok, "{origin:?}");
        }
    }
}
