//! Which requests are answered. A page of another site, open in the same browser, can send requests to the loopback address.
//! By a name of its own that it points to 127.0.0.1 (DNS rebinding), it could even read the answers.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The pages load nothing from anywhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The names of this server, as a browser sends them.
#[derive(Debug)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// The names of a server at this port of the loopback address.
    pub fn new(port: u16) -> Self {
        const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = NAMES.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(NAMES.map(str::to_owned)); // browsers leave it out
        }
        Self(hosts)
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, authority: Option<&str>, headers: &HeaderMap) -> Option<&'static str> {
        let is_own = |host: &str| self.0.iter().any(|own| own.eq_ignore_ascii_case(host));
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        if headers.get_all(HOST).iter().count() != 1 || !text(HOST).is_some_and(is_own) || !authority.is_none_or(is_own)
        {
            return Some("the Host header must name this server: localhost, 127.0.0.1 or [::1] with its port");
        }
        let is_reading = *method == Method::GET || *method == Method::HEAD;
        // A browser says so where a page of another site asks for a part of itself, as an image. Links may come from anywhere.
        let fetch = |name| text(HeaderName::from_static(name));
        if matches!(fetch("sec-fetch-site"), Some("cross-site" | "same-site"))
            && fetch("sec-fetch-mode") != Some("navigate")
        {
            return Some("requests of other sites are refused");
        }
        match text(ORIGIN) {
            None if is_reading => None,
            Some(origin) if origin.strip_prefix("http://").is_some_and(is_own) => None,
            _ => Some("requests of other sites are refused: the Origin header must name this server"),
        }
    }
}

/// Refuses requests of other sites, and sets the headers of every answer.
pub async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let mut response = match hosts.refusal(request.method(), authority, request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_of_the_own_pages_are_answered() {
        let hosts = Hosts::new(4000);
        for (method, host, origin, is_refused) in [
            (Method::GET, "127.0.0.1:4000", None, false),
            (Method::HEAD, "localhost:4000", None, false),
            (Method::GET, "LOCALHOST:4000", None, false),
            (Method::GET, "[::1]:4000", Some("http://[::1]:4000"), false),
            (Method::GET, "localhost", None, true),
            (Method::GET, "localhost:4001", None, true),
            (Method::GET, "localhost:4000.evil.example", None, true),
            (Method::GET, "evil.example:4000", None, true),
            (Method::GET, "", None, true),
            (Method::GET, "localhost:4000", Some("http://evil.example"), true),
            (Method::GET, "localhost:4000", Some("null"), true),
            (Method::POST, "localhost:4000", None, true),
            (Method::POST, "localhost:4000", Some("http://localhost:4000"), false),
            (Method::POST, "localhost:4000", Some("https://localhost:4000"), true),
            (Method::POST, "localhost:4000", Some("http://localhost:4000.evil.example"), true),
            (Method::DELETE, "localhost:4000", Some("http://localhost:80"), true),
        ] {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(hosts.refusal(&method, None, &headers).is_some(), is_refused, "{method} {host} {origin:?}");
        }
        let own = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost:4000"))]);
        for (site, mode, is_refused) in [
            ("same-origin", "cors", false),
            ("none", "navigate", false),
            ("cross-site", "navigate", false),
            ("cross-site", "no-cors", true),
            ("same-site", "no-cors", true), // another port
        ] {
            let mut headers = own.clone();
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            headers.insert("sec-fetch-mode", HeaderValue::from_static(mode));
            assert_eq!(hosts.refusal(&Method::GET, None, &headers).is_some(), is_refused, "{site} {mode}");
        }
        assert!(hosts.refusal(&Method::GET, Some("evil.example:4000"), &own).is_some());
        let mut two = own.clone();
        two.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(
            hosts.refusal(&Method::GET, None, &two).is_some()
                && hosts.refusal(&Method::GET, None, &HeaderMap::new()).is_some()
        );
        assert!(Hosts::new(80).0.contains(&"localhost".to_owned()));
    }
}
