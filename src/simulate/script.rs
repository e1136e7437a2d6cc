//! The script's text to the box it describes. Whatever is written must mean something: a probe's behaviour for a
//! container without that probe is an error, as is a name that the pod doesn't have.

mod check;
mod text;

use std::time::Duration;

use barepod_engine::event::{CreateFailure, Event, Exit, ImageFailure, StorageExceeded};
use barepod_engine::spec::{ContainerIndex, ContainerSpec, Kind, PodSpec, ProbeSpec};
use barepod_engine::world::script::{
    AttemptScript, ContainerScript, HookScript, Latencies, ProbeScript, Script, StartScript, StopScript,
};
use k8s_openapi::api::core::v1;

use crate::manifest::{self, Report};
use text::{
    AttemptText, ExceedsText, ExitsText, HookText, LatenciesText, OnStopText, ProbeText, RequestText, ScriptText,
    TimeText,
};

/// A script, ready to be played.
#[derive(Clone, Debug)]
pub struct Play {
    /// The box.
    pub script: Script,
    /// What comes from outside, in order of time.
    pub requests: Vec<Request>,
    /// When the simulation ends at the latest.
    pub until: Duration,
}

/// What comes from outside at some time.
#[derive(Clone, Debug)]
pub struct Request {
    /// Counted from the beginning.
    pub at: Duration,
    /// `Stop`, `Kill`, `StorageExceeded` or `SandboxLost`.
    pub event: Event,
}

impl Play {
    /// Without a script: everything goes well. Inits exit with 0 at once, all others run until they are told to stop.
    pub fn plain(pod: &PodSpec) -> Self {
        play(&ScriptText::default(), pod)
    }
}

/// Decodes a script for this pod: what the engine knows of it, and the manifest for what it needn't know. `name` is what
/// the text is called in messages.
///
/// # Errors
/// Everything that is wrong with the text, in order of position.
pub fn decode(name: &str, bytes: &[u8], pod: &PodSpec, manifest: &v1::Pod) -> Result<Play, Report> {
    let kind = manifest::Kind {
        noun: "script",
        empty: "it says what containers do, such as containers: {web: [{exits: {after: 3s, code: 1}}]}",
    };
    let text: ScriptText = manifest::decode_strictly(name, bytes, kind, |text| check::faults(text, pod, manifest))?;
    Ok(play(&text, pod))
}

fn play(text: &ScriptText, pod: &PodSpec) -> Play {
    let containers = pod.containers.iter().map(|spec| {
        let attempts = text.containers.get(&spec.name).map(Vec::as_slice).unwrap_or_default();
        let default = [AttemptText::default()];
        let attempts = if attempts.is_empty() { &default[..] } else { attempts };
        let image =
            pod.containers.iter().position(|other| other.image == spec.image).filter(|_| !spec.image.is_folder());
        let attempts = attempts.iter().map(|one| attempt(one, spec)).collect();
        ContainerScript { attempts, image: image.and_then(|number| u16::try_from(number).ok()) }
    });
    let mut requests: Vec<Request> = text.requests.iter().map(|text| request(text, pod)).collect();
    requests.sort_by_key(|request| request.at);
    Play {
        script: Script {
            latencies: latencies(&text.latencies),
            sandbox_failures: text.sandbox.fails,
            no_network_at: None,
            sandbox_hangs: text.sandbox.hangs,
            containers: containers.collect(),
        },
        requests,
        until: text.until.as_ref().map_or(super::DEFAULT_UNTIL, time),
    }
}

/// `check` has found all times to be good.
fn time(text: &TimeText) -> Duration {
    text.parse().unwrap_or_default()
}

fn time_or_none(text: &Option<TimeText>) -> Duration {
    text.as_ref().map_or(Duration::ZERO, time)
}

fn latencies(text: &LatenciesText) -> Latencies {
    Latencies {
        sandbox: time_or_none(&text.sandbox),
        remove_sandbox: time_or_none(&text.remove_sandbox),
        image: time_or_none(&text.image),
        pull: time_or_none(&text.pull),
        create: time_or_none(&text.create),
        start: time_or_none(&text.start),
        kill: time_or_none(&text.kill),
        remove: time_or_none(&text.remove),
    }
}

fn request(text: &RequestText, pod: &PodSpec) -> Request {
    let grace = text.grace_period_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let event = match &text.exceeds {
        Some(exceeds) => Event::StorageExceeded(exceeded(exceeds, pod)),
        None if text.sandbox_lost => Event::SandboxLost,
        None if text.force => Event::Kill,
        None => Event::Stop { grace },
    };
    Request { at: time_or_none(&text.at), event }
}

/// `check` has found that it names one thing.
fn exceeded(text: &ExceedsText, pod: &PodSpec) -> StorageExceeded {
    let limit = text.limit.clone().unwrap_or_default();
    let known = |name: &String| pod.containers.iter().position(|one| one.name == *name);
    let index = text.container.as_ref().and_then(known).and_then(|at| u16::try_from(at).ok());
    match (&text.empty_dir, index) {
        (Some(volume), _) => StorageExceeded::EmptyDir { volume: volume.clone(), limit },
        (None, Some(index)) => StorageExceeded::Container { container: ContainerIndex(index), limit },
        (None, None) => StorageExceeded::Pod { limit },
    }
}

fn attempt(text: &AttemptText, spec: &ContainerSpec) -> AttemptScript {
    let default = AttemptScript::default();
    let ends = match (&text.exits, spec.kind) {
        (Some(exits), _) => ends(exits),
        (None, Kind::Init) => Some((Duration::ZERO, Exit::Code(0))),
        (None, Kind::Sidecar | Kind::Main | Kind::Ephemeral) => None,
    };
    AttemptScript {
        image_stop_signal: text
            .image
            .as_ref()
            .and_then(|image| check::signal(image.stop_signal.as_deref()?))
            .map(i32::from),
        image_fails: text
            .image
            .as_ref()
            .map_or(default.image_fails, |image| (image.fails, image_failure(&image.reason))),
        create_fails: text
            .create
            .as_ref()
            .map_or(default.create_fails, |create| (create.fails, create_failure(&create.reason))),
        image_unusable: 0,
        image_hangs: text.image.as_ref().is_some_and(|image| image.hangs),
        image_absent: text.image.as_ref().is_some_and(|image| image.absent),
        pull_fails: (text.image.as_ref().map_or(0, |image| image.pull_fails), ImageFailure::Pull),
        pull_hangs: text.image.as_ref().is_some_and(|image| image.pull_hangs),
        create_hangs: text.create.as_ref().is_some_and(|create| create.hangs),
        dies_unstarted: None,
        start: match (text.start_fails, text.start_hangs) {
            (true, _) => StartScript::Fails,
            (false, true) => StartScript::Hangs,
            (false, false) => StartScript::Works,
        },
        ends,
        oom_killed: text.exits.as_ref().is_some_and(|exits| exits.oom_killed),
        on_stop: text.on_stop.as_ref().map_or(default.on_stop, on_stop),
        post_start: text.post_start.as_ref().map_or(default.post_start, hook),
        pre_stop: text.pre_stop.as_ref().map_or(default.pre_stop, hook),
        startup: probe(&text.startup_probe, &spec.startup_probe, default.startup),
        liveness: probe(&text.liveness_probe, &spec.liveness_probe, default.liveness),
        readiness: probe(&text.readiness_probe, &spec.readiness_probe, default.readiness),
    }
}

fn ends(text: &ExitsText) -> Option<(Duration, Exit)> {
    let exit = match text.oom_killed {
        true => Exit::Signal(9),
        false => exit(text.code, &text.signal).unwrap_or(Exit::Code(0)),
    };
    (!text.never).then(|| (time_or_none(&text.after), exit))
}

fn exit(code: Option<u8>, signal: &Option<String>) -> Option<Exit> {
    match (code, signal) {
        (Some(code), _) => Some(Exit::Code(code)),
        (None, Some(name)) => check::signal(name).map(Exit::Signal),
        (None, None) => None,
    }
}

fn on_stop(text: &OnStopText) -> StopScript {
    if text.ignores {
        return StopScript::Ignores;
    }
    StopScript::Ends(time_or_none(&text.after), exit(text.code, &text.signal).unwrap_or(Exit::Code(143)))
}

fn hook(text: &HookText) -> HookScript {
    HookScript { takes: (!text.hangs).then(|| time_or_none(&text.takes)), fails: text.fails, errs: false }
}

/// R6.5: one that overruns its timeout fails then.
fn probe(text: &Option<ProbeText>, spec: &Option<ProbeSpec>, default: ProbeScript) -> ProbeScript {
    let Some(text) = text else { return default };
    let takes = time_or_none(&text.takes);
    let timeout = spec.as_ref().map_or(Duration::MAX, |spec| spec.timeout);
    if takes > timeout {
        return ProbeScript { takes: timeout, good_from: Duration::MAX, good_until: None, errs: false };
    }
    ProbeScript {
        takes,
        good_from: if text.fails { Duration::MAX } else { time_or_none(&text.succeeds_after) },
        good_until: text.fails_after.as_ref().map(time),
        errs: text.errors,
    }
}

fn image_failure(reason: &str) -> ImageFailure {
    match reason {
        "ErrImageNeverPull" => ImageFailure::NeverPull,
        "InvalidImageName" => ImageFailure::InvalidName,
        _ => ImageFailure::Pull,
    }
}

fn create_failure(reason: &str) -> CreateFailure {
    match reason {
        "CreateContainerConfigError" => CreateFailure::Config,
        "RunContainerError" => CreateFailure::Run,
        _ => CreateFailure::Create,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use barepod_engine::spec::{Backoff, ImageSpec, PullPolicy};

    use super::*;

    /// R8.12: what a script says of an image that is pulled.
    #[test]
    fn images_that_are_pulled() {
        let pod: v1::Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}
        }))
        .unwrap();
        let backoff = Backoff { initial: Duration::ZERO, max: Duration::ZERO, reset_after: Duration::ZERO };
        let spec = crate::plan::lifecycle_of(&pod, backoff).unwrap();
        let nginx = ImageSpec::Store { name: "nginx:1.27".to_owned(), policy: PullPolicy::IfNotPresent };
        assert_eq!(spec.containers[0].image, nginx);
        let text = "latencies: {pull: 3s}\ncontainers: {web: [{image: {absent: true, pullFails: 2}}, {image: {pullHangs: true}}]}\n";
        let play = decode("script.yaml", text.as_bytes(), &spec, &pod).unwrap();
        assert_eq!(play.script.latencies.pull, Duration::from_secs(3));
        let [first, second] = &play.script.containers[0].attempts[..] else { panic!("two attempts") };
        assert_eq!((first.image_absent, first.pull_fails.0, first.pull_hangs), (true, 2, false));
        assert_eq!((second.image_absent, second.pull_fails.0, second.pull_hangs), (false, 0, true));
    }
}
