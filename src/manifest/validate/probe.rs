//! Rules for probes and hooks (R1.2, R1.5, R1.6).

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::words::nearest;
use super::check::{Check, each};
use super::names;

/// The words for what only sidecars and mains may have (R1.2).
const ON_PLAIN_INIT: &str = "may not be set for init containers without restartPolicy=Always";

/// Refuses probes and hooks on an init container that is no sidecar (R1.2).
pub(super) fn none_on_init(container: &v1::Container, path: &FieldPath, check: &mut Check<'_>) {
    let hooks = container.lifecycle.as_ref().is_some_and(|l| l.post_start.is_some() || l.pre_stop.is_some());
    for (field, given) in [
        ("lifecycle", hooks),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ] {
        if given {
            check.report(
                Diagnostic::forbidden(&path.child(field), ON_PLAIN_INIT)
                    .help("restartPolicy: Always would make the container a sidecar"),
            );
        }
    }
}

/// Checks a container's probes (R1.5).
pub(super) fn probes(container: &v1::Container, path: &FieldPath, check: &mut Check<'_>) {
    let ports = &Ports { container, path };
    if let Some(probe) = &container.liveness_probe {
        one_success(probe, &path.child("livenessProbe"), check);
        self::probe(probe, ports, &path.child("livenessProbe"), check);
    }
    if let Some(probe) = &container.startup_probe {
        one_success(probe, &path.child("startupProbe"), check);
        self::probe(probe, ports, &path.child("startupProbe"), check);
    }
    if let Some(probe) = &container.readiness_probe {
        let path = path.child("readinessProbe");
        if let Some(grace) = probe.termination_grace_period_seconds {
            let field = path.child("terminationGracePeriodSeconds");
            check.report(
                Diagnostic::invalid(&field, grace, "must not be set for readinessProbes")
                    .help("a failed readiness probe ends nothing"),
            );
        }
        self::probe(probe, ports, &path, check);
    }
}

/// One success is enough for liveness and startup.
fn one_success(probe: &v1::Probe, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(count) = probe.success_threshold.filter(|count| !matches!(count, 0 | 1)) {
        check.report(Diagnostic::invalid(&path.child("successThreshold"), count, "must be 1"));
    }
}

/// What all probes have in common.
fn probe(probe: &v1::Probe, ports: &Ports<'_>, path: &FieldPath, check: &mut Check<'_>) {
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        check.not_negative(&path.child(field), value.map(i64::from));
    }
    if let Some(grace) = probe.termination_grace_period_seconds.filter(|grace| *grace <= 0) {
        let field = path.child("terminationGracePeriodSeconds");
        check.report(Diagnostic::invalid(&field, grace, "must be greater than 0"));
    }
    let mut handlers = Handlers { path, given: 0 };
    if let Some(exec) = &probe.exec
        && let Some(path) = handlers.first("exec", check)
    {
        self::exec(exec, &path, check);
    }
    if let Some(get) = &probe.http_get
        && let Some(path) = handlers.first("httpGet", check)
    {
        http(get, ports, &path, check);
    }
    if let Some(socket) = &probe.tcp_socket
        && let Some(path) = handlers.first("tcpSocket", check)
    {
        ports.check(&socket.port, &path.child("port"), check);
        host(socket.host.as_ref(), &path.child("host"), check);
    }
    if let Some(grpc) = &probe.grpc
        && let Some(path) = handlers.first("grpc", check)
    {
        ports.check(&IntOrString::Int(grpc.port), &path.child("port"), check);
        check.one_of(&path.child("mode"), grpc.mode.as_ref(), &["Plaintext", "TLS"]);
    }
    handlers.end("exec, httpGet, tcpSocket or grpc", check);
}

/// Checks a container's hooks (R1.6); `grace` is the pod's terminationGracePeriodSeconds.
pub(super) fn hooks(container: &v1::Container, grace: i64, path: &FieldPath, check: &mut Check<'_>) {
    let Some(lifecycle) = &container.lifecycle else { return };
    let ports = &Ports { container, path };
    let path = path.child("lifecycle");
    if let Some(hook) = &lifecycle.post_start {
        self::hook(hook, ports, grace, &path.child("postStart"), check);
    }
    if let Some(hook) = &lifecycle.pre_stop {
        self::hook(hook, ports, grace, &path.child("preStop"), check);
    }
}

fn hook(hook: &v1::LifecycleHandler, ports: &Ports<'_>, grace: i64, path: &FieldPath, check: &mut Check<'_>) {
    let mut handlers = Handlers { path, given: 0 };
    if let Some(exec) = &hook.exec
        && let Some(path) = handlers.first("exec", check)
    {
        self::exec(exec, &path, check);
    }
    if let Some(get) = &hook.http_get
        && let Some(path) = handlers.first("httpGet", check)
    {
        http(get, ports, &path, check);
    }
    if let Some(socket) = &hook.tcp_socket
        && let Some(path) = handlers.first("tcpSocket", check)
    {
        ports.check(&socket.port, &path.child("port"), check);
        host(socket.host.as_ref(), &path.child("host"), check);
    }
    if let Some(sleep) = &hook.sleep
        && let Some(path) = handlers.first("sleep", check)
        && !(0..=grace).contains(&sleep.seconds)
    {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        check.report(Diagnostic::invalid(&path.child("seconds"), sleep.seconds, detail));
    }
    handlers.end("exec, httpGet or sleep", check);
}

/// Exactly one handler may be given.
struct Handlers<'a> {
    path: &'a FieldPath,
    given: usize,
}

impl Handlers<'_> {
    /// The handler's path, where it is the first.
    fn first(&mut self, name: &str, check: &mut Check<'_>) -> Option<FieldPath> {
        self.given += 1;
        let path = self.path.child(name);
        if self.given > 1 {
            check.report(Diagnostic::forbidden(&path, "may not specify more than 1 handler type"));
            return None;
        }
        Some(path)
    }

    /// Called when all that are given were seen.
    fn end(self, known: &str, check: &mut Check<'_>) {
        if self.given == 0 && !check.is_uncertain(self.path) {
            check
                .report(Diagnostic::required(self.path, "must specify a handler type").help(format!("one of {known}")));
        }
    }
}

fn exec(exec: &v1::ExecAction, path: &FieldPath, check: &mut Check<'_>) {
    if exec.command.as_ref().is_none_or(Vec::is_empty) {
        check.report(Diagnostic::required(&path.child("command"), ""));
    }
}

fn http(get: &v1::HTTPGetAction, ports: &Ports<'_>, path: &FieldPath, check: &mut Check<'_>) {
    ports.check(&get.port, &path.child("port"), check);
    host(get.host.as_ref(), &path.child("host"), check);
    check.one_of(&path.child("scheme"), get.scheme.as_ref(), &["HTTP", "HTTPS"]);
    check.one_of(&path.child("protocol"), get.protocol.as_ref(), &["HTTP1", "HTTP2"]);
    if get.protocol.as_deref() == Some("HTTP2") {
        // H2CContainerProbe: h2c by prior knowledge, to the pod itself.
        if get.scheme.as_deref() == Some("HTTPS") {
            check.report(Diagnostic::invalid(&path.child("scheme"), "HTTPS", "must be HTTP when protocol is HTTP2"));
        }
        if get.host.as_ref().is_some_and(|host| !host.is_empty()) {
            check.report(Diagnostic::forbidden(&path.child("host"), "may not be set when protocol is HTTP2"));
        }
    }
    for (path, header) in each(get.http_headers.as_ref(), &path.child("httpHeaders")) {
        check.invalid(&path.child("name"), &header.name, &names::header(&header.name));
    }
}

/// Where a request goes, if not to the pod: an address, or a name that is looked up. (The API server takes anything.)
fn host(host: Option<&String>, path: &FieldPath, check: &mut Check<'_>) {
    let Some(host) = host.filter(|host| !host.is_empty() && host.parse::<std::net::IpAddr>().is_err()) else { return };
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    check.invalid(path, host, &names::dns_search(&name));
}

/// The ports that a container's probes and hooks can name.
struct Ports<'a> {
    container: &'a v1::Container,
    path: &'a FieldPath,
}

impl Ports<'_> {
    /// A port by number or name. The API server takes any name; a kubelet would fail at each try.
    fn check(&self, port: &IntOrString, field: &FieldPath, check: &mut Check<'_>) {
        let name = match port {
            IntOrString::Int(number) => {
                for detail in names::port(*number) {
                    check.report(Diagnostic::invalid(field, *number, detail));
                }
                return;
            }
            IntOrString::String(name) => name,
        };
        let broken = names::port_name(name);
        let known: Vec<&str> = self.container.ports.iter().flatten().filter_map(|port| port.name.as_deref()).collect();
        if !broken.is_empty() {
            check.invalid(field, name, &broken);
        } else if !known.contains(&name.as_str()) && !check.is_uncertain(&self.path.child("ports")) {
            let help = match (nearest(name, &known), known.is_empty()) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, false) => format!("the container's ports are {}; or give the port's number", known.join(", ")),
                (None, true) => "name the port under the container's ports, or give its number".to_owned(),
            };
            check.report(Diagnostic::not_found(field, name).help(help));
        }
    }
}
