//! One spelling for each registry.

use std::net::{IpAddr, Ipv6Addr};

/// The registry of names without one.
pub const DOCKER_HUB: &str = "docker.io";
/// Names under which Docker Hub is reached.
const HUB: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
/// The port that a name without one means.
const HTTPS: u16 = 443;

/// HOST or HOST:PORT as everybody would write it who means the same: in lower case, addresses in their usual form, without the port
/// that is meant anyway, Docker Hub by its usual name. A text that is none stays what it is, in lower case.
pub(super) fn usual(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            (address.parse().map_or_else(|_| format!("[{address}]"), shown), rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.clone(), None),
        },
    };
    let host = if HUB.contains(&host.as_str()) { DOCKER_HUB.to_owned() } else { host };
    match port.map(str::parse::<u16>) {
        None | Some(Ok(HTTPS)) => host,
        Some(Ok(port)) => format!("{host}:{port}"),
        Some(Err(_)) => text,
    }
}

fn shown(address: Ipv6Addr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_have_one_spelling() {
        for (spelling, wanted) in [
            ("reg.example", "reg.example"),
            ("REG.Example", "reg.example"),
            ("reg.example:443", "reg.example"),
            ("Reg.example:0443", "reg.example"),
            ("reg.example:05000", "reg.example:5000"),
            ("reg.example:80", "reg.example:80"),
            ("docker.io:443", "docker.io"),
            ("Index.Docker.io", "docker.io"),
            ("registry-1.docker.io:443", "docker.io"),
            ("registry-1.docker.io:5000", "docker.io:5000"),
            ("[::1]", "[::1]"),
            ("[0:0::01]:443", "[::1]"),
            ("[FE80::A]:5000", "[fe80::a]:5000"),
            ("[::ffff:192.0.2.1]:5000", "192.0.2.1:5000"),
            ("192.0.2.1:443", "192.0.2.1"),
            ("*.Example", "*.example"),
            ("No:Port", "no:port"),
            ("", ""),
        ] {
            assert_eq!(usual(spelling), wanted, "{spelling}");
            assert_eq!(usual(wanted), wanted);
        }
    }
}
