//! One question to a registry and its answer: with a login where one is wanted, wherever the registry sends us.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use ureq::Body;
use ureq::http::Response;

use super::address::Address;
use super::agents::Agents;
use super::challenge::Challenge;
use super::error::{Cause, explain};
use super::options::Options;
use super::repository::{Repository, Transport};
use super::said::refused;
use super::tokens::Tokens;

/// How often a registry may send us on.
const REDIRECTS: usize = 10;

/// Whether the content is wanted, or only what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub of: &'a Repository,
    pub at: Address,
    pub method: Method,
    /// Media types, for the header `Accept`.
    pub accept: Option<String>,
    /// The part of a content that is wanted, for the header `Range`.
    pub range: Option<String>,
    /// Whether it goes to the registry itself, which may want a login.
    pub is_registrys: bool,
}

/// All that threads have in common which ask.
pub(super) struct Exchange {
    pub options: Options,
    agents: Agents,
    tokens: Tokens,
    /// Who has answered, by host and port.
    reached: Mutex<HashSet<String>>,
    /// How registries are spoken to that may speak in clear text, by host.
    schemes: Mutex<HashMap<String, &'static str>>,
}

impl Exchange {
    pub fn new(options: Options) -> Self {
        let agents = Agents::new(options.clone());
        Self { agents, options, tokens: Tokens::default(), reached: Mutex::default(), schemes: Mutex::default() }
    }

    /// Whether this host has answered: where its name can't be looked up, or nobody answers at it, that is an outage then, and no wrong
    /// name.
    pub fn has_reached(&self, authority: &str) -> bool {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).contains(authority)
    }

    fn answered(&self, authority: &str) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if !reached.contains(authority) {
            reached.insert(authority.to_owned());
        }
    }

    /// Where something of a repository is; `rest`: `manifests/latest`.
    pub fn address(&self, of: &Repository, rest: &str) -> Result<Address, Cause> {
        let scheme = self.scheme(of)?;
        self.address_by(scheme, of.host(), &format!("{}/{rest}", of.path))
    }

    fn address_by(&self, scheme: &str, host: &str, path: &str) -> Result<Address, Cause> {
        let text = format!("{scheme}://{host}/v2/{path}");
        Address::parse(&text)
            .ok_or_else(|| Cause::NoHost { host: host.to_owned(), said: format!("{host:?} is no host") })
    }

    fn scheme(&self, of: &Repository) -> Result<&'static str, Cause> {
        if of.transport == Transport::Verified {
            return Ok("https");
        }
        let host = of.host();
        let known = || self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scheme) = known().get(host) {
            return Ok(scheme);
        }
        let speaks = |scheme: &'static str| {
            let at = self.address_by(scheme, host, "")?;
            let question =
                Question { of, at: at.clone(), method: Method::Get, accept: None, range: None, is_registrys: true };
            self.send(&question, &at, None)?;
            Ok(scheme)
        };
        let scheme = speaks("https").or_else(|cause: Cause| speaks("http").map_err(|_| cause))?;
        known().insert(host.to_owned(), scheme);
        Ok(scheme)
    }

    /// Asks once. What comes back is 200 or 206.
    pub fn ask(&self, question: &Question<'_>) -> Result<Response<Body>, Cause> {
        let of = question.of;
        let mut at = question.at.clone();
        let mut authorization = if question.is_registrys { self.tokens.current(of) } else { None };
        let mut is_fresh = false;
        let mut redirects = 0;
        loop {
            // A secret is for the registry alone, not for where it sends us.
            let is_at_home = question.is_registrys && at.is_same_place(&question.at);
            let secret = authorization.as_deref().filter(|_| is_at_home);
            let response = self.send(question, &at, secret)?;
            match response.status().as_u16() {
                200 | 206 => return Ok(response),
                401 if is_at_home && !is_fresh => {
                    let challenge = challenge(&response, &at)?;
                    let stall = self.options.stall;
                    let fresh = self.tokens.renew(&self.agents, of, authorization.as_deref(), &challenge, stall)?;
                    if let Challenge::Bearer { realm, .. } = &challenge
                        && let Some(server) = Address::parse(realm)
                    {
                        self.answered(&server.authority);
                    }
                    if fresh.is_none() {
                        return Err(refused(response, &at.authority, of.login.is_some()));
                    }
                    (authorization, is_fresh) = (fresh, true);
                }
                301 | 302 | 303 | 307 | 308 => {
                    redirects += 1;
                    if redirects > REDIRECTS {
                        return Err(Cause::Redirects { host: at.authority, limit: REDIRECTS });
                    }
                    at = self.next(of, &at, &response)?;
                }
                _ => return Err(refused(response, &at.authority, of.login.is_some())),
            }
        }
    }

    fn next(&self, of: &Repository, at: &Address, response: &Response<Body>) -> Result<Address, Cause> {
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Out of TLS into the open only where nobody relies on TLS.
        let is_good = |next: &Address| next.scheme == "https" || of.transport == Transport::Insecure;
        let next = if location.is_empty() { None } else { at.join(location).filter(is_good) };
        next.ok_or_else(|| Cause::Redirect { host: at.authority.clone(), location: location.to_owned() })
    }

    fn send(&self, question: &Question<'_>, at: &Address, secret: Option<&str>) -> Result<Response<Body>, Cause> {
        let way = self.agents.way(at, question.of.transport)?;
        let mut request = match question.method {
            Method::Get => way.agent.get(at.to_string()),
            Method::Head => way.agent.head(at.to_string()),
        };
        let headers =
            [("Accept", question.accept.as_deref()), ("Range", question.range.as_deref()), ("Authorization", secret)];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let explained = |cause| explain(cause, &at.authority, way.proxy.as_deref(), self.options.stall);
        let answer = request.call().map_err(explained)?;
        self.answered(&at.authority);
        Ok(answer)
    }
}

fn challenge(response: &Response<Body>, at: &Address) -> Result<Challenge, Cause> {
    let headers = response.headers().get_all("www-authenticate");
    let texts: Vec<&str> = headers.iter().filter_map(|value| value.to_str().ok()).collect();
    Challenge::choose(texts.iter().copied())
        .ok_or_else(|| Cause::Challenge { host: at.authority.clone(), challenge: texts.join(", ") })
}
