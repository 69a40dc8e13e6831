//! What is answered to what.

use std::net::IpAddr;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::metrics;
use super::told::Known;
use crate::health::Health;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const WHAT_THERE_IS: &str =
    "there is /status (JSON), /metrics (Prometheus) and /healthz (200 or 503)\n";

const WRONG_HOST: &str = "ask for localhost or an address, not for a name\n";

/// By which names we may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts {
    /// By any.
    Any,
    /// By addresses and `localhost`: a page from elsewhere whose name was made to lead here does not
    /// read along in a browser of this box.
    Local,
}

impl Hosts {
    fn allow<B>(self, request: &Request<B>) -> bool {
        match (self, request.headers().get(HOST)) {
            (Self::Any, _) | (Self::Local, None) => true,
            (Self::Local, Some(host)) => host.to_str().is_ok_and(is_local),
        }
    }
}

/// Whether a `Host` is an address or `localhost`, with a port or without.
fn is_local(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

pub(super) fn answer<B>(
    request: &Request<B>,
    known: &Known,
    hosts: Hosts,
) -> Response<Full<Bytes>> {
    if !hosts.allow(request) {
        return respond(StatusCode::FORBIDDEN, PLAIN, WRONG_HOST);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, PLAIN, WHAT_THERE_IS);
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/status" => match serde_json::to_vec(&known.told()) {
            Ok(json) => respond(StatusCode::OK, JSON, json),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, error.to_string()),
        },
        "/metrics" => respond(StatusCode::OK, PROMETHEUS, metrics::text(&known.told())),
        "/healthz" => healthz(&known.health.borrow()),
        _ => respond(StatusCode::NOT_FOUND, PLAIN, WHAT_THERE_IS),
    }
}

fn healthz(health: &Health) -> Response<Full<Bytes>> {
    if health.healthy {
        let text = format!("healthy: {}\n", health.says);
        return respond(StatusCode::OK, PLAIN, text);
    }
    let hangs = health.wedged.join("; ");
    let text = format!("not healthy: {hangs}\n");
    respond(StatusCode::SERVICE_UNAVAILABLE, PLAIN, text)
}

fn respond(code: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_box_are_local() {
        for host in [
            "localhost",
            "LocalHost:9108",
            "127.0.0.1",
            "127.0.0.1:9108",
            "[::1]:9108",
            "[::1]",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example:9108",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:9108:x",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
