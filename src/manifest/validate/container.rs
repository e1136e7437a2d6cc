//! Rules for one container (R1.1, R1.2, R1.7), and the way to those for its parts.

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::check::Check;
use super::restart::{self, List};
use super::surroundings::Surroundings;
use super::{env, names, network, probe, resources, security, supported, volume};

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["File", "FallbackToLogsOnError"];

/// Signals that lifecycle.stopSignal may name on Linux (KEP-4960), but for the real-time ones.
const SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGRTMIN",
    "SIGRTMAX",
];

/// Checks a container and everything in it.
pub(super) fn check(
    container: &v1::Container,
    list: List,
    pod: &Surroundings<'_>,
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    let name = path.child("name");
    if container.name.is_empty() {
        check.report(Diagnostic::required(&name, "").help("every container needs a name"));
    } else {
        check.invalid(&name, &container.name, &names::dns_label(&container.name));
    }
    image(container, path, check);
    restart::of_container(container, list, path, check);
    let message = path.child("terminationMessagePolicy");
    check.one_of(&message, container.termination_message_policy.as_ref(), MESSAGE_POLICIES);
    network::ports(container, pod, path, check);
    env::check(container, pod, &path.child("env"), check);
    env::env_from(container, &path.child("envFrom"), check);
    volume::mounts(container, pod, path, check);
    resources::of_container(container, path, check);
    resources::resize_policy(container, list, pod, path, check);
    security::of_container(container, pod, path, check);
    if list == List::Init && container.restart_policy.as_deref() != Some("Always") {
        // Where the policy couldn't be read or isn't one, it may have been meant to be Always.
        let policy = container.restart_policy.as_deref();
        let known = policy.is_none_or(|policy| matches!(policy, "OnFailure" | "Never"));
        if known && !check.is_broken(&path.child("restartPolicy")) {
            probe::none_on_init(container, path, check);
        }
    } else {
        probe::probes(container, path, check);
        probe::hooks(container, pod.grace(), path, check);
    }
    stop_signal(container, pod, path, check);
    supported::of_container(container, pod.spec, path, check);
}

/// The image's name, as far as it is one; which forms there are is `supported`'s.
fn image(container: &v1::Container, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("image");
    check.one_of(&path.child("imagePullPolicy"), container.image_pull_policy.as_ref(), PULL_POLICIES);
    match container.image.as_deref() {
        None | Some("") => {
            check.report(Diagnostic::required(&field, "").help("bundle:PATH or rootfs:PATH says what to run"));
        }
        Some(image) if image.trim() != image => {
            check.report(Diagnostic::invalid(&field, image, "must not have leading or trailing whitespace"));
        }
        Some(_) => {}
    }
}

/// The stop signal (R5.12).
fn stop_signal(container: &v1::Container, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let Some(signal) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.stop_signal.as_deref()) else {
        return;
    };
    let field = path.child("lifecycle.stopSignal");
    if pod.spec.os.is_none() && !check.is_uncertain(&pod.path.child("os")) {
        check.report(
            Diagnostic::forbidden(&field, "may not be set for containers with empty os.name")
                .help("add os: {name: linux} to the pod's spec"),
        );
    }
    if !SIGNALS.contains(&signal) && !is_real_time(signal) {
        check.report(Diagnostic::unsupported(&field, signal, SIGNALS));
    }
}

/// `SIGRTMIN+1` to `SIGRTMIN+15` and `SIGRTMAX-14` to `SIGRTMAX-1`.
fn is_real_time(signal: &str) -> bool {
    let number = |prefix: &str| signal.strip_prefix(prefix).and_then(|digits| digits.parse::<u8>().ok());
    number("SIGRTMIN+").is_some_and(|n| (1..=15).contains(&n))
        || number("SIGRTMAX-").is_some_and(|n| (1..=14).contains(&n))
}
