//! Addresses of what is asked for (RFC 3986), as far as registries need them.

use ureq::http::Uri;

/// An `http://` or `https://` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub scheme: String,
    /// In lower case, without brackets.
    pub host: String,
    pub port: u16,
    /// HOST[:PORT], as it was written.
    pub authority: String,
    /// With the query.
    pub path: String,
}

impl Address {
    /// `None`: the text is no such address.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split('#').next()?;
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // A port that is none, and a name with a password, which nobody is to be sent.
        let is_odd = authority.as_str().contains('@') || authority.as_str().ends_with(':') || host.is_empty();
        let has_port = authority.as_str().rsplit(']').next()?.contains(':');
        let port = if has_port { authority.port_u16()? } else { usual };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        (!is_odd).then(|| Self { scheme, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// Where a redirect from here leads; `None`: nowhere.
    pub fn join(&self, location: &str) -> Option<Self> {
        let here = format!("{}://{}", self.scheme, self.authority);
        let scheme = location.split([':', '/', '?', '#']).next()?;
        if location[scheme.len()..].starts_with("://") {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.scheme));
        }
        if location.starts_with('/') {
            return Self::parse(&format!("{here}{location}"));
        }
        let path = self.path.split('?').next()?;
        let folder = &path[..=path.rfind('/')?];
        Self::parse(&format!("{here}{folder}{location}"))
    }

    /// Whether somebody who may know a secret there may know it here.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_somewhere() {
        let base = Address::parse("https://Reg.example:5000/v2/a/blobs/x?y=z").unwrap();
        assert_eq!((base.host.as_str(), base.port), ("reg.example", 5000));
        for (location, wanted) in [
            ("https://cdn.example/x?sig=a/b", Some("https://cdn.example/x?sig=a/b")),
            ("//cdn.example/x", Some("https://cdn.example/x")),
            ("/v2/b?u=http://x", Some("https://Reg.example:5000/v2/b?u=http://x")),
            ("other?next=http://x", Some("https://Reg.example:5000/v2/a/blobs/other?next=http://x")),
            ("/a#part", Some("https://Reg.example:5000/a")),
            ("https://[::1]:5000/x", Some("https://[::1]:5000/x")),
            ("ftp://cdn.example/x", None),
            ("https://user:secret@cdn.example/", None),
            ("https:///x", None),
            ("https://a:99999/", None),
            ("https://a b/", None),
        ] {
            let found = base.join(location).map(|address| address.to_string());
            assert_eq!(found.as_deref(), wanted, "{location}");
        }
        let same = |text: &str| base.is_same_place(&Address::parse(text).unwrap());
        assert!(same("https://reg.example:5000/"));
        assert!(!same("http://reg.example:5000/") && !same("https://reg.example/") && !same("https://x.example:5000/"));
        assert_eq!(Address::parse("http://[::1]/").unwrap().port, 80);
    }
}
