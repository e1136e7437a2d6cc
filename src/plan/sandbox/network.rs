//! Names and name resolution of a pod: hostname, /etc/hosts, resolv.conf, as the kubelet and containerd write them. What
//! depends on the pod's addresses is a function of them: they are known when its sandbox has been made.

use std::fmt::Write as _;
use std::net::IpAddr;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use crate::plan::error::PlanError;
use crate::plan::facts::{NodeFacts, PodNetwork};

/// Longest label of a host name; longest name the kernel takes.
const LABEL: usize = 63;
const KERNEL_NAME: usize = 64;
/// A box has no cluster, but names written for one must come out as there.
const CLUSTER_DOMAIN: &str = "cluster.local";
/// Where a pod that is connected with the outside asks the first of the box's name servers, where that only hears the
/// box itself: a link-local address that is no host's, as podman has it.
pub const DNS_FORWARD: &str = "169.254.1.1";

/// What is to connect the network namespace of a pod with the box's network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uplink {
    /// Nothing: the pod has its loopback, or the box's network itself.
    #[default]
    None,
    /// pasta(1) where that can be had, else the pod has its loopback.
    IfPossible,
    /// pasta(1), and without it the pod has no sandbox.
    Required,
}

/// The pod's host name and, where it has a subdomain, its domain.
pub(crate) fn names(
    pod: &v1::Pod,
    spec: &v1::PodSpec,
    node: &NodeFacts,
    errors: &mut Vec<PlanError>,
) -> (String, Option<String>) {
    if spec.host_network == Some(true) {
        return (node.hostname.clone(), None);
    }
    if let Some(name) = spec.hostname_override.as_ref().filter(|name| !name.is_empty()) {
        return (name.clone(), None);
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let hostname = match spec.hostname.as_deref() {
        Some(hostname) if !hostname.is_empty() => hostname.to_owned(),
        _ => truncated(name),
    };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let domain = (spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty()))
        .map(|subdomain| format!("{subdomain}.{namespace}.svc.{CLUSTER_DOMAIN}"));
    match &domain {
        Some(domain) if spec.set_hostname_as_fqdn == Some(true) => {
            let full = format!("{hostname}.{domain}");
            if full.len() > KERNEL_NAME {
                errors.push(PlanError::Invalid {
                    field: "spec.setHostnameAsFQDN".to_owned(),
                    cause: format!("the pod's FQDN is {} characters long, the kernel takes {KERNEL_NAME}", full.len()),
                    value: full.clone(),
                });
            }
            (full, Some(domain.clone()))
        }
        _ => (hostname, domain),
    }
}

/// The kubelet cuts a pod's name to a label, without leaving `-` or `.` at its end.
fn truncated(name: &str) -> String {
    if name.len() <= LABEL {
        return name.to_owned();
    }
    let end = (0..=LABEL).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name[..end].trim_end_matches(['-', '.']).to_owned()
}

/// /etc/hosts but for the pod's addresses, which its sandbox has only once it is made (kubelet_pods.go
/// managedHostsFileContent, nodeHostsFileContent).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsFile {
    /// What stands before the pod's own addresses.
    head: String,
    /// The names of each of them; `None`: they don't stand there.
    names: Option<String>,
    /// What stands behind them.
    tail: String,
}

impl HostsFile {
    pub(super) fn of(spec: &v1::PodSpec, node: &NodeFacts, hostname: &str, domain: Option<&str>) -> Self {
        let of_host = spec.host_network == Some(true);
        let mut head = if of_host {
            format!("# Kubernetes-managed hosts file (host network).\n{}", node.hosts)
        } else {
            "# Kubernetes-managed hosts file.\n\
            127.0.0.1\tlocalhost\n\
            ::1\tlocalhost ip6-localhost ip6-loopback\n\
            fe00::0\tip6-localnet\n\
            fe00::0\tip6-mcastprefix\n\
            fe00::1\tip6-allnodes\n\
            fe00::2\tip6-allrouters\n"
                .to_owned()
        };
        let short = hostname.split('.').next().unwrap_or(hostname);
        let names = match domain {
            Some(domain) => format!("{short}.{domain}\t{short}"),
            None => hostname.to_owned(),
        };
        let mut tail = String::new();
        let aliases: Vec<_> = spec.host_aliases.iter().flatten().collect();
        if !aliases.is_empty() {
            if !head.ends_with('\n') {
                head.push('\n');
            }
            tail.push_str("\n# Entries added by HostAliases.\n");
            for alias in aliases {
                let names = alias.hostnames.iter().flatten().cloned().collect::<Vec<_>>().join("\t");
                let _ = writeln!(tail, "{}\t{names}", alias.ip);
            }
        }
        Self { head, names: (!of_host).then_some(names), tail }
    }

    /// The file's text in a pod with these addresses.
    #[must_use]
    pub fn text(&self, ips: &[String]) -> String {
        let mut text = self.head.clone();
        if let Some(names) = &self.names {
            for ip in ips {
                let _ = writeln!(text, "{ip}\t{names}");
            }
        }
        text + &self.tail
    }
}

/// /etc/resolv.conf but for what the pod's network decides. There is no cluster DNS: ClusterFirst falls back to the host's
/// as in a kubelet without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvConf {
    /// The box's own text, where the pod says nothing of its own.
    of_box: Option<String>,
    /// The box's name servers; none where the pod doesn't want them.
    of_box_servers: Vec<String>,
    /// The pod's own.
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

impl ResolvConf {
    pub(super) fn of(spec: &v1::PodSpec, node: &NodeFacts) -> Self {
        let own = spec.dns_config.as_ref();
        let inherited = spec.dns_policy.as_deref() != Some("None");
        let of_box = if inherited { parse(&node.resolv_conf) } else { Dns::default() };
        let mut all = Self {
            of_box: (inherited && own.is_none()).then(|| node.resolv_conf.clone()),
            of_box_servers: of_box.servers,
            servers: Vec::new(),
            searches: of_box.searches,
            options: of_box.options,
        };
        let Some(own) = own else { return all };
        all.servers = own.nameservers.iter().flatten().cloned().collect();
        add(&mut all.searches, own.searches.iter().flatten());
        for option in own.options.iter().flatten() {
            let Some(name) = option.name.clone() else { continue };
            // An option of the pod's takes the place of the host's.
            all.options.retain(|(known, _)| *known != name);
            all.options.push((name, option.value.clone()));
        }
        all
    }

    /// The file's text in a pod with this network.
    #[must_use]
    pub fn text(&self, network: &PodNetwork) -> String {
        let mut servers = self.of_box_servers.clone();
        let changed = match network {
            PodNetwork::Connected { ips } => move_local_servers(&mut servers, ips),
            PodNetwork::Host { .. } | PodNetwork::Loopback => false,
        };
        if let Some(text) = self.of_box.as_ref().filter(|_| !changed) {
            return text.clone();
        }
        add(&mut servers, self.servers.iter());
        let mut text = String::new();
        if !self.searches.is_empty() {
            let _ = writeln!(text, "search {}", self.searches.join(" "));
        }
        for server in &servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        if !self.options.is_empty() {
            let words = self.options.iter().map(|(name, value)| match value {
                Some(value) if !value.is_empty() => format!("{name}:{value}"),
                _ => name.clone(),
            });
            let _ = writeln!(text, "options {}", words.collect::<Vec<_>>().join(" "));
        }
        text
    }
}

/// What the box's resolv.conf says.
#[derive(Default)]
struct Dns {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

/// Name servers at the box's loopback, and at the addresses that it shares with the pod, can't be asked from the pod: the
/// first of all IPv4 ones is, by [`DNS_FORWARD`], and others are left out. Whether there were such.
fn move_local_servers(servers: &mut Vec<String>, shared: &[String]) -> bool {
    let is_local = |server: &String| {
        shared.contains(server) || server.parse().is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified())
    };
    let number = servers.len();
    let first = servers.iter().find(|server| server.parse().is_ok_and(|ip: IpAddr| ip.is_ipv4())).cloned();
    let forwarded = first.filter(is_local);
    if let Some(place) = servers.iter_mut().find(|server| forwarded.as_ref() == Some(server)) {
        DNS_FORWARD.clone_into(place);
    }
    servers.retain(|server| !is_local(server));
    forwarded.is_some() || servers.len() < number
}

fn add<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for one in more {
        if !list.contains(one) {
            list.push(one.clone());
        }
    }
}

/// resolv.conf(5): the last `search` and each `options` count.
fn parse(text: &str) -> Dns {
    let mut dns = Dns::default();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => dns.servers.extend(words.next().map(str::to_owned)),
            Some("search") => dns.searches = words.map(str::to_owned).collect(),
            Some("options") => {
                for word in words {
                    let (name, value) = word.split_once(':').map_or((word, None), |(name, value)| (name, Some(value)));
                    dns.options.retain(|(known, _)| known != name);
                    dns.options.push((name.to_owned(), value.map(str::to_owned)));
                }
            }
            _ => {}
        }
    }
    dns
}
