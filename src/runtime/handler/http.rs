//! `httpGet`, as the kubelet's prober does it (pkg/probe/http): no certificate is checked, redirects are followed to
//! the same host name only.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

use super::{BODY, Outcome, names, refused, shown};
use crate::plan::{HttpGet, Names, Wanted};

/// Go's limit, the first included (pkg/probe/http, RedirectChecker).
const MOST_REQUESTS: usize = 10;
/// As many as ureq has room for.
const MOST_ADDRESSES: usize = 16;

pub(super) fn get(request: &HttpGet, names: &Names) -> Outcome {
    // Redirects are followed to the same host only: it is looked up once.
    let addresses = match names::look_up(request.host(), names) {
        Ok(addresses) => addresses,
        Err(cause) => return Outcome::Failure(format!("Get {:?}: dial tcp: {cause}", request.url)),
    };
    let first = addresses[0];
    let agent = agent(addresses);
    let mut url = request.url.clone();
    let mut requests = 1;
    loop {
        let mut answer = match ask(&agent, &url, &request.headers) {
            Ok(answer) => answer,
            Err(error) => return failure(&url, first, &error),
        };
        let Some(next) = redirect(&url, &answer) else { return judge(request.wanted, &mut answer) };
        if requests == MOST_REQUESTS {
            return Outcome::Failure(format!("Get {next:?}: stopped after {MOST_REQUESTS} redirects"));
        }
        requests += 1;
        url = next;
    }
}

fn agent(addresses: Vec<IpAddr>) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .disable_verification(true)
        .build();
    let config = Config::builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .max_idle_connections(0)
        .build();
    Agent::with_parts(config, DefaultConnector::new(), Known(addresses))
}

fn ask(agent: &Agent, url: &str, headers: &[(String, String)]) -> Result<Response<Body>, ureq::Error> {
    let mut request = agent.get(url).header("Connection", "close");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.call()
}

fn failure(url: &str, ip: IpAddr, error: &ureq::Error) -> Outcome {
    let port = url.parse().as_ref().map(port).unwrap_or_default();
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Outcome::Error(format!("Get {url:?}: {error}")),
        ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Outcome::Failure(format!("Get {url:?}: EOF"))
        }
        ureq::Error::Io(cause) if cause.raw_os_error().is_some() => {
            Outcome::Failure(format!("Get {url:?}: {}", refused(ip, port, cause)))
        }
        ureq::Error::ConnectionFailed => {
            let cause = std::io::Error::from_raw_os_error(libc::ECONNREFUSED);
            Outcome::Failure(format!("Get {url:?}: {}", refused(ip, port, &cause)))
        }
        other => Outcome::Failure(format!("Get {url:?}: {other}")),
    }
}

/// Where a redirect leads that is to be followed.
fn redirect(url: &str, answer: &Response<Body>) -> Option<String> {
    let follows = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = answer.headers().get("location").filter(|_| follows)?.to_str().ok()?;
    let (from, to) = (url.parse::<Uri>().ok()?, resolve(url, location)?);
    (from.host() == to.parse::<Uri>().ok()?.host()).then_some(to)
}

/// A reference against the address it came from (RFC 3986, section 5.2, but for dot segments, which servers resolve).
fn resolve(url: &str, location: &str) -> Option<String> {
    let from: Uri = url.parse().ok()?;
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    Some(if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", from.path())
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    })
}

fn judge(wanted: Wanted, answer: &mut Response<Body>) -> Outcome {
    if wanted == Wanted::Any {
        return Outcome::Success;
    }
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    // An answer that breaks off is an answer: its status counts.
    let _ = answer.body_mut().as_reader().take(BODY).read_to_end(&mut body);
    let body = shown(&body);
    match status {
        300..=399 => Outcome::Warning(format!("Probe terminated redirects, Response body: {body}")),
        200..=299 => Outcome::Success,
        _ if body.is_empty() => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
        _ => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}: {body}")),
    }
}

fn port(uri: &Uri) -> u16 {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    uri.port_u16().unwrap_or(default)
}

/// The host's addresses, which were looked up before.
#[derive(Debug)]
struct Known(Vec<IpAddr>);

impl Resolver for Known {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        for ip in self.0.iter().take(MOST_ADDRESSES) {
            found.push(SocketAddr::new(*ip, port(uri)));
        }
        Ok(found)
    }
}
