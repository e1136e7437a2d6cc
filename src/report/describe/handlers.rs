//! Probes and hooks in one line each, as kubectl writes them.

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) fn probe(probe: &v1::Probe) -> String {
    let what = if let Some(exec) = &probe.exec {
        command(exec)
    } else if let Some(get) = &probe.http_get {
        http(get)
    } else if let Some(tcp) = &probe.tcp_socket {
        socket(tcp)
    } else if let Some(grpc) = &probe.grpc {
        let service = grpc.service.as_ref().filter(|service| !service.is_empty());
        format!("grpc :{}{}", grpc.port, service.map(|service| format!(" {service}")).unwrap_or_default())
    } else {
        "unknown".to_owned()
    };
    // R6.1: what stands where nothing does.
    let or = |value: Option<i32>, default: i32| value.filter(|value| *value != 0).unwrap_or(default);
    format!(
        "{what} delay={}s timeout={}s period={}s #success={} #failure={}",
        or(probe.initial_delay_seconds, 0),
        or(probe.timeout_seconds, 1),
        or(probe.period_seconds, 10),
        or(probe.success_threshold, 1),
        or(probe.failure_threshold, 3)
    )
}

pub(super) fn hook(hook: &v1::LifecycleHandler) -> String {
    if let Some(exec) = &hook.exec {
        command(exec)
    } else if let Some(get) = &hook.http_get {
        http(get)
    } else if let Some(sleep) = &hook.sleep {
        format!("sleep {}s", sleep.seconds)
    } else if let Some(tcp) = &hook.tcp_socket {
        socket(tcp)
    } else {
        "unknown".to_owned()
    }
}

fn command(exec: &v1::ExecAction) -> String {
    format!("exec [{}]", exec.command.as_deref().unwrap_or_default().join(" "))
}

fn http(get: &v1::HTTPGetAction) -> String {
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let path = get.path.as_deref().unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("http-get {scheme}://{}:{}{slash}{path}", get.host.as_deref().unwrap_or_default(), port(&get.port))
}

fn socket(tcp: &v1::TCPSocketAction) -> String {
    format!("tcp-socket {}:{}", tcp.host.as_deref().unwrap_or_default(), port(&tcp.port))
}

fn port(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}
