//! Rules for ports (R1.7), host names and DNS.

use std::collections::HashSet;

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::check::{Check, each};
use super::names;
use super::surroundings::Surroundings;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const DNS_POLICIES: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
/// What libc takes from a resolv.conf.
const MOST_NAMESERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const MOST_SEARCH_CHARACTERS: usize = 2048;
/// Linux' longest host name.
const MOST_HOSTNAME: usize = 64;

/// Checks names and DNS of the pod.
pub(super) fn of_pod(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    for (field, name) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
            check.invalid(&path.child(field), name, &names::dns_label(name));
        }
    }
    hostname_override(spec, path, check);
    for (path, alias) in each(spec.host_aliases.as_ref(), &path.child("hostAliases")) {
        check.invalid(&path.child("ip"), &alias.ip, &names::ip(&alias.ip));
        for (path, name) in each(alias.hostnames.as_ref(), &path.child("hostnames")) {
            check.invalid(&path, name, &names::dns_subdomain(name));
        }
    }
    check.one_of(&path.child("dnsPolicy"), spec.dns_policy.as_ref(), DNS_POLICIES);
    dns_config(spec, path, check);
    host_ports_differ(spec, path, check);
}

/// hostnameOverride (KEP-4762).
fn hostname_override(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let Some(name) = &spec.hostname_override else {
        return;
    };
    let field = path.child("hostnameOverride");
    check.invalid(&field, name, &names::dns_subdomain(name));
    if name.len() > MOST_HOSTNAME {
        let detail = format!("must be no more than {MOST_HOSTNAME} characters");
        check.report(Diagnostic::invalid(&field, name, detail));
    }
    for (other, set) in [("setHostnameAsFQDN", spec.set_hostname_as_fqdn), ("hostNetwork", spec.host_network)] {
        if set == Some(true) {
            check.report(Diagnostic::forbidden(&field, format!("may not be set when `{other}` is true")));
        }
    }
}

fn dns_config(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("dnsConfig");
    let none = spec.dns_policy.as_deref() == Some("None");
    let Some(config) = &spec.dns_config else {
        if none {
            check.report(Diagnostic::required(&field, "must provide `dnsConfig` when `dnsPolicy` is None"));
        }
        return;
    };
    let servers = field.child("nameservers");
    match config.nameservers.as_ref().map_or(0, Vec::len) {
        0 if none => {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            check.report(Diagnostic::required(&servers, detail));
        }
        count if count > MOST_NAMESERVERS => {
            let message = format!("Invalid value: must not have more than {MOST_NAMESERVERS} nameservers");
            check.report(Diagnostic::error(&servers, message).at_key());
        }
        _ => {}
    }
    for (path, server) in each(config.nameservers.as_ref(), &servers) {
        check.invalid(&path, server, &names::ip(server));
    }
    searches(config, &field.child("searches"), check);
    for (path, option) in each(config.options.as_ref(), &field.child("options")) {
        if option.name.as_ref().is_none_or(String::is_empty) {
            check.report(Diagnostic::required(&path.child("name"), "must not be empty"));
        }
    }
}

fn searches(config: &v1::PodDNSConfig, path: &FieldPath, check: &mut Check<'_>) {
    let list = config.searches.as_deref().unwrap_or_default();
    if list.len() > MOST_SEARCHES {
        let message = format!("Invalid value: must not have more than {MOST_SEARCHES} search paths");
        check.report(Diagnostic::error(path, message).at_key());
    }
    if list.iter().map(|search| search.len() + 1).sum::<usize>() > MOST_SEARCH_CHARACTERS + 1 {
        let message = format!(
            "Invalid value: must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        );
        check.report(Diagnostic::error(path, message).at_key());
    }
    for (path, search) in each(config.searches.as_ref(), path) {
        if search != "." {
            check.invalid(&path, search, &names::dns_search(search.strip_suffix('.').unwrap_or(search)));
        }
    }
}

/// Checks a container's ports (R1.7).
pub(super) fn ports(container: &v1::Container, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let mut seen: HashSet<&str> = HashSet::new();
    for (path, port) in each(container.ports.as_ref(), &path.child("ports")) {
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            let field = path.child("name");
            check.invalid(&field, name, &names::port_name(name));
            if seen.contains(name) {
                check.report(Diagnostic::duplicate(&field, name));
            }
            seen.insert(name);
        }
        let field = path.child("containerPort");
        match port.container_port {
            0 => check.report(Diagnostic::required(&field, "")),
            number => {
                for detail in names::port(number) {
                    check.report(Diagnostic::invalid(&field, number, detail));
                }
            }
        }
        check.one_of(&path.child("protocol"), port.protocol.as_ref(), PROTOCOLS);
        if let Some(ip) = port.host_ip.as_ref().filter(|ip| !ip.is_empty()) {
            check.invalid(&path.child("hostIP"), ip, &names::ip(ip));
        }
        if let Some(host) = port.host_port.filter(|host| *host != 0) {
            host_port(host, port, pod, &path.child("hostPort"), check);
        }
    }
}

fn host_port(host: i32, port: &v1::ContainerPort, pod: &Surroundings<'_>, field: &FieldPath, check: &mut Check<'_>) {
    for detail in names::port(host) {
        check.report(Diagnostic::invalid(field, host, detail));
    }
    if pod.spec.host_network == Some(true) && host != port.container_port {
        check.report(Diagnostic::invalid(field, host, "must match `containerPort` when `hostNetwork` is true"));
    }
}

/// No two mains may want the same port of the host; inits run at other times.
fn host_ports_differ(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let mut seen = HashSet::new();
    for (path, container) in each(Some(&spec.containers), &path.child("containers")) {
        for (path, port) in each(container.ports.as_ref(), &path.child("ports")) {
            let Some(number) = port.host_port.filter(|number| *number != 0) else {
                continue;
            };
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let whole = format!("{protocol}/{}/{number}", port.host_ip.as_deref().unwrap_or_default());
            if seen.contains(&whole) {
                check.report(Diagnostic::duplicate(&path.child("hostPort"), &whole));
            }
            seen.insert(whole);
        }
    }
}
