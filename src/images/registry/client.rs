//! What is fetched from registries: manifests whole, blobs as they come.

use std::io::Read;
use std::sync::Arc;

use super::address::Address;
use super::blob::{Blob, Place};
use super::error::{Asked, Cause, RegistryError, explain};
use super::exchange::{Exchange, Method, Question};
use super::options::Options;
use super::parts::Parts;
use super::repository::{Repository, Transport};
use super::retry::Patience;
use crate::images::digest::Digest;
use crate::images::document::{Fetched, LARGEST_MANIFEST, OCI_INDEX};

/// Asks registries. Clones share connections and tokens; one is enough for all threads.
#[derive(Clone)]
pub struct Client {
    exchange: Arc<Exchange>,
}

impl Client {
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { exchange: Arc::new(Exchange::new(options)) }
    }

    /// Fetches a manifest or an index by its tag or digest; `accept`: media types that are understood.
    ///
    /// # Errors
    /// Where the registry doesn't give it, or gives another one than that of this digest.
    pub fn manifest(&self, of: &Repository, wanted: &str, accept: &[&str]) -> Result<Fetched, RegistryError> {
        let by_digest: Option<Digest> = wanted.parse().ok();
        self.document(of, &format!("manifests/{wanted}"), wanted, by_digest.as_ref(), accept)
    }

    /// Fetches the list of what refers to a digest, an index.
    ///
    /// # Errors
    /// Where the registry doesn't give it; older ones have no such lists ([`RegistryError::is_absent`]).
    pub fn referrers(&self, of: &Repository, to: &Digest) -> Result<Vec<u8>, RegistryError> {
        let wanted = format!("list of referrers to {to}");
        Ok(self.document(of, &format!("referrers/{to}"), &wanted, None, &[OCI_INDEX])?.bytes)
    }

    fn document(
        &self,
        of: &Repository,
        path: &str,
        wanted: &str,
        by_digest: Option<&Digest>,
        accept: &[&str],
    ) -> Result<Fetched, RegistryError> {
        self.patiently(of, wanted, || self.try_document(of, path, by_digest, accept))
    }

    /// The digest of what a tag leads to, as the registry says. `None`: it doesn't say, or doesn't answer such a question, or not now; who
    /// asks for the content learns why, and has the patience. Registries that count what is fetched don't count this.
    ///
    /// # Errors
    /// Where the registry is out of reach, or has a certificate that isn't trusted.
    pub fn digest(&self, of: &Repository, tag: &str, accept: &[&str]) -> Result<Option<Digest>, RegistryError> {
        let asked = self.exchange.address(of, &format!("manifests/{tag}")).and_then(|at| {
            let accept = Some(accept.join(", "));
            self.exchange.ask(&Question { of, at, method: Method::Head, accept, range: None, is_registrys: true })
        });
        match asked {
            Ok(response) => {
                let header = response.headers().get("docker-content-digest");
                Ok(header.and_then(|value| value.to_str().ok()?.trim().parse().ok()))
            }
            Err(cause) if cause.unreached().is_some() || cause.is_of_certificates() => {
                let asked = Asked::Manifest(tag.to_owned());
                Err(RegistryError { repository: of.name(), asked, cause: Box::new(cause) })
            }
            Err(_) => Ok(None),
        }
    }

    /// Tries again what may pass.
    fn patiently<T>(
        &self,
        of: &Repository,
        wanted: &str,
        ask: impl Fn() -> Result<T, Cause>,
    ) -> Result<T, RegistryError> {
        let mut patience = Patience::new(self.exchange.options.retries);
        loop {
            let cause = match ask() {
                Ok(answer) => return Ok(answer),
                Err(cause) => cause,
            };
            if !cause.may_pass() || !patience.wait(cause.asked_wait()) {
                let asked = Asked::Manifest(wanted.to_owned());
                return Err(RegistryError { repository: of.name(), asked, cause: Box::new(cause) });
            }
        }
    }

    fn try_document(
        &self,
        of: &Repository,
        path: &str,
        by_digest: Option<&Digest>,
        accept: &[&str],
    ) -> Result<Fetched, Cause> {
        let at = self.exchange.address(of, path)?;
        let host = at.authority.clone();
        let accept = Some(accept.join(", "));
        let question = Question { of, at, method: Method::Get, accept, range: None, is_registrys: true };
        let response = self.exchange.ask(&question)?;
        let header = response.headers().get("content-type");
        let media_type = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        let stall = self.exchange.options.stall;
        let mut reader = response.into_body().into_reader().take(LARGEST_MANIFEST + 1);
        reader.read_to_end(&mut bytes).map_err(|cause| explain(cause.into(), &host, None, stall))?;
        if bytes.len() as u64 > LARGEST_MANIFEST {
            return Err(Cause::TooLong { host, wanted: LARGEST_MANIFEST });
        }
        if let Some(wanted) = by_digest {
            let found = Digest::by(wanted.algorithm(), &bytes);
            if found != *wanted {
                return Err(Cause::OtherDigest { found });
            }
        }
        Ok(Fetched { bytes, media_type })
    }

    /// Begins to fetch a blob of `size` bytes. What is read of it goes on after a broken connection; that it is the right one
    /// is for the reader to find out.
    ///
    /// # Errors
    /// Where the registry doesn't have it, or has one of another size.
    pub fn blob(&self, of: &Repository, digest: &Digest, size: u64) -> Result<Blob, RegistryError> {
        let place = Place::Registry { digest: digest.clone() };
        Blob::begin(self.exchange.clone(), of.clone(), place, 0..size, size)
    }

    /// Begins to fetch a blob of `size` bytes: a large one in several parts at once, where the registry has parts.
    ///
    /// # Errors
    /// As [`blob`](Self::blob).
    pub fn quickly(&self, of: &Repository, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, RegistryError> {
        match Parts::begin(&self.exchange, of, digest, size)? {
            Some(parts) => Ok(Box::new(parts)),
            None => Ok(Box::new(self.blob(of, digest, size)?)),
        }
    }

    /// Begins to fetch a layer that isn't in the registry, from where its manifest says that it is.
    ///
    /// # Errors
    /// As [`blob`](Self::blob), and where the address can't be used.
    pub fn elsewhere(&self, of: &Repository, url: &str, size: u64) -> Result<Blob, RegistryError> {
        let is_good = |at: &Address| at.scheme == "https" || of.transport == Transport::Insecure;
        let Some(at) = Address::parse(url).filter(is_good) else {
            let cause = Cause::Redirect { host: of.registry.clone(), location: url.to_owned() };
            return Err(RegistryError {
                repository: of.name(),
                asked: Asked::Elsewhere(url.to_owned()),
                cause: Box::new(cause),
            });
        };
        Blob::begin(self.exchange.clone(), of.clone(), Place::Elsewhere { at }, 0..size, size)
    }
}
