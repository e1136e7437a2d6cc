//! v1 to the engine's `PodSpec`: kinds, restart policies, timings. What a probe or hook *does* stays in the v1 Pod.

pub(crate) mod signal;

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::spec::{
    Backoff, ContainerSpec, ExitCodeOperator, HookSpec, ImageSpec, Kind, PodSpec, ProbeSpec, PullPolicy, RestartPolicy,
    RestartRule, RestartRuleAction, SidecarPreStop, VolumeImage, VolumeIndex,
};
use k8s_openapi::api::core::v1;

use crate::manifest::ImageName;
use crate::plan::error::PlanError;
use crate::plan::identity::{PodContainer, containers};

/// R5.17
const SIDECAR_GRACE: &str = "barepod.dev/sidecar-grace-seconds";
/// R5.17
const SIDECAR_PRE_STOP: &str = "barepod.dev/sidecar-prestop";

/// The part of a checked and defaulted pod that its lifecycle depends on: all that a simulation needs.
///
/// # Errors
/// What checking the manifest didn't find, all at once.
pub fn of(pod: &v1::Pod, backoff: Backoff) -> Result<PodSpec, Vec<PlanError>> {
    let Some(pod_spec) = &pod.spec else {
        return Err(vec![PlanError::Required { field: "spec".to_owned(), advice: "a pod has containers" }]);
    };
    let mut errors = Vec::new();
    let lifecycle = spec(pod, pod_spec, backoff, &mut errors);
    if errors.is_empty() { Ok(lifecycle) } else { Err(errors) }
}

/// See [`of`].
pub(crate) fn spec(pod: &v1::Pod, spec: &v1::PodSpec, backoff: Backoff, errors: &mut Vec<PlanError>) -> PodSpec {
    let meta = &pod.metadata;
    let annotations = meta.annotations.as_ref();
    let grace_period = seconds(spec.termination_grace_period_seconds.unwrap_or(30));
    PodSpec {
        name: meta.name.clone().unwrap_or_default(),
        namespace: meta.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        uid: meta.uid.clone().unwrap_or_default(),
        restart_policy: policy(spec.restart_policy.as_deref(), "spec.restartPolicy", errors)
            .unwrap_or(RestartPolicy::Always),
        grace_period,
        active_deadline: spec.active_deadline_seconds.map(seconds),
        // `cli` sets what is asked of one run.
        timeout: None,
        fail_fast: barepod_engine::spec::FailFast::No,
        backoff,
        sidecar_grace: annotations.and_then(|all| sidecar_grace(all, grace_period, errors)),
        sidecar_pre_stop: annotations.map_or(SidecarPreStop::AtBegin, |all| sidecar_pre_stop(all, errors)),
        readiness_gates: spec.readiness_gates.iter().flatten().map(|gate| gate.condition_type.clone()).collect(),
        ahead: barepod_engine::spec::Ahead::Yes,
        containers: containers(spec).map(|one| container(&one, spec, errors)).collect(),
    }
}

fn container(one: &PodContainer<'_>, spec: &v1::PodSpec, errors: &mut Vec<PlanError>) -> ContainerSpec {
    let &PodContainer { kind, manifest: container, .. } = one;
    let field = one.field();
    let restart_policy = match kind {
        // A sidecar's `Always` is its kind; the engine restarts it whatever the policies (R3.4).
        // Nor has an ephemeral container any (R3.11).
        Kind::Sidecar | Kind::Ephemeral => None,
        Kind::Init | Kind::Main => {
            policy(container.restart_policy.as_deref(), &format!("{field}.restartPolicy"), errors)
        }
    };
    let lifecycle = container.lifecycle.as_ref();
    ContainerSpec {
        name: container.name.clone(),
        kind,
        image: image(container),
        volumes: volume_images(container, spec),
        restart_policy,
        restart_rules: (container.restart_policy_rules.iter().flatten().enumerate())
            .filter_map(|(at, one)| rule(&format!("{field}.restartPolicyRules[{at}]"), one, errors))
            .collect(),
        startup_probe: container.startup_probe.as_ref().map(probe),
        liveness_probe: container.liveness_probe.as_ref().map(probe),
        readiness_probe: container.readiness_probe.as_ref().map(probe),
        post_start: lifecycle.and_then(|all| all.post_start.as_ref()).map(hook),
        pre_stop: lifecycle.and_then(|all| all.pre_stop.as_ref()).map(hook),
        stop_signal: lifecycle
            .and_then(|all| all.stop_signal.as_ref())
            .and_then(|name| stop_signal(format!("{field}.lifecycle.stopSignal"), name, errors)),
    }
}

/// Where a container's image comes from (R8.12). `manifest` has checked the policy, and filled it in where there was none.
pub fn image(container: &v1::Container) -> ImageSpec {
    image_spec(container.image.as_deref(), container.image_pull_policy.as_deref())
}

/// Images of the volumes that a container mounts, as far as they come from a store (R8.17).
fn volume_images(container: &v1::Container, spec: &v1::PodSpec) -> Vec<VolumeImage> {
    let is_mounted = |name: &str| container.volume_mounts.iter().flatten().any(|mount| mount.name == name);
    let volumes = spec.volumes.iter().flatten().zip(0..).filter(|(volume, _)| is_mounted(&volume.name));
    let image = |(volume, at): (&v1::Volume, u16)| {
        let shown = volume.image.as_ref()?;
        let image = image_spec(shown.reference.as_deref(), shown.pull_policy.as_deref());
        (!image.is_folder()).then_some(VolumeImage { volume: VolumeIndex(at), image })
    };
    volumes.filter_map(image).collect()
}

fn image_spec(name: Option<&str>, policy: Option<&str>) -> ImageSpec {
    let name = name.unwrap_or_default();
    if name.is_empty() || ImageName::read(name).is_ok_and(ImageName::is_folder) {
        return ImageSpec::Folder;
    }
    let policy = match policy {
        Some("Always") => PullPolicy::Always,
        Some("Never") => PullPolicy::Never,
        Some(_) | None => PullPolicy::IfNotPresent,
    };
    ImageSpec::Store { name: name.to_owned(), policy }
}

fn policy(value: Option<&str>, field: &str, errors: &mut Vec<PlanError>) -> Option<RestartPolicy> {
    match value? {
        "Always" => Some(RestartPolicy::Always),
        "OnFailure" => Some(RestartPolicy::OnFailure),
        "Never" => Some(RestartPolicy::Never),
        other => {
            errors.push(invalid(field.to_owned(), other, "supported values: \"Always\", \"OnFailure\", \"Never\""));
            None
        }
    }
}

/// R1.4, R3.1
fn rule(field: &str, rule: &v1::ContainerRestartRule, errors: &mut Vec<PlanError>) -> Option<RestartRule> {
    let action = match rule.action.as_str() {
        "Restart" => RestartRuleAction::Restart,
        "RestartAllContainers" => RestartRuleAction::RestartAllContainers,
        other => {
            let cause = "supported values: \"Restart\", \"RestartAllContainers\"";
            errors.push(invalid(format!("{field}.action"), other, cause));
            return None;
        }
    };
    let Some(codes) = &rule.exit_codes else {
        let advice = "say which exit codes the rule is about";
        errors.push(PlanError::Required { field: format!("{field}.exitCodes"), advice });
        return None;
    };
    let operator = match codes.operator.as_str() {
        "In" => ExitCodeOperator::In,
        "NotIn" => ExitCodeOperator::NotIn,
        other => {
            errors.push(invalid(format!("{field}.exitCodes.operator"), other, "supported values: \"In\", \"NotIn\""));
            return None;
        }
    };
    Some(RestartRule { action, operator, exit_codes: codes.values.clone().unwrap_or_default() })
}

/// R6.1: an absent or zero number is the default.
fn probe(probe: &v1::Probe) -> ProbeSpec {
    let number = |value: Option<i32>, default: u32| match value.and_then(|value| u32::try_from(value).ok()) {
        None | Some(0) => default,
        Some(value) => value,
    };
    let time = |value, default| Duration::from_secs(number(value, default).into());
    ProbeSpec {
        initial_delay: time(probe.initial_delay_seconds, 0),
        period: time(probe.period_seconds, 10),
        timeout: time(probe.timeout_seconds, 1),
        success_threshold: number(probe.success_threshold, 1),
        failure_threshold: number(probe.failure_threshold, 3),
        grace_period: probe.termination_grace_period_seconds.map(seconds),
    }
}

/// R1.6
fn hook(handler: &v1::LifecycleHandler) -> HookSpec {
    match &handler.sleep {
        Some(sleep) => HookSpec::Sleep(seconds(sleep.seconds)),
        None => HookSpec::Handler,
    }
}

fn stop_signal(field: String, name: &str, errors: &mut Vec<PlanError>) -> Option<i32> {
    let number = signal::number(name);
    if number.is_none() {
        errors.push(invalid(field, name, "no such signal; SIGTERM, SIGUSR1 or SIGRTMIN+3 would be one"));
    }
    number
}

fn sidecar_grace(
    annotations: &BTreeMap<String, String>,
    grace: Duration,
    errors: &mut Vec<PlanError>,
) -> Option<Duration> {
    let text = annotations.get(SIDECAR_GRACE)?;
    let reserved = text.parse::<u32>().ok().map(|number| Duration::from_secs(number.into()));
    match reserved {
        Some(reserved) if reserved <= grace => Some(reserved),
        _ => {
            let cause = "must be whole seconds, at most spec.terminationGracePeriodSeconds";
            errors.push(invalid(format!("metadata.annotations[{SIDECAR_GRACE}]"), text, cause));
            None
        }
    }
}

fn sidecar_pre_stop(annotations: &BTreeMap<String, String>, errors: &mut Vec<PlanError>) -> SidecarPreStop {
    match annotations.get(SIDECAR_PRE_STOP).map(String::as_str) {
        None => SidecarPreStop::AtBegin,
        Some("at-turn") => SidecarPreStop::AtTurn,
        Some(other) => {
            let field = format!("metadata.annotations[{SIDECAR_PRE_STOP}]");
            errors.push(invalid(field, other, "supported values: \"at-turn\"; leave it out for Kubernetes' way"));
            SidecarPreStop::AtBegin
        }
    }
}

/// Whole seconds; a negative number is none.
fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

fn invalid(field: String, value: &str, cause: &str) -> PlanError {
    PlanError::Invalid { field, value: value.to_owned(), cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_volumes_that_are_mounted() {
        let spec: v1::PodSpec = serde_json::from_value(serde_json::json!({
            "volumes": [
                {"name": "folder", "image": {"reference": "rootfs:/x"}}, {"name": "e", "emptyDir": {}},
                {"name": "late", "image": {"reference": "data:1", "pullPolicy": "Always"}},
                {"name": "nobodys", "image": {"reference": "data:2"}}, {"name": "file", "image": {"reference": "oci:d"}}],
            "containers": [{"name": "m", "volumeMounts": [
                {"name": "file", "mountPath": "/f"}, {"name": "late", "mountPath": "/1"}, {"name": "late", "mountPath": "/2"},
                {"name": "e", "mountPath": "/e"}, {"name": "folder", "mountPath": "/x"}]}]
        }))
        .expect("a pod's spec");
        let image = |name: &str, policy| ImageSpec::Store { name: name.to_owned(), policy };
        let expected = vec![
            VolumeImage { volume: VolumeIndex(2), image: image("data:1", PullPolicy::Always) },
            VolumeImage { volume: VolumeIndex(4), image: image("oci:d", PullPolicy::IfNotPresent) },
        ];
        assert_eq!(volume_images(&spec.containers[0], &spec), expected, "R8.17");
    }

    /// R8.12: folders have no policy that means anything.
    #[test]
    fn images_that_are_pulled() {
        let image = |name: &str, policy: Option<&str>| {
            image(&v1::Container {
                image: Some(name.to_owned()),
                image_pull_policy: policy.map(ToOwned::to_owned),
                ..v1::Container::default()
            })
        };
        let store = |name: &str, policy| ImageSpec::Store { name: name.to_owned(), policy };
        assert_eq!(image("rootfs:/srv/x", Some("Always")), ImageSpec::Folder);
        assert_eq!(image("bundle:web", Some("Never")), ImageSpec::Folder);
        assert_eq!(image("nginx:1.27", Some("Always")), store("nginx:1.27", PullPolicy::Always));
        assert_eq!(image("docker://nginx", Some("Never")), store("docker://nginx", PullPolicy::Never));
        assert_eq!(image("nginx:1.27", Some("IfNotPresent")), store("nginx:1.27", PullPolicy::IfNotPresent));
        assert_eq!(super::image(&v1::Container::default()), ImageSpec::Folder);
    }
}
