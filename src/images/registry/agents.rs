//! Connections: for each host one keeper of them, with the certificates and the proxy that are right for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use ureq::config::AutoHeaderValue;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use super::address::Address;
use super::certificates;
use super::error::Cause;
use super::options::Options;
use super::repository::Transport;
use super::resolver::Hosts;

const OURSELVES: &str = concat!("barepod/", env!("CARGO_PKG_VERSION"));
/// Connections to one host that are kept for the next request: as many as fetch from it at once.
const KEPT: usize = 8;

/// What leads to a host.
#[derive(Clone)]
pub(super) struct Way {
    pub agent: Agent,
    /// The proxy's address, where one is on the way.
    pub proxy: Option<String>,
}

pub(super) struct Agents {
    options: Options,
    provider: Arc<CryptoProvider>,
    known: Mutex<HashMap<(String, String, Transport), Way>>,
}

impl Agents {
    pub fn new(options: Options) -> Self {
        Self { options, provider: Arc::new(ring::default_provider()), known: Mutex::default() }
    }

    /// What leads to the host of an address.
    pub fn way(&self, to: &Address, transport: Transport) -> Result<Way, Cause> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (to.scheme.clone(), to.authority.clone(), transport);
        if let Some(way) = known.get(&key) {
            return Ok(way.clone());
        }
        let way = self.make(to, transport)?;
        known.insert(key, way.clone());
        Ok(way)
    }

    fn make(&self, to: &Address, transport: Transport) -> Result<Way, Cause> {
        let options = &self.options;
        let address = options.proxies.to(&to.scheme, &to.host, to.port);
        let proxy = address.map(proxy).transpose()?;
        let shown = proxy.as_ref().map(|proxy| format!("{}:{}", proxy.host(), proxy.port()));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(OURSELVES)
            .accept_encoding(AutoHeaderValue::None)
            .proxy(proxy)
            .tls_config(self.tls(to, transport)?)
            .timeout_connect(Some(options.connect))
            .timeout_per_read(Some(options.stall))
            .timeout_per_write(Some(options.stall))
            .max_idle_connections_per_host(KEPT)
            .build();
        Ok(Way { agent: Agent::with_parts(config, DefaultConnector::new(), Hosts), proxy: shown })
    }

    fn tls(&self, to: &Address, transport: Transport) -> Result<TlsConfig, Cause> {
        let config = TlsConfig::builder().unversioned_rustls_crypto_provider(self.provider.clone());
        // The library wants to know even where nobody asks.
        let nobody = RootCerts::new_with_certs(&[]);
        if to.scheme != "https" {
            return Ok(config.root_certs(nobody).build());
        }
        let host = certificates::for_host(&self.options.host_folders, &to.authority, &self.provider)?;
        let config = config.client_cert(host.client);
        if transport == Transport::Insecure {
            return Ok(config.root_certs(nobody).disable_verification(true).build());
        }
        let mut all = host.authorities;
        match certificates::of_this_box(&self.options) {
            Ok(authorities) => all.extend(authorities),
            Err(cause) if all.is_empty() => return Err(cause),
            Err(_) => {}
        }
        Ok(config.root_certs(RootCerts::new_with_certs(&all)).build())
    }
}

/// A proxy by its address; HOST:PORT alone is one of HTTP.
fn proxy(text: &str) -> Result<Proxy, Cause> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    // Nothing of it is shown but its kind: it may have a password.
    let kind = || {
        Cause::ProxyKind(
            scheme.clone().map_or_else(|| "of the environment".to_owned(), |scheme| format!("{scheme}://...")),
        )
    };
    if !matches!(scheme.as_deref(), None | Some("http" | "https")) {
        return Err(kind());
    }
    Proxy::new(text).map_err(|_| kind())
}
