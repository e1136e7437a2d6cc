//! Ports of this box that are listened to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use k8s_openapi::api::core::v1;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, listen as listen_on, socket_with, sockopt,
};

use crate::cli::args::{Address, Forwarding, LocalPort, RemotePort};
use crate::cli::error::CliError;

/// Who has connected and is not let in yet; more wait in connect(2).
const BACKLOG: i32 = 128;
/// How often a port that is free at one address may be taken at another.
const TRIES: usize = 16;

/// One port at one address.
pub struct Listener {
    pub socket: OwnedFd,
    pub local: SocketAddr,
    /// The pod's port.
    pub remote: u16,
}

/// What is wanted, with the numbers of ports that have names. 0: any that is free.
pub fn resolve(wanted: &[Forwarding], pod: &v1::Pod, name: &str) -> Result<Vec<(u16, u16)>, CliError> {
    let number = |one: &Forwarding| match &one.remote {
        RemotePort::Number(number) => Ok(*number),
        RemotePort::Name(port) => named(pod, port).ok_or_else(|| CliError::NoPort {
            pod: name.to_owned(),
            port: port.clone(),
            known: names(pod),
        }),
    };
    let pair = |one: &Forwarding| {
        let remote = number(one)?;
        Ok(match one.local {
            LocalPort::Same => (remote, remote),
            LocalPort::Free => (0, remote),
            LocalPort::Number(local) => (local, remote),
        })
    };
    wanted.iter().map(pair).collect()
}

fn ports(pod: &v1::Pod) -> impl Iterator<Item = &v1::ContainerPort> {
    let spec = pod.spec.as_ref();
    let mains = spec.into_iter().flat_map(|spec| &spec.containers);
    let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    mains.chain(inits).flat_map(|one| one.ports.iter().flatten())
}

fn named(pod: &v1::Pod, name: &str) -> Option<u16> {
    let port = ports(pod).find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

fn names(pod: &v1::Pod) -> String {
    let all: Vec<&str> = ports(pod).filter_map(|port| port.name.as_deref()).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// Listens to all of them, or to none.
pub fn listen(addresses: &[Address], wanted: &[(u16, u16)]) -> Result<Vec<Listener>, CliError> {
    let mut all = Vec::new();
    for (local, remote) in wanted {
        let mut tries = 0;
        loop {
            match listen_everywhere(addresses, *local, *remote) {
                Ok(some) => break all.extend(some),
                // The kernel chose it for one address, and another has it no more.
                Err((_, Errno::ADDRINUSE)) if *local == 0 && tries < TRIES => tries += 1,
                Err((at, errno)) => return Err(CliError::Listen { at, source: io::Error::from(errno) }),
            }
        }
    }
    Ok(all)
}

fn listen_everywhere(addresses: &[Address], port: u16, remote: u16) -> Result<Vec<Listener>, (SocketAddr, Errno)> {
    let mut all: Vec<Listener> = Vec::new();
    for (ip, is_optional) in addresses.iter().flat_map(|one| one.ips()) {
        // One port at all of them.
        let port = all.first().map_or(port, |first| first.local.port());
        let at = SocketAddr::new(ip, port);
        match listen_at(at) {
            Ok((socket, local)) => all.push(Listener { socket, local, remote }),
            // "localhost" is what there is of it: a box may have no IPv6.
            Err(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) if is_optional && !all.is_empty() => {}
            Err(errno) => return Err((at, errno)),
        }
    }
    Ok(all)
}

fn listen_at(at: SocketAddr) -> Result<(OwnedFd, SocketAddr), Errno> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    // A port whose last connections are hardly over may be listened to again.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if at.is_ipv6() {
        // Beside 0.0.0.0.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &at)?;
    listen_on(&socket, BACKLOG)?;
    let local = getsockname(&socket)?.try_into()?;
    Ok((socket, local))
}

impl Address {
    /// Where that is, and whether this box may lack it.
    fn ips(&self) -> Vec<(IpAddr, bool)> {
        match self {
            Self::Localhost => vec![(Ipv4Addr::LOCALHOST.into(), false), (Ipv6Addr::LOCALHOST.into(), true)],
            Self::Ip(ip) => vec![(*ip, false)],
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ports_by_number_and_by_name() {
        let text = r#"{"spec":{"initContainers":[{"name":"s","ports":[{"name":"db","containerPort":5432}]}],
            "containers":[{"name":"a","ports":[{"name":"http","containerPort":8080}]}]}}"#;
        let pod: v1::Pod = serde_json::from_str(text).unwrap();
        let resolved = |words: &[&str]| {
            let wanted: Vec<Forwarding> = words.iter().map(|word| Forwarding::parse(word).unwrap()).collect();
            resolve(&wanted, &pod, "default/p").map_err(|error| error.to_string())
        };
        assert_eq!(
            resolved(&["80", "81:http", ":db", "http"]).unwrap(),
            [(80, 80), (81, 8080), (0, 5432), (8080, 8080)]
        );
        let error = resolved(&["web"]).unwrap_err();
        assert_eq!(error, "pod \"default/p\" has no port named \"web\"; it has: http, db");
    }

    #[test]
    fn one_free_port_at_all_addresses_and_none_that_somebody_has() {
        let all = listen(&[Address::Localhost], &[(0, 80)]).unwrap();
        let port = all[0].local.port();
        assert!(port != 0 && all.iter().all(|one| one.local.port() == port && one.remote == 80));
        let error = listen(&[Address::Ip(Ipv4Addr::LOCALHOST.into())], &[(0, 1), (port, 80)]).err().unwrap();
        assert!(error.to_string().contains(&format!("can't listen on 127.0.0.1:{port}")), "{error}");
    }
}
