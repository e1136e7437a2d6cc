//! What a host's name means. A static program has no resolver of its own (glibc's loads its parts as shared objects), so it
//! is written out: addresses, `localhost`, hosts files (hosts(5)), then DNS by resolv.conf(5) from where the request is made.
//! A library reads and writes the messages.

mod dns;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use simple_dns::{QTYPE, TYPE};

use dns::{Reply, Server};

/// Where a resolv.conf's servers listen.
const DNS_PORT: u16 = 53;
/// resolv.conf(5): MAXNS, and the largest of `ndots`, `timeout` and `attempts`.
const MOST_SERVERS: usize = 3;
const MOST_DOTS: usize = 15;
const LONGEST_TIMEOUT: u64 = 30;
const MOST_ATTEMPTS: usize = 5;

/// Where names are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// Texts of hosts files, the one that counts most first.
    pub hosts: &'a [String],
    /// Text of a resolv.conf.
    pub resolv_conf: &'a str,
}

/// Which addresses of a host are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 where there is one, otherwise IPv6: one question is enough for most names.
    First,
    /// IPv4, then IPv6: for hosts of the wide world, and boxes that have a way to one of the two alone.
    Both,
}

/// The addresses of a host, at least one, the best first.
///
/// # Errors
/// In Go's words, which people search for.
pub fn look_up(host: &str, files: Files<'_>, families: Families) -> Result<Vec<IpAddr>, String> {
    look_up_at(host, files, families, DNS_PORT)
}

fn look_up_at(host: &str, files: Files<'_>, families: Families, port: u16) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(match families {
            Families::First => vec![Ipv4Addr::LOCALHOST.into()],
            Families::Both => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        });
    }
    let listed = files.hosts.iter().map(|text| listed(text, host)).find(|found| !found.is_empty());
    match listed {
        Some(found) => Ok(found),
        None => Config::parse(files.resolv_conf, port).look_up(host, families),
    }
}

/// What a hosts file says of a name.
fn listed(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    let mut found: Vec<IpAddr> = lines.collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.dedup();
    found
}

/// What resolv.conf(5) has to say here.
#[derive(Debug, PartialEq, Eq)]
struct Config {
    servers: Vec<Server>,
    searches: Vec<String>,
    dots: usize,
    timeout: Duration,
    attempts: usize,
}

impl Config {
    fn parse(text: &str, port: u16) -> Self {
        let timeout = Duration::from_secs(5);
        let mut config = Self { servers: Vec::new(), searches: Vec::new(), dots: 1, timeout, attempts: 2 };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if config.servers.len() < MOST_SERVERS => {
                    let server = words.next().and_then(|word| word.parse().ok());
                    config.servers.extend(server.map(|ip| Server::new(ip, port)));
                }
                Some("search") => config.searches = words.map(str::to_owned).collect(),
                Some("domain") => config.searches = words.take(1).map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push(Server::new(Ipv4Addr::LOCALHOST.into(), port));
        }
        config
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        match (name, value.parse::<usize>()) {
            ("ndots", Ok(dots)) => self.dots = dots.min(MOST_DOTS),
            ("timeout", Ok(seconds)) => {
                self.timeout = Duration::from_secs((seconds as u64).clamp(1, LONGEST_TIMEOUT));
            }
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, MOST_ATTEMPTS),
            _ => {}
        }
    }

    /// The names to ask for, in order.
    fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(absolute) = host.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let below = self.searches.iter().map(|domain| domain.trim_end_matches('.'));
        let mut all: Vec<String> =
            below.filter(|domain| !domain.is_empty()).map(|domain| format!("{host}.{domain}")).collect();
        let dots = host.matches('.').count();
        all.insert(if dots >= self.dots { 0 } else { all.len() }, host.to_owned());
        all
    }

    fn look_up(&self, host: &str, families: Families) -> Result<Vec<IpAddr>, String> {
        let mut trouble = None;
        for name in self.candidates(host) {
            let mut all = Vec::new();
            for kind in [TYPE::A, TYPE::AAAA] {
                match self.ask(&name, kind) {
                    Ok(Reply::Addresses(found)) => all.extend(found),
                    Ok(Reply::NoSuchName) => break,
                    Err(cause) => {
                        trouble.get_or_insert(cause);
                        break;
                    }
                }
                if families == Families::First && !all.is_empty() {
                    break;
                }
            }
            if !all.is_empty() {
                return Ok(all);
            }
        }
        let server = self.servers[0].address;
        Err(match trouble {
            Some(cause) => format!("lookup {host}: {cause}"),
            None => format!("lookup {host} on {server}: no such host"),
        })
    }

    /// Asks one server after the other until one knows.
    fn ask(&self, name: &str, kind: TYPE) -> Result<Reply, String> {
        let mut trouble = String::new();
        for _ in 0..self.attempts {
            for server in &self.servers {
                match server.ask(name, QTYPE::TYPE(kind), Instant::now() + self.timeout) {
                    Ok(reply) => return Ok(reply),
                    Err(cause) => trouble = format!("{}: {}", server.address, words(&cause)),
                }
            }
        }
        Err(trouble)
    }
}

fn words(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => cause.raw_os_error().map_or_else(|| cause.to_string(), crate::runtime::program::words),
    }
}

#[cfg(test)]
mod tests;
