//! Tokens: what a registry's token server gives for a short time (distribution's token and OAuth 2 specifications).

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use ureq::http::{HeaderValue, Response};

use super::address::Address;
use super::agents::Agents;
use super::challenge::Challenge;
use super::error::{Cause, explain};
use super::login::Login;
use super::repository::{Repository, Transport};
use super::said::refused;

/// The most of a token server's answer that is read.
const READ: u64 = 1 << 20;
/// Who we say that we are.
const CLIENT: &str = "barepod";

type Place = (String, String, Transport, Option<Login>);
/// What the header `Authorization` has; it is held by who renews it, so that others wait and take what that one gets.
type Slot = Arc<Mutex<Option<String>>>;

/// What opens repositories.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Place, Slot>>);

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

impl Tokens {
    fn slot(&self, of: &Repository) -> Slot {
        let place = (of.registry.clone(), of.path.clone(), of.transport, of.login.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default().clone()
    }

    /// What opened it last.
    pub fn current(&self, of: &Repository) -> Option<String> {
        self.slot(of).lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What opens it instead of `stale`, which didn't. `None`: there is no login that could.
    pub fn renew(
        &self,
        agents: &Agents,
        of: &Repository,
        stale: Option<&str>,
        challenge: &Challenge,
        stall: Duration,
    ) -> Result<Option<String>, Cause> {
        let slot = self.slot(of);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() && slot.as_deref() != stale {
            return Ok(slot.clone());
        }
        let fresh = match challenge {
            Challenge::Basic => of.login.as_ref().and_then(Login::basic),
            Challenge::Bearer { realm, service, scope } => {
                Some(fetch(agents, of, realm, service.as_deref(), scope.as_deref(), stall)?)
            }
        };
        slot.clone_from(&fresh);
        Ok(fresh)
    }
}

fn fetch(
    agents: &Agents,
    of: &Repository,
    realm: &str,
    service: Option<&str>,
    scope: Option<&str>,
    stall: Duration,
) -> Result<String, Cause> {
    let failed = |cause: String| Cause::Token { realm: realm.to_owned(), cause };
    let address = Address::parse(realm).ok_or_else(|| failed("it has no address".to_owned()))?;
    if address.scheme != "https" && of.transport == Transport::Verified {
        return Err(Cause::OpenRealm { host: of.host().to_owned(), realm: realm.to_owned() });
    }
    let way = agents.way(&address, of.transport)?;
    let own = format!("repository:{}:pull", of.path);
    let scope = scope.unwrap_or(&own);
    let answer = match &of.login {
        Some(Login::IdentityToken(token)) => {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("service", service.unwrap_or_default()),
                ("scope", scope),
                ("refresh_token", token),
            ];
            way.agent.post(address.to_string()).send_form(form)
        }
        login => {
            let mut request = way.agent.get(address.to_string()).query("scope", scope);
            if let Some(service) = service {
                request = request.query("service", service);
            }
            if let Some(basic) = login.as_ref().and_then(Login::basic) {
                request = request.header("Authorization", basic);
            }
            request.call()
        }
    };
    let explained = |cause| explain(cause, &address.authority, way.proxy.as_deref(), stall);
    let answer = answer.map_err(explained)?;
    if answer.status().as_u16() != 200 {
        return Err(refused(answer, &address.authority, of.login.is_some()));
    }
    let token = read(answer).map_err(|cause| match cause {
        Unread::Broken(cause) => explain(cause.into(), &address.authority, way.proxy.as_deref(), stall),
        Unread::Nonsense(cause) => failed(cause),
    })?;
    Ok(format!("Bearer {token}"))
}

enum Unread {
    Broken(std::io::Error),
    Nonsense(String),
}

fn read(answer: Response<Body>) -> Result<String, Unread> {
    let mut text = Vec::new();
    answer.into_body().into_reader().take(READ).read_to_end(&mut text).map_err(Unread::Broken)?;
    let given: Given = serde_json::from_slice(&text).map_err(|cause| Unread::Nonsense(cause.to_string()))?;
    let token = given.token.or(given.access_token).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Unread::Nonsense("there is none in its answer".to_owned()))?;
    HeaderValue::from_str(&token).map_err(|_| Unread::Nonsense("it has letters that no token has".to_owned()))?;
    Ok(token)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::images::tests::fuzz;

    /// Whatever a token server answers: there is a token that a header can have, or words about it, which don't repeat it.
    #[test]
    fn changed_answers_do_no_harm() {
        let texts = [r#"{"token": "hush.hush", "expires_in": 300}"#, r#"{"access_token": "hush", "token": null}"#];
        fuzz::live(&texts, fuzz::JSON, |bytes| {
            let answer = Response::builder().body(Body::builder().data(bytes.to_vec())).unwrap();
            match read(answer) {
                Ok(token) => assert!(!token.is_empty() && HeaderValue::from_str(&token).is_ok()),
                Err(Unread::Nonsense(said)) => fuzz::is_fit(&said, bytes)?,
                Err(Unread::Broken(cause)) => panic!("{cause}"),
            }
            Ok(())
        });
    }
}
