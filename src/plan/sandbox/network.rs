//! Names and name resolution of a pod: hostname, /etc/hosts, resolv.conf, as the kubelet and containerd write them.

use std::fmt::Write as _;
use std::net::IpAddr;

use k8s_openapi::api::core::v1;

use crate::plan::error::PlanError;
use crate::plan::facts::NodeFacts;

/// Longest label of a host name; longest name the kernel takes.
const LABEL: usize = 63;
const KERNEL_NAME: usize = 64;
/// A box has no cluster, but names written for one must come out as there.
const CLUSTER_DOMAIN: &str = "cluster.local";
/// What a pod without a network of its own kind can be reached at: the loopback of its namespace.
const LOOPBACK: &str = "127.0.0.1";
/// Where a pod that is connected with the outside asks the first of the box's name servers, where that only hears the
/// box itself: a link-local address that is no host's, as podman has it.
pub const DNS_FORWARD: &str = "169.254.1.1";

/// The network of a pod that doesn't have the box's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PodNetwork {
    /// Its own loopback.
    #[default]
    Loopback,
    /// One that has been connected with the outside, and in which these, at least one, are the pod's.
    Connected {
        /// Of each family one.
        ips: Vec<String>,
    },
}

/// The pod's addresses, at least one.
pub(crate) fn ips(spec: &v1::PodSpec, node: &NodeFacts, network: &PodNetwork) -> Vec<String> {
    let own = || match network {
        PodNetwork::Connected { ips } => ips.clone(),
        PodNetwork::Loopback => vec![LOOPBACK.to_owned()],
    };
    match (spec.host_network, &node.host_ips[..]) {
        (Some(true), ips @ [_, ..]) => ips.to_vec(),
        (Some(true), []) => vec![LOOPBACK.to_owned()],
        _ => own(),
    }
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

/// Text of /etc/hosts (kubelet_pods.go managedHostsFileContent, nodeHostsFileContent).
pub(crate) fn hosts(
    spec: &v1::PodSpec,
    node: &NodeFacts,
    pod_ips: &[String],
    hostname: &str,
    domain: Option<&str>,
) -> String {
    let mut text = if spec.host_network == Some(true) {
        format!("# Kubernetes-managed hosts file (host network).\n{}", node.hosts)
    } else {
        let mut text = "# Kubernetes-managed hosts file.\n\
            127.0.0.1\tlocalhost\n\
            ::1\tlocalhost ip6-localhost ip6-loopback\n\
            fe00::0\tip6-localnet\n\
            fe00::0\tip6-mcastprefix\n\
            fe00::1\tip6-allnodes\n\
            fe00::2\tip6-allrouters\n"
            .to_owned();
        let short = hostname.split('.').next().unwrap_or(hostname);
        for ip in pod_ips {
            let _ = match domain {
                Some(domain) => writeln!(text, "{ip}\t{short}.{domain}\t{short}"),
                None => writeln!(text, "{ip}\t{hostname}"),
            };
        }
        text
    };
    let aliases: Vec<_> = spec.host_aliases.iter().flatten().collect();
    if !aliases.is_empty() {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let _ = writeln!(
                text,
                "{}\t{}",
                alias.ip,
                alias.hostnames.iter().flatten().cloned().collect::<Vec<_>>().join("\t")
            );
        }
    }
    text
}

#[derive(Default)]
struct Dns {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

/// Text of /etc/resolv.conf. There is no cluster DNS: ClusterFirst falls back to the host's as in a kubelet without one.
pub(crate) fn resolv_conf(spec: &v1::PodSpec, node: &NodeFacts, network: &PodNetwork) -> String {
    let own = spec.dns_config.as_ref();
    let inherited = spec.dns_policy.as_deref() != Some("None");
    let mut dns = if inherited { parse(&node.resolv_conf) } else { Dns::default() };
    let changed = match network {
        PodNetwork::Connected { ips } if spec.host_network != Some(true) => move_local_servers(&mut dns.servers, ips),
        _ => false,
    };
    if inherited && own.is_none() && !changed {
        return node.resolv_conf.clone();
    }
    if let Some(own) = own {
        add(&mut dns.servers, own.nameservers.iter().flatten());
        add(&mut dns.searches, own.searches.iter().flatten());
        for option in own.options.iter().flatten() {
            let Some(name) = option.name.clone() else { continue };
            // An option of the pod's takes the place of the host's.
            dns.options.retain(|(known, _)| *known != name);
            dns.options.push((name, option.value.clone()));
        }
    }
    let mut text = String::new();
    if !dns.searches.is_empty() {
        let _ = writeln!(text, "search {}", dns.searches.join(" "));
    }
    for server in &dns.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !dns.options.is_empty() {
        let words = dns.options.iter().map(|(name, value)| match value {
            Some(value) if !value.is_empty() => format!("{name}:{value}"),
            _ => name.clone(),
        });
        let _ = writeln!(text, "options {}", words.collect::<Vec<_>>().join(" "));
    }
    text
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
