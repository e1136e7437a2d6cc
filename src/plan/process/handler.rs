//! What a probe or hook does: v1 Pod to a request that names everything (addresses, ports, headers, words).

use std::collections::HashMap;

use barepod_engine::event::{Hook, Probe};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Serialize};

use super::expansion;
use super::url::{Scheme, Url};
use crate::plan::identity::PodContainer;

/// The Kubernetes release whose behaviour this is, for User-Agent headers.
const RELEASE: &str = "1.37";

/// What a handler is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// A probe.
    Probe(Probe),
    /// A hook.
    Hook(Hook),
}

impl From<Probe> for Purpose {
    fn from(probe: Probe) -> Self {
        Self::Probe(probe)
    }
}

impl From<Hook> for Purpose {
    fn from(hook: Hook) -> Self {
        Self::Hook(hook)
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Handler {
    /// A program in the container; exit code 0 is success.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A request from inside the pod's network namespace.
    Network(Call),
}

/// A request over the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `httpGet`.
    Http(HttpGet),
    /// `tcpSocket`: connect, nothing more.
    Tcp {
        /// An address or a name.
        host: String,
        /// 1..=65535.
        port: u16,
    },
    /// `grpc`: grpc.health.v1.Health/Check.
    Grpc {
        /// In clear text or by TLS.
        scheme: Scheme,
        /// The pod's address.
        host: String,
        /// 1..=65535.
        port: u16,
        /// Which service's health; empty: the server's.
        service: String,
    },
}

/// How hosts are looked up that are given by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Texts of hosts files, the one that counts most first: the pod's, the box's.
    pub hosts: Vec<String>,
    /// Text of the pod's resolv.conf.
    pub resolv_conf: String,
}

impl std::fmt::Display for Handler {
    /// For people: `exec [/bin/true]`, `http-get http://10.0.0.1:80/`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exec { command } => write!(f, "exec [{}]", command.join(" ")),
            Self::Network(Call::Http(get)) => write!(f, "http-get {}", get.url),
            Self::Network(Call::Tcp { host, port }) => write!(f, "tcp-socket {host}:{port}"),
            Self::Network(Call::Grpc { host, port, .. }) => write!(f, "grpc {host}:{port}"),
        }
    }
}

impl Call {
    /// Whether its host has to be looked up.
    pub fn needs_names(&self) -> bool {
        let host = match self {
            Self::Http(get) => &get.url.host,
            Self::Tcp { host, .. } | Self::Grpc { host, .. } => host,
        };
        host != "localhost" && host.parse::<std::net::IpAddr>().is_err()
    }
}

/// An HTTP GET.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpGet {
    /// Where.
    pub url: Url,
    /// How it is said.
    pub version: HttpVersion,
    /// Names as Go writes them, in the order of the manifest, with the defaults that were not given.
    pub headers: Vec<(String, String)>,
    /// Which answers are good.
    pub wanted: Wanted,
}

/// `protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge (h2c), in clear text.
    Http2,
}

/// Which answers are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// R6.10: 200..=399.
    Success,
    /// R7.4: any.
    Any,
}

/// Why a handler can't be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum HandlerError {
    #[error("there is no port named {name:?}; name one under ports, or give its number")]
    NoSuchPort { name: String },
    #[error("exec.command is too long: with its references replaced it has more than execve takes")]
    TooLong,
    #[error("there is nothing to do; give it exec, httpGet, tcpSocket or grpc")]
    Nothing,
    #[error("tcpSocket is not a handler of hooks; use exec, httpGet or sleep")]
    TcpHook,
}

/// What `purpose` of a container does; `None` where the container has no such probe or hook.
///
/// # Errors
/// Where the kubelet, too, could only find out when it comes to it.
pub fn handler(container: &PodContainer<'_>, purpose: Purpose, pod_ip: &str) -> Option<Result<Handler, HandlerError>> {
    let container = container.manifest;
    let of = HandlersOf { container, pod_ip };
    match purpose {
        Purpose::Probe(probe) => {
            let probe = match probe {
                Probe::Startup => container.startup_probe.as_ref(),
                Probe::Liveness => container.liveness_probe.as_ref(),
                Probe::Readiness => container.readiness_probe.as_ref(),
            };
            Some(of.probe(probe?))
        }
        Purpose::Hook(hook) => {
            let lifecycle = container.lifecycle.as_ref()?;
            let hook = match hook {
                Hook::PostStart => lifecycle.post_start.as_ref(),
                Hook::PreStop => lifecycle.pre_stop.as_ref(),
            };
            Some(of.hook(hook?))
        }
    }
}

struct HandlersOf<'a> {
    container: &'a v1::Container,
    pod_ip: &'a str,
}

impl HandlersOf<'_> {
    fn probe(&self, probe: &v1::Probe) -> Result<Handler, HandlerError> {
        if let Some(exec) = &probe.exec {
            // R6.10: only literal values are seen by a probe's command.
            let variables = self.container.env.iter().flatten();
            let literals: HashMap<&str, &v1::EnvVar> = variables.map(|var| (&*var.name, var)).collect();
            let literal = |name: &str| literals.get(name).and_then(|var| var.value.clone());
            let command = exec.command.iter().flatten();
            let command = command
                .map(|text| expansion::expand(text, expansion::STRING, literal))
                .collect::<Result<Vec<String>, _>>()
                .map_err(|_| HandlerError::TooLong)?;
            let size: usize = command.iter().map(String::len).sum();
            return if size <= expansion::ALL { Ok(Handler::Exec { command }) } else { Err(HandlerError::TooLong) };
        }
        if let Some(get) = &probe.http_get {
            return Ok(Handler::Network(Call::Http(self.http(get, "kube-probe", Wanted::Success)?)));
        }
        if let Some(socket) = &probe.tcp_socket {
            let host = given(socket.host.as_ref()).unwrap_or(self.pod_ip).to_owned();
            return Ok(Handler::Network(Call::Tcp { host, port: self.port(&socket.port)? }));
        }
        if let Some(grpc) = &probe.grpc {
            let service = grpc.service.clone().unwrap_or_default();
            let port = self.port(&IntOrString::Int(grpc.port))?;
            let scheme = if grpc.mode.as_deref() == Some("TLS") { Scheme::Https } else { Scheme::Http };
            return Ok(Handler::Network(Call::Grpc { scheme, host: self.pod_ip.to_owned(), port, service }));
        }
        Err(HandlerError::Nothing)
    }

    fn hook(&self, hook: &v1::LifecycleHandler) -> Result<Handler, HandlerError> {
        if let Some(exec) = &hook.exec {
            return Ok(Handler::Exec { command: exec.command.clone().unwrap_or_default() });
        }
        if let Some(get) = &hook.http_get {
            return Ok(Handler::Network(Call::Http(self.http(get, "kube-lifecycle", Wanted::Any)?)));
        }
        Err(if hook.tcp_socket.is_some() { HandlerError::TcpHook } else { HandlerError::Nothing })
    }

    fn http(&self, get: &v1::HTTPGetAction, agent: &str, wanted: Wanted) -> Result<HttpGet, HandlerError> {
        let scheme = if get.scheme.as_deref() == Some("HTTPS") { Scheme::Https } else { Scheme::Http };
        let host = given(get.host.as_ref()).unwrap_or(self.pod_ip);
        let path = get.path.as_deref().unwrap_or_default();
        let given = get.http_headers.iter().flatten();
        let mut headers: Vec<(String, String)> =
            given.map(|header| (canonical(&header.name), header.value.clone())).collect();
        for (name, value) in [("User-Agent", format!("{agent}/{RELEASE}")), ("Accept", "*/*".to_owned())] {
            if !headers.iter().any(|(given, _)| given == name) {
                headers.push((name.to_owned(), value));
            }
        }
        // As the kubelet: an empty Accept is none at all. (So is an empty User-Agent: Go's client leaves it out.)
        let accept = headers.iter().find(|(name, _)| name == "Accept");
        if accept.is_some_and(|(_, value)| value.is_empty()) {
            headers.retain(|(name, _)| name != "Accept");
        }
        let version = match get.protocol.as_deref() {
            Some("HTTP2") => HttpVersion::Http2,
            _ => HttpVersion::Http1,
        };
        Ok(HttpGet { url: Url::new(scheme, host, self.port(&get.port)?, path), version, headers, wanted })
    }

    fn port(&self, port: &IntOrString) -> Result<u16, HandlerError> {
        let by_name = |name: &str| {
            let named = self.container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name));
            named.map(|port| port.container_port)
        };
        let number = match port {
            IntOrString::Int(number) => Some(*number),
            // The kubelet takes a number in quotes as well.
            IntOrString::String(name) => by_name(name).or_else(|| name.parse().ok()),
        };
        number
            .and_then(|number| u16::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| HandlerError::NoSuchPort { name: port_text(port) })
    }
}

/// A header's name as Go's net/textproto has it (CanonicalMIMEHeaderKey): `x-my-header` is `X-My-Header`.
fn canonical(name: &str) -> String {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return name.to_owned();
    }
    let mut begins = true;
    let change = |c: char| {
        let changed = if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        begins = c == '-';
        changed
    };
    name.chars().map(change).collect()
}

fn port_text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

impl Handler {
    /// The kubelet's words for one that took longer than it may.
    #[must_use]
    pub fn timed_out(&self, seconds: u64) -> String {
        match self {
            Self::Exec { command } => {
                format!("command timed out: {:?} timed out after {seconds}s", command.join(" "))
            }
            Self::Network(Call::Http(get)) => {
                format!(
                    "Get {:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                    get.url.to_string()
                )
            }
            Self::Network(Call::Tcp { host, port }) => format!("dial tcp {host}:{port}: i/o timeout"),
            Self::Network(Call::Grpc { host, port, .. }) => {
                format!("timeout: health rpc to {:?} did not complete within {seconds}s", format!("{host}:{port}"))
            }
        }
    }
}
