//! Short ways to write pods and what their containers do.

use std::time::Duration;

use barepod_engine::event::Exit;
use barepod_engine::spec::*;
use barepod_engine::world::script::{AttemptScript, ContainerScript, HookScript, Latencies, Script, StopScript};

pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A pod with what its containers do.
#[derive(Clone)]
pub struct Case {
    pub spec: PodSpec,
    pub script: Script,
}

pub fn pod(policy: RestartPolicy) -> Case {
    let spec = PodSpec {
        name: "web".into(),
        namespace: "default".into(),
        uid: "u-1".into(),
        restart_policy: policy,
        grace_period: secs(30.0),
        active_deadline: None,
        timeout: None,
        fail_fast: FailFast::No,
        backoff: Backoff { initial: secs(10.0), max: secs(300.0), reset_after: secs(600.0) },
        sidecar_grace: None,
        sidecar_pre_stop: SidecarPreStop::AtBegin,
        readiness_gates: Vec::new(),
        ahead: Ahead::Yes,
        containers: Vec::new(),
    };
    Case { spec, script: Script::default() }
}

pub fn never() -> Case {
    pod(RestartPolicy::Never)
}

pub fn always() -> Case {
    pod(RestartPolicy::Always)
}

pub fn on_failure() -> Case {
    pod(RestartPolicy::OnFailure)
}

pub fn probe() -> ProbeSpec {
    ProbeSpec {
        initial_delay: Duration::ZERO,
        period: secs(10.0),
        timeout: secs(1.0),
        success_threshold: 1,
        failure_threshold: 3,
        grace_period: None,
    }
}

pub fn rule(action: RestartRuleAction, codes: &[i32]) -> RestartRule {
    RestartRule { action, operator: ExitCodeOperator::In, exit_codes: codes.to_vec() }
}

/// A container that nothing is said about.
pub fn container(name: &str, kind: Kind) -> ContainerSpec {
    ContainerSpec {
        name: name.into(),
        kind,
        image: ImageSpec::Folder,
        volumes: Vec::new(),
        restart_policy: None,
        restart_rules: Vec::new(),
        startup_probe: None,
        liveness_probe: None,
        readiness_probe: None,
        post_start: None,
        pre_stop: None,
        stop_signal: None,
    }
}

impl Case {
    fn add(mut self, name: &str, kind: Kind, attempts: Vec<AttemptScript>) -> Self {
        self.spec.containers.push(container(name, kind));
        self.script.containers.push(ContainerScript { attempts, image: None });
        self
    }

    pub fn init(self, name: &str, attempts: &[AttemptScript]) -> Self {
        self.add(name, Kind::Init, attempts.to_vec())
    }

    pub fn sidecar(self, name: &str, attempts: &[AttemptScript]) -> Self {
        self.add(name, Kind::Sidecar, attempts.to_vec())
    }

    pub fn main(self, name: &str, attempts: &[AttemptScript]) -> Self {
        self.add(name, Kind::Main, attempts.to_vec())
    }

    /// Changes the container that was added last.
    pub fn with(mut self, change: impl FnOnce(&mut ContainerSpec)) -> Self {
        change(self.spec.containers.last_mut().unwrap());
        self
    }

    /// The container that was added last has an image that can be pulled.
    pub fn stored(self, name: &str, policy: PullPolicy) -> Self {
        self.with(|one| one.image = ImageSpec::Store { name: name.into(), policy })
    }

    /// It mounts this volume of the pod, whose image can be pulled.
    pub fn shows(self, volume: u16, name: &str, policy: PullPolicy) -> Self {
        let image = ImageSpec::Store { name: name.into(), policy };
        self.with(|one| one.volumes.push(VolumeImage { volume: VolumeIndex(volume), image }))
    }

    pub fn grace(mut self, seconds: f64) -> Self {
        self.spec.grace_period = secs(seconds);
        self
    }

    pub fn latencies(mut self, latencies: Latencies) -> Self {
        self.script.latencies = latencies;
        self
    }
}

/// Ends by itself.
pub fn ends(after: f64, code: u8) -> AttemptScript {
    AttemptScript::ends(secs(after), code)
}

/// Runs until told to stop, then takes so long.
pub fn obeys(after: f64) -> AttemptScript {
    AttemptScript::stops_in(secs(after))
}

/// As [`obeys`], and exits 0 then.
pub fn obeys_well(after: f64) -> AttemptScript {
    AttemptScript { on_stop: StopScript::Ends(secs(after), Exit::Code(0)), ..AttemptScript::default() }
}

pub fn stubborn() -> AttemptScript {
    AttemptScript::stubborn()
}

pub fn hook(takes: f64) -> HookScript {
    HookScript { takes: Some(secs(takes)), fails: false, errs: false }
}

pub fn hook_fails(takes: f64) -> HookScript {
    HookScript { takes: Some(secs(takes)), fails: true, errs: false }
}

pub const ENDLESS: HookScript = HookScript { takes: None, fails: false, errs: false };
