//! Why a registry couldn't be made use of.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::images::digest::Digest;

/// Why a registry couldn't be made use of. The text names the registry, what of it was asked for, what it answered, and what
/// can be done.
#[derive(Debug, Error)]
#[error("{repository}: {asked}: {cause}")]
pub struct RegistryError {
    /// REGISTRY/PATH
    pub repository: String,
    pub asked: Asked,
    pub cause: Box<Cause>,
}

/// What a registry was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Tag or digest.
    Manifest(String),
    Blob(Digest),
    /// A layer that a manifest says is elsewhere.
    Elsewhere(String),
}

impl fmt::Display for Asked {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(name) => write!(to, "manifest {name}"),
            Self::Blob(digest) => write!(to, "blob {digest}"),
            Self::Elsewhere(url) => write!(to, "layer at {url}"),
        }
    }
}

/// What went wrong.
#[derive(Debug, Error)]
pub enum Cause {
    #[error("{said}; is the registry's name right, and does this box have a name server (/etc/resolv.conf)?")]
    NoHost { host: String, said: String },
    #[error("connect to {host}: {cause}; is the registry's name right, and does it run?")]
    Connect { host: String, cause: String },
    #[error(
        "connect to {host} by the proxy {proxy}: {cause}; HTTPS_PROXY, HTTP_PROXY and NO_PROXY say which one is taken"
    )]
    Proxy { host: String, proxy: String, cause: String },
    #[error("the proxy {0} can't be used: only http:// and https:// proxies are supported")]
    ProxyKind(String),
    #[error(
        "{host}: this box doesn't trust its certificate ({cause}); the certificate of its authority belongs into \
         /etc/containers/certs.d/{host}/ca.crt, or among those of this box"
    )]
    Certificate { host: String, cause: String },
    #[error(
        "{host}: it shows the certificate of an authority (CA:TRUE) as its own, which nobody can check: give it one with \
         basicConstraints=CA:FALSE and its name in subjectAltName (openssl req -x509 -addext), \
         and put that into /etc/containers/certs.d/{host}/ca.crt"
    )]
    AuthorityAsOwn { host: String },
    #[error(
        "this box has no certificates of authorities (looked in {looked}); install ca-certificates, or name a file of them in \
         SSL_CERT_FILE"
    )]
    NoAuthorities { looked: String },
    #[error("{path}: {cause}", path = .path.display())]
    CertificateFile { path: PathBuf, cause: String },
    #[error("{host} speaks HTTP in clear text; if that is meant: insecure = true in registries.conf")]
    ClearText { host: String },
    #[error("TLS with {host}: {cause}")]
    Tls { host: String, cause: String },
    #[error("{host}: nothing came for {} seconds", .after.as_secs_f32())]
    Stall { host: String, after: Duration },
    #[error("{host}: the connection broke: {cause}")]
    Broken { host: String, cause: String },
    #[error("{host}: what it says is no HTTP: {cause}")]
    NoHttp { host: String, cause: String },
    #[error("{host} answers {said}{advice}", advice = advice(*.status, *.logged_in))]
    Refused {
        host: String,
        status: u16,
        /// The status, and what else it says.
        said: String,
        /// Whether there was a login.
        logged_in: bool,
        /// Retry-After.
        after: Option<Duration>,
    },
    #[error("{host} wants a login of an unknown kind ({challenge}); Bearer and Basic are known")]
    Challenge { host: String, challenge: String },
    #[error("{host} sends logins to {realm}, where they could be overheard")]
    OpenRealm { host: String, realm: String },
    #[error("the token server {realm} gives no token: {cause}")]
    Token { realm: String, cause: String },
    #[error("{host} sends us on more than {limit} times")]
    Redirects { host: String, limit: usize },
    #[error("{host} sends us to {location:?}, which is no address that is followed")]
    Redirect { host: String, location: String },
    #[error("{host} says that it has {said} bytes; {wanted} were expected")]
    Length { host: String, said: u64, wanted: u64 },
    #[error("{host} sends more than the {wanted} bytes that were expected")]
    TooLong { host: String, wanted: u64 },
    #[error("{host} sends no parts of blobs")]
    NoParts { host: String },
    #[error("the content has the digest {found}, another one than was asked for")]
    OtherDigest { found: Digest },
}

/// What can be done about a status.
fn advice(status: u16, logged_in: bool) -> &'static str {
    match (status, logged_in) {
        (401, false) => {
            "; log in (docker login or podman login): a registry may also say this of a name that it doesn't \
             have"
        }
        (401, true) => "; the login isn't accepted, or the name is wrong",
        (403, false) => "; log in (docker login or podman login)",
        (403, true) => "; this login may not read it",
        (404, _) => "; is the name right, and does this tag or digest exist?",
        (429, false) => "; more may be fetched after a login, or from a mirror (registries.conf)",
        (429, true) => "; try again later, or use a mirror (registries.conf)",
        (500..=599, _) => "; try again later",
        _ => "",
    }
}

impl Cause {
    /// It may be over soon: try again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Stall { .. } | Self::Broken { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    /// Who was not reached at all: where they have answered before, the network may be away for a while.
    pub(super) fn unreached(&self) -> Option<&str> {
        match self {
            Self::NoHost { host, .. } | Self::Connect { host, .. } | Self::Proxy { host, .. } => Some(host),
            _ => None,
        }
    }

    /// Nobody's certificate is trusted, or not this one's.
    pub(super) fn is_of_certificates(&self) -> bool {
        matches!(
            self,
            Self::Certificate { .. }
                | Self::AuthorityAsOwn { .. }
                | Self::NoAuthorities { .. }
                | Self::CertificateFile { .. }
        )
    }

    /// How long the registry wants to be left alone.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        if let Self::Refused { after, .. } = self { *after } else { None }
    }
}

impl RegistryError {
    /// The registry has answered, and doesn't give it: it may give it to somebody else.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(*self.cause, Cause::Refused { .. } | Cause::Token { .. })
    }

    /// The registry has whole blobs only.
    pub(super) fn has_no_parts(&self) -> bool {
        matches!(*self.cause, Cause::NoParts { .. })
    }

    /// The registry is there, and doesn't have it.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(*self.cause, Cause::Refused { status: 404, .. })
    }
}

/// What the library's error means. `host`: who was asked; `proxy`: by whom; `stall`: how long was waited.
pub(super) fn explain(error: ureq::Error, host: &str, proxy: Option<&str>, stall: Duration) -> Cause {
    let name = || host.to_owned();
    match error {
        ureq::Error::Rustls(cause) => tls(cause, host),
        ureq::Error::Io(cause) => match cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => tls(inner.clone(), host),
            None => io(&cause, host, proxy),
        },
        ureq::Error::Other(cause) => Cause::NoHost { host: name(), said: cause.to_string() },
        ureq::Error::HostNotFound => Cause::NoHost { host: name(), said: format!("lookup {host}: no such host") },
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            connect(host, proxy, "no answer in time".to_owned())
        }
        ureq::Error::Timeout(_) => Cause::Stall { host: name(), after: stall },
        ureq::Error::ConnectProxyFailed(cause) => connect(host, proxy, cause),
        ureq::Error::ConnectionFailed => connect(host, proxy, "failed".to_owned()),
        ureq::Error::Tls(cause) => Cause::Tls { host: name(), cause: cause.to_owned() },
        other => Cause::NoHttp { host: name(), cause: other.to_string() },
    }
}

fn connect(host: &str, proxy: Option<&str>, cause: String) -> Cause {
    let host = host.to_owned();
    match proxy {
        Some(proxy) => Cause::Proxy { host, proxy: proxy.to_owned(), cause },
        None => Cause::Connect { host, cause },
    }
}

fn io(cause: &std::io::Error, host: &str, proxy: Option<&str>) -> Cause {
    use std::io::ErrorKind;
    // Without what Rust adds to the kernel's words.
    let text = cause.raw_os_error().map_or_else(|| cause.to_string(), crate::runtime::program::words);
    match cause.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => connect(host, proxy, text),
        _ => Cause::Broken { host: host.to_owned(), cause: text },
    }
}

fn tls(cause: rustls::Error, host: &str) -> Cause {
    let host = host.to_owned();
    match cause {
        // webpki's error, which rustls passes on in a box. Its name in a text spares us a dependency; a test holds it.
        rustls::Error::InvalidCertificate(why) if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            Cause::AuthorityAsOwn { host }
        }
        rustls::Error::InvalidCertificate(why) => Cause::Certificate { host, cause: why.to_string() },
        // Its first bytes are no record's.
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Cause::ClearText { host },
        other => Cause::Tls { host, cause: other.to_string() },
    }
}
