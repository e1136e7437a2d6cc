//! Where an HTTP request goes. Paths of manifests are any text: what becomes of them is what Go's `url.Parse` and
//! `URL.String` make of them, and the kubelet of what they refuse (pkg/probe/http, formatURL).

use std::fmt;

use serde::{Deserialize, Serialize};

/// `http://10.0.0.1:80/healthz?full`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// In clear text or not.
    pub scheme: Scheme,
    /// An address, IPv6 without brackets, or a name.
    pub host: String,
    /// 1..=65535.
    pub port: u16,
    /// Path and query as a request names them; they begin with a slash.
    pub target: String,
}

/// In clear text or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.target)
    }
}

impl Url {
    /// Of a handler's fields. Where the path is a whole URL only its path and query count.
    pub(crate) fn new(scheme: Scheme, host: &str, port: u16, path: &str) -> Self {
        let parts = Parts::parse(path).unwrap_or_else(|| Parts::of_path(path));
        Self { scheme, host: host.to_owned(), port, target: parts.target() }
    }

    /// `10.0.0.1:80`, `[::1]:80`: always with its port, as the kubelet has it.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a text says how and so where to go, whatever it is found on.
    #[must_use]
    pub fn is_absolute(text: &str) -> bool {
        Parts::parse(text).is_some_and(|parts| parts.scheme.is_some())
    }

    /// Where a redirect from here to `location` leads (RFC 3986, section 5.2, but for dot segments, which servers resolve);
    /// `None`: nowhere that HTTP goes.
    #[must_use]
    pub fn resolve(&self, location: &str) -> Option<Self> {
        let parts = Parts::parse(location)?;
        let scheme = match parts.scheme.as_deref() {
            None => self.scheme,
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return None,
        };
        if let Some(authority) = &parts.authority {
            let (host, port) = host_and_port(authority)?;
            return Some(Self { scheme, host, port: port.unwrap_or(scheme.port()), target: parts.target() });
        }
        if parts.scheme.is_some() {
            return None;
        }
        let (own_path, _) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let folder = own_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = match (parts.path.is_empty(), parts.path.starts_with('/')) {
            (true, _) if parts.query.is_none() => self.target.clone(),
            (true, _) => format!("{own_path}{}", parts.query_text()),
            (_, true) => parts.target(),
            (_, false) => format!("{folder}/{}{}", parts.path, parts.query_text()),
        };
        Some(Self { target, ..self.clone() })
    }
}

/// `user@[::1]:80` to `::1` and 80.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':').unwrap_or_default())
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// What Go's `url.Parse` finds in a text; the path is escaped as `EscapedPath` has it.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    scheme: Option<String>,
    authority: Option<String>,
    path: String,
    query: Option<String>,
}

impl Parts {
    /// `None` where Go sees no URL.
    fn parse(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) || unescaped(fragment).is_none() {
            return None;
        }
        let (scheme, rest) = scheme(text)?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        if !rest.starts_with('/') {
            // Without a slash a text behind a scheme is no path; without a scheme a colon would look like one.
            if scheme.is_some() || rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return None;
            }
        }
        let (authority, path) = match rest.strip_prefix("//").filter(|rest| scheme.is_some() || !rest.starts_with('/'))
        {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority.to_owned()), path)
            }
            None => (None, rest),
        };
        Some(Self { scheme, authority, path: escaped_path(path)?, query })
    }

    /// What the kubelet makes of a path that is no URL: all of it is path.
    fn of_path(text: &str) -> Self {
        Self { scheme: None, authority: None, path: escape(text.as_bytes()), query: None }
    }

    fn query_text(&self) -> String {
        self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default()
    }

    fn target(&self) -> String {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        format!("{slash}{}{}", self.path, self.query_text())
    }
}

/// A scheme and what follows its colon; `None`: a colon that nothing is before.
fn scheme(text: &str) -> Option<(Option<String>, &str)> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((Some(text[..at].to_lowercase()), &text[at + 1..])),
            _ => break,
        }
    }
    Some((None, text))
}

/// As it is written where that is how a path may be written, else escaped anew; `None`: a `%` that begins no escape.
fn escaped_path(path: &str) -> Option<String> {
    let plain = unescaped(path)?;
    let valid = path.bytes().all(|byte| b"!$&'()*+,;=:@[]%/".contains(&byte) || is_unreserved(byte));
    Some(if valid { path.to_owned() } else { escape(&plain) })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        if is_unreserved(byte) || b"$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    Some(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// As the kubelet's own test of formatURL, and more kinds of paths.
    #[test]
    fn paths_are_escaped_as_go_does() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("healthz", "/healthz"),
            ("/a b", "/a%20b"),
            ("/ü", "/%C3%BC"),
            ("/a%20b", "/a%20b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2Fb c", "/a/b%20c"),
            ("/100%", "/100%25"),
            ("/100%?x=y", "/100%25%3Fx=y"),
            ("/x?y=100%", "/x?y=100%"),
            ("/x?y=http://a/b?c", "/x?y=http://a/b?c"),
            ("?x", "/?x"),
            ("/x?", "/x?"),
            ("/x#part", "/x"),
            ("/x?y#part?z", "/x?y"),
            ("/a\"<>\\^`{|}", "/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]"),
            ("/!'()* ", "/%21%27%28%29%2A%20"),
            ("/a\tb", "/a%09b"),
            ("a:b/c", "/a:b/c"),
            (":x", "/:x"),
            ("//other/x", "/x"),
            ("///x", "///x"),
            ("http://other:1/x?y", "/x?y"),
        ] {
            assert_eq!(Url::new(Scheme::Http, "10.0.0.1", 80, path).target, expected, "{path}");
        }
        let url = Url::new(Scheme::Https, "::1", 8443, "/x");
        assert_eq!(url.to_string(), "https://[::1]:8443/x");
    }

    #[test]
    fn redirects_are_resolved() {
        let from = Url::new(Scheme::Http, "10.0.0.1", 8080, "/a/b?c=d");
        for (location, expected) in [
            ("/x", "http://10.0.0.1:8080/x"),
            ("x?y", "http://10.0.0.1:8080/a/x?y"),
            ("?y", "http://10.0.0.1:8080/a/b?y"),
            ("", "http://10.0.0.1:8080/a/b?c=d"),
            ("//10.0.0.1/x", "http://10.0.0.1:80/x"),
            ("https://10.0.0.1/x", "https://10.0.0.1:443/x"),
            ("HTTP://10.0.0.1:81", "http://10.0.0.1:81/"),
            ("http://user@[::1]:81/", "http://[::1]:81/"),
            // A query is no place for a scheme.
            ("/login?next=http://elsewhere/x", "http://10.0.0.1:8080/login?next=http://elsewhere/x"),
            ("login?next=https://elsewhere", "http://10.0.0.1:8080/a/login?next=https://elsewhere"),
            ("?next=https://elsewhere", "http://10.0.0.1:8080/a/b?next=https://elsewhere"),
        ] {
            assert_eq!(from.resolve(location).unwrap().to_string(), expected, "{location}");
        }
        assert!(Url::is_absolute("http://a/") && !Url::is_absolute("/x?y=http://a/") && !Url::is_absolute("//a/"));
        for nowhere in ["ftp://10.0.0.1/x", "mailto:x", "http://:80/x", "http://a:b/x", "/%zz"] {
            assert_eq!(from.resolve(nowhere), None, "{nowhere}");
        }
    }
}
