//! `httpGet`, as the kubelet's prober does it (pkg/probe/http) and its runner of hooks (pkg/kubelet/lifecycle): no
//! certificate is checked, redirects are followed to the same host name only, and a hook by HTTPS to a server that
//! speaks HTTP is tried by HTTP.

use std::io;
use std::net::TcpStream;

use super::connect::connect;
use super::outcome::{BODY, Outcome, shown};
use super::wire::{self, Answer};
use super::{h2, tls};
use crate::plan::{HttpGet, HttpVersion, Names, Scheme, Url, Wanted};

/// Go's limit, the first included (pkg/probe/http, RedirectChecker).
const MOST_REQUESTS: usize = 10;

/// Why there was no answer, in Go's words.
enum Failed {
    ClearText,
    Because(String),
}

pub(super) fn get(request: &HttpGet, names: &Names) -> Outcome {
    match follow(request, names) {
        // As the kubelet, whose hooks once went by HTTP whatever their scheme.
        Err((url, Failed::ClearText)) if request.wanted == Wanted::Any && url.scheme == Scheme::Https => {
            let headers = request.headers.iter().filter(|(name, _)| name != "Authorization").cloned().collect();
            let url = Url { scheme: Scheme::Http, ..url };
            let clear = HttpGet { url, headers, ..request.clone() };
            follow(&clear, names).unwrap_or_else(failure)
        }
        outcome => outcome.unwrap_or_else(failure),
    }
}

fn failure((url, why): (Url, Failed)) -> Outcome {
    let why = match why {
        Failed::ClearText => "http: server gave HTTP response to HTTPS client".to_owned(),
        Failed::Because(why) => why,
    };
    Outcome::Failure(format!("Get {:?}: {why}", url.to_string()))
}

/// Asks, and where it is redirected to.
fn follow(request: &HttpGet, names: &Names) -> Result<Outcome, (Url, Failed)> {
    let mut url = request.url.clone();
    let mut requests = 1;
    let mut is_absolute = false;
    loop {
        let answer = match ask(&url, request, is_absolute, names) {
            Ok(answer) => answer,
            Err(why) => return Err((url, why)),
        };
        let location = answer.header("location").filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308));
        let next = location.and_then(|location| Some((url.resolve(location)?, Url::is_absolute(location))));
        let Some((next, absolute)) = next.filter(|(next, _)| next.host == request.url.host) else {
            return judge(request.wanted, &answer).map_err(|why| (url, why));
        };
        if requests == MOST_REQUESTS {
            return Err((next, Failed::Because(format!("stopped after {MOST_REQUESTS} redirects"))));
        }
        requests += 1;
        (url, is_absolute) = (next, absolute);
    }
}

fn ask(url: &Url, request: &HttpGet, is_absolute: bool, names: &Names) -> Result<Answer, Failed> {
    let because = |cause: &io::Error| Failed::Because(words(cause));
    let stream = connect(&url.host, url.port, names).map_err(Failed::Because)?;
    let head = head(url, &request.headers, is_absolute);
    match url.scheme {
        Scheme::Http if request.version == HttpVersion::Http2 => {
            let answer = over_http2(stream, url, &request.headers, is_absolute);
            answer.map_err(|cause| because(&cause))
        }
        Scheme::Http => wire::exchange(stream, &head, BODY).map_err(|cause| because(&cause)),
        Scheme::Https => {
            let stream = tls::connect(stream, &url.host, None).map_err(|refusal| match refusal {
                tls::Refusal::ClearText => Failed::ClearText,
                tls::Refusal::Failed(cause) => because(&cause),
            })?;
            wire::exchange(stream, &head, BODY).map_err(|cause| because(&cause))
        }
    }
}

/// By prior knowledge: no server is asked whether it speaks HTTP/2.
fn over_http2(mut stream: TcpStream, url: &Url, headers: &[(String, String)], is_absolute: bool) -> io::Result<Answer> {
    let authority = url.authority();
    let (host, agent) = own_headers(headers, is_absolute);
    let mut fields = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":path", url.target.as_str()),
        (":authority", host.unwrap_or(&authority)),
    ];
    fields.extend(agent.map(|agent| ("user-agent", agent)));
    let others: Vec<_> = others(headers).into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    fields.extend(others.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let most = usize::try_from(BODY).unwrap_or(usize::MAX);
    let answer = h2::call(&mut stream, &fields, None, h2::Body::First(most))?;
    let status = answer.header(":status").and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer has no status"))?;
    let location = answer.header("location").map(|location| ("location".to_owned(), location.to_owned()));
    Ok(Answer { status, headers: location.into_iter().collect(), body: answer.message, cut: None })
}

fn words(cause: &io::Error) -> String {
    match cause.raw_os_error() {
        Some(errno) => crate::runtime::program::words(errno),
        None => cause.to_string(),
    }
}

/// The request as Go writes it: host and agent first, then the others by name. A host that the manifest gives is not taken
/// along to where an absolute redirect leads.
fn head(url: &Url, headers: &[(String, String)], is_absolute: bool) -> String {
    let (host, agent) = own_headers(headers, is_absolute);
    let mut head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", url.target, host.unwrap_or(&url.authority()));
    if let Some(agent) = agent {
        head.push_str(&format!("User-Agent: {agent}\r\n"));
    }
    for (name, value) in others(headers) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    head
}

/// Host and agent that the manifest gives.
fn own_headers(headers: &[(String, String)], is_absolute: bool) -> (Option<&str>, Option<&str>) {
    let given = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    };
    (given("Host").filter(|_| !is_absolute), given("User-Agent"))
}

/// All headers but those that the client writes itself, or not at all.
fn others(headers: &[(String, String)]) -> Vec<(&str, String)> {
    const OWN: [&str; 6] = ["Host", "User-Agent", "Connection", "Content-Length", "Transfer-Encoding", "Trailer"];
    // A line break in a value would begin a header of its own.
    let value = |value: &str| value.replace(['\r', '\n'], " ").trim().to_owned();
    let others = headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let mut others: Vec<_> = others.map(|(name, text)| (name.as_str(), value(text))).collect();
    others.sort_by_key(|(name, _)| *name);
    others
}

/// A hook asks for no more than an answer; a probe for one whose body is whole, as far as it is read.
fn judge(wanted: Wanted, answer: &Answer) -> Result<Outcome, Failed> {
    if wanted == Wanted::Any {
        return Ok(Outcome::Success);
    }
    if let Some(cause) = &answer.cut {
        return Err(Failed::Because(words(cause)));
    }
    let (status, body) = (answer.status, shown(&answer.body));
    Ok(match status {
        300..=399 => Outcome::Warning(format!("Probe terminated redirects, Response body: {body}")),
        200..=299 => Outcome::Success,
        _ if body.is_empty() => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
        _ => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}: {body}")),
    })
}
