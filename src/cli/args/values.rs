//! Values of options that are more than a word.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `8080`, `8080:80`, `:80`, `8080:http`: a port of this box, and a port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Of this box.
    pub local: LocalPort,
    /// Of the pod.
    pub remote: RemotePort,
}

/// A port of this box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPort {
    /// The number that the pod's has.
    Same,
    /// Any that is free.
    Free,
    /// This.
    Number(u16),
}

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemotePort {
    /// This.
    Number(u16),
    /// The one that a container of the pod calls so.
    Name(String),
}

impl Forwarding {
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form =
            "write it as PORT, LOCAL:REMOTE or :REMOTE, with numbers from 1 to 65535 or the name of a port of the pod";
        let wrong = || format!("{text:?} names no ports: {form}");
        let (local, remote) = match text.split_once(':') {
            None => (LocalPort::Same, text),
            Some(("" | "0", remote)) => (LocalPort::Free, remote),
            Some((local, remote)) => (LocalPort::Number(number(local).ok_or_else(wrong)?), remote),
        };
        let is_name = remote.contains(|one: char| one.is_ascii_alphabetic())
            && remote.chars().all(|one| one.is_ascii_alphanumeric() || one == '-');
        let remote = match number(remote) {
            Some(number) => RemotePort::Number(number),
            None if is_name => RemotePort::Name(remote.to_owned()),
            None => return Err(wrong()),
        };
        Ok(Self { local, remote })
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number != 0 && !text.starts_with('+'))
}

/// What is copied, or where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyPlace {
    /// On this box.
    Box(PathBuf),
    /// In a pod's container.
    Pod {
        /// NAME or NAMESPACE/NAME.
        pod: String,
        /// From the container's root.
        path: PathBuf,
    },
}

impl CopyPlace {
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let colon = text.split_once(':').filter(|(pod, _)| !pod.starts_with(['.', '/']));
        match colon {
            None if text.is_empty() => Err("there is no path".to_owned()),
            None => Ok(Self::Box(text.into())),
            Some(("", _)) => Err(format!("{text:?} names no pod: write POD:PATH, or ./{text} for a file of this box")),
            Some((pod, "")) => Err(format!("{text:?} names no path: write {pod}:PATH")),
            Some((pod, _)) if pod.matches('/').count() > 1 => {
                Err(format!("{text:?} is not NAMESPACE/POD:PATH; write ./{text} for a file of this box"))
            }
            Some((pod, path)) => Ok(Self::Pod { pod: pod.to_owned(), path: path.into() }),
        }
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// 127.0.0.1, and ::1 where there is that.
    Localhost,
    /// This.
    Ip(IpAddr),
}

impl Address {
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "localhost" => Ok(Self::Localhost),
            _ => text.parse().map(Self::Ip).map_err(|_| format!("{text:?} is neither an IP address nor localhost")),
        }
    }
}

/// `cpu=200m`.
pub(super) fn resource(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, amount)) if !name.is_empty() && !amount.is_empty() => Ok((name.to_owned(), amount.to_owned())),
        _ => Err(format!("{text:?} is not RESOURCE=AMOUNT; write it like cpu=200m,memory=64Mi")),
    }
}

/// A duration that something can be done in.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    duration(text).and_then(|interval| if interval < LEAST { Err("at least 100ms".to_owned()) } else { Ok(interval) })
}

/// Of none, restarts would follow each other as fast as the box can.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|delay| if delay.is_zero() { Err("at least 1ms".to_owned()) } else { Ok(delay) })
}

/// A time beyond which nothing is waited for; none where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Option<Duration>);

/// As `kubectl delete --timeout`: 0 is no limit.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "0" => Ok(Limit(None)),
        _ => duration(text).map(|limit| Limit((!limit.is_zero()).then_some(limit))),
    }
}

/// As `kubectl wait --timeout`.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    match (text, text.strip_prefix('-')) {
        ("0", _) => Ok(Duration::ZERO),
        (_, Some("1")) => Ok(WEEK),
        (_, Some(positive)) => duration(positive).map(|_| WEEK),
        (_, None) => duration(text),
    }
}

/// `300ms`, `10s`, `1m30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("not a duration: {text:?}; write it like 300ms, 10s or 5m"))?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative"))
}

/// As [`duration`], and `7d`: how long ago something was.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    const DAY: u32 = 24 * 60 * 60;
    match text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        Some(days) => Ok(Duration::from_secs(u64::from(days) * u64::from(DAY))),
        None => duration(text).map_err(|why| why.replace("300ms, 10s or 5m", "30m, 24h or 7d")),
    }
}

/// `2026-11-30T12:00:00Z` (RFC 3339).
pub(super) fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse()
        .map_err(|_| format!("not a time: {text:?}; write it like 2026-11-30T12:00:00Z or 2026-11-30T13:00:00+01:00"))
}
