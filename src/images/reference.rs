//! Names of images: `nginx`, `registry.example:5000/team/app:1.2`, `ghcr.io/x/y@sha256:...`, with what is left out filled in
//! as the kubelet and containerd do (github.com/distribution/reference): no registry is docker.io, no namespace there is
//! `library`, neither tag nor digest is `latest`.
//!
//! The grammar is written out here: oci-spec's `Reference` needs a regular expression's machine for it, takes letters of any
//! alphabet in a tag, and says of what is wrong only that it is.

mod host;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::digest::{Digest, NoDigest};
pub use host::DOCKER_HUB;

/// Docker Hub's older name.
const OLD_DOCKER_HUB: &str = "index.docker.io";
/// The namespace of Docker Hub's own images.
const OFFICIAL: &str = "library";
const DEFAULT_TAG: &str = "latest";
/// RepositoryNameTotalLengthMax.
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// The full name of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("couldn't parse image name {text:?}: invalid reference format: {fault}")]
pub struct NoReference {
    pub text: String,
    pub fault: Fault,
}

/// What is wrong with the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("it is empty")]
    Empty,
    #[error("it is a {scheme}:// address; the name alone is wanted (registry.example/team/app:1.2)")]
    Scheme { scheme: String },
    #[error("repository name ({0}) must be lowercase")]
    Uppercase(String),
    #[error(
        "{0:?} is no part of a repository's name: lower-case letters and digits, with single '.', one or two '_' or any \
         number of '-' between them"
    )]
    Component(String),
    #[error("repository name must not be more than {LONGEST_REPOSITORY} characters")]
    Long,
    #[error("64 hexadecimal digits can't be a repository's name; a digest is written NAME@sha256:HEX")]
    Identifier,
    #[error("{0:?} is no registry: HOST or HOST:PORT is wanted")]
    Registry(String),
    #[error(
        "{0:?} is no tag: letters, digits, '_', '.' and '-', at most {LONGEST_TAG} of them, and no '.' or '-' at the begin"
    )]
    Tag(String),
    #[error("{0}")]
    Digest(NoDigest),
}

impl Reference {
    /// Host of the registry, with its port where the name has one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path in the registry: `library/nginx`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Registry and repository.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// There is a tag, or a digest, or both.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What the registry is asked for: the digest where there is one, as the kubelet does; the tag is then only for people.
    #[must_use]
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    /// The same repository at this digest, without a tag: what a container's `imageID` has.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same tag and digest in another place, as a mirror has it; `name`: REGISTRY/PATH.
    ///
    /// # Errors
    /// Where that is no name.
    pub fn moved_to(&self, name: &str) -> Result<Self, NoReference> {
        let wrong = |fault| NoReference { text: name.to_owned(), fault };
        let (registry, repository) = name.split_once('/').ok_or_else(|| wrong(Fault::Registry(name.to_owned())))?;
        check_registry(registry).map_err(wrong)?;
        check_repository(repository).map_err(wrong)?;
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), ..self.clone() })
    }

    /// The same image by its registry's usual spelling ([`usual_spelling`]): two that have the same are the same, however they are written.
    #[must_use]
    pub fn usual(&self) -> Self {
        Self { registry: host::usual(&self.registry), ..self.clone() }
    }

    /// As people write it: without `docker.io/library/`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let whole = self.to_string();
        let short = whole.strip_prefix(DOCKER_HUB).and_then(|rest| rest.strip_prefix('/'));
        let Some(short) = short else { return whole };
        let official = short.strip_prefix(OFFICIAL).and_then(|rest| rest.strip_prefix('/'));
        official.unwrap_or(short).to_owned()
    }

    /// The part of a name before its tag and digest, if it names no registry: what an alias may stand for.
    #[must_use]
    pub fn short_name(text: &str) -> Option<&str> {
        let parts = Parts::of(text);
        parts.registry.is_none().then_some(parts.path)
    }
}

/// REGISTRY or REGISTRY/PATH with its registry in the one spelling that all have that mean it: in lower case, without the port 443,
/// Docker Hub by its usual name.
#[must_use]
pub fn usual_spelling(name: &str) -> String {
    match name.split_once('/') {
        Some((registry, path)) => format!("{}/{path}", host::usual(registry)),
        None => host::usual(name),
    }
}

/// A name's text, taken apart.
struct Parts<'a> {
    registry: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // A colon before the last slash belongs to a port.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].find(':') {
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
            None => (rest, None),
        };
        let is_host =
            |first: &str| first.contains(['.', ':']) || first == "localhost" || first.contains(char::is_uppercase);
        match name.split_once('/') {
            Some((first, path)) if is_host(first) => Self { registry: Some(first), path, tag, digest },
            _ => Self { registry: None, path: name, tag, digest },
        }
    }
}

fn parse(text: &str) -> Result<Reference, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(Fault::Scheme { scheme: scheme.to_owned() });
    }
    let parts = Parts::of(text);
    let registry = match parts.registry {
        None | Some(OLD_DOCKER_HUB) => DOCKER_HUB,
        Some(registry) => registry,
    };
    check_registry(registry)?;
    let is_identifier = parts.path.len() == 64 && parts.path.bytes().all(|byte| byte.is_ascii_hexdigit());
    if parts.registry.is_none() && is_identifier {
        return Err(Fault::Identifier);
    }
    check_repository(parts.path)?;
    let official = registry == DOCKER_HUB && !parts.path.contains('/');
    let repository = if official { format!("{OFFICIAL}/{}", parts.path) } else { parts.path.to_owned() };
    let digest = parts.digest.map(str::parse).transpose().map_err(Fault::Digest)?;
    let tag = match (parts.tag, &digest) {
        (Some(tag), _) => Some(tag),
        (None, None) => Some(DEFAULT_TAG),
        (None, Some(_)) => None,
    };
    tag.map_or(Ok(()), check_tag)?;
    Ok(Reference { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
}

/// HOST, HOST:PORT or [IPV6]:PORT.
fn check_registry(text: &str) -> Result<(), Fault> {
    let wrong = || Fault::Registry(text.to_owned());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(wrong)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            (None, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) })
        }
        None => text.split_once(':').map_or((Some(text), None), |(host, port)| (Some(host), Some(port))),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = bytes.first().zip(bytes.last());
        ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let good = port.is_none_or(is_port) && host.is_none_or(|host| host.split('.').all(is_label));
    if good { Ok(()) } else { Err(wrong()) }
}

fn check_repository(path: &str) -> Result<(), Fault> {
    if path.contains(char::is_uppercase) {
        return Err(Fault::Uppercase(path.to_owned()));
    }
    let wrong = path.split('/').find(|part| !is_component(part));
    if let Some(part) = wrong {
        return Err(Fault::Component(part.to_owned()));
    }
    if path.len() > LONGEST_REPOSITORY { Err(Fault::Long) } else { Ok(()) }
}

/// alpha-numeric [separator alpha-numeric]*, with "_", ".", "__" and any number of "-" as separators.
fn is_component(part: &str) -> bool {
    let is_word = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let bytes = part.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    let separators = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends.is_some_and(|(first, last)| is_word(*first) && is_word(*last))
        && separators
            .into_iter()
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn check_tag(tag: &str) -> Result<(), Fault> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest_is_good = tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
    let good = tag.len() <= LONGEST_TAG && rest_is_good && tag.bytes().next().is_some_and(is_word);
    if good { Ok(()) } else { Err(Fault::Tag(tag.to_owned())) }
}

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        parse(text).map_err(|fault| NoReference { text: text.to_owned(), fault })
    }
}

impl TryFrom<String> for Reference {
    type Error = NoReference;

    fn try_from(text: String) -> Result<Self, NoReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(to, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(to, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
