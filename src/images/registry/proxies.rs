//! Which proxy leads to a host, by the environment, as Go's programs read it.

use std::net::IpAddr;

/// Proxies, and hosts that are reached without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `https://`.
    pub https: Option<String>,
    /// For `http://`.
    pub http: Option<String>,
    /// Hosts, domains, addresses and networks.
    pub none: Vec<String>,
}

impl Proxies {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` where the other isn't there, and `NO_PROXY`; in upper or lower case.
    #[must_use]
    pub fn new(environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| environment(name).or_else(|| environment(&name.to_ascii_lowercase()));
        let none = set("NO_PROXY").unwrap_or_default();
        Self {
            https: set("HTTPS_PROXY").or_else(|| set("ALL_PROXY")),
            http: set("HTTP_PROXY").or_else(|| set("ALL_PROXY")),
            none: none.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect(),
        }
    }

    /// The proxy for a host; `host`: without brackets. `None`: it is asked directly, as this box itself always is.
    pub(super) fn to(&self, scheme: &str, host: &str, port: u16) -> Option<&str> {
        let proxy = if scheme == "https" { &self.https } else { &self.http };
        let address: Option<IpAddr> = host.parse().ok();
        let is_here = host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback());
        let is_out = is_here || self.none.iter().any(|one| matches(one, host, address, port));
        proxy.as_deref().filter(|_| !is_out)
    }
}

/// Whether an entry of NO_PROXY has a host: `*`, a network (10.0.0.0/8), an address, or a domain with all below it, or with a dot
/// at its begin what is below it alone; each may have a port.
fn matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let parsed = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
        return address.zip(parsed).is_some_and(|(address, (network, bits))| is_in(address, network, bits));
    }
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    if let Ok(one) = bare.parse::<IpAddr>() {
        return Some(one) == address;
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) => (name.trim_start_matches('[').trim_end_matches(']'), digits.parse::<u16>().ok()),
        None => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Ok(one) = name.parse::<IpAddr>() {
        return Some(one) == address;
    }
    let name = name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(&name),
        None => host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (one ^ other).checked_shr(width - bits).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_leads_to_what_is_not_excepted() {
        let none =
            "internal.example, .corp.example,10.0.0.0/8,192.0.2.1,fd00::/8,ports.example:5000,[2001:db8::1]:5000";
        let environment = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://proxy:3128".to_owned()),
            "all_proxy" => Some("http://other:1".to_owned()),
            "no_proxy" => Some(none.to_owned()),
            _ => None,
        };
        let proxies = Proxies::new(environment);
        for (host, port, is_proxied) in [
            ("docker.io", 443, true),
            ("internal.example", 443, false),
            ("INTERNAL.example.", 443, false),
            ("a.internal.example", 5000, false),
            ("notinternal.example", 443, true),
            ("corp.example", 443, true),
            ("a.corp.example", 443, false),
            ("10.1.2.3", 443, false),
            ("11.1.2.3", 443, true),
            ("192.0.2.1", 443, false),
            ("192.0.2.2", 443, true),
            ("fd12::1", 443, false),
            ("fe80::1", 443, true),
            ("ports.example", 5000, false),
            ("ports.example", 443, true),
            ("2001:db8::1", 5000, false),
            ("2001:db8::1", 443, true),
            ("localhost", 443, false),
            ("127.0.0.9", 443, false),
            ("::1", 443, false),
        ] {
            assert_eq!(proxies.to("https", host, port).is_some(), is_proxied, "{host}:{port}");
        }
        assert_eq!(proxies.to("https", "docker.io", 443), Some("http://proxy:3128"));
        assert_eq!(proxies.to("http", "docker.io", 80), Some("http://other:1"));
        assert_eq!(Proxies::default().to("https", "docker.io", 443), None);
        let all = Proxies { none: vec!["*".to_owned()], ..proxies };
        assert_eq!(all.to("https", "docker.io", 443), None);
    }
}
