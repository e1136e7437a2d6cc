//! What a script's types allow and its meaning doesn't.

use barepod_engine::spec::{ContainerSpec, HookSpec, PodSpec, ProbeSpec};
use k8s_openapi::api::core::v1;

use super::text::{
    AttemptText, CreateText, ExceedsText, ExitsText, HookText, ImageText, OnStopText, ProbeText, RequestText,
    ScriptText, TimeText,
};
use crate::manifest::{Fault, FieldPath, nearest};

const IMAGE_REASONS: [&str; 3] = ["ErrImagePull", "ErrImageNeverPull", "InvalidImageName"];
const CREATE_REASONS: [&str; 3] = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

/// The number of a signal by its name; only those that can end a process by themselves.
pub fn signal(name: &str) -> Option<u8> {
    let signal: nix::sys::signal::Signal = name.parse().ok()?;
    u8::try_from(signal as i32).ok()
}

/// All that is wrong.
pub fn faults(text: &ScriptText, pod: &PodSpec, manifest: &v1::Pod) -> Vec<Fault> {
    let mut faults = Faults(Vec::new());
    let root = FieldPath::root();
    let latencies = &text.latencies;
    for (name, time) in [
        ("sandbox", &latencies.sandbox),
        ("removeSandbox", &latencies.remove_sandbox),
        ("image", &latencies.image),
        ("pull", &latencies.pull),
        ("create", &latencies.create),
        ("start", &latencies.start),
        ("kill", &latencies.kill),
        ("remove", &latencies.remove),
    ] {
        faults.time(&root.child("latencies").child(name), time);
    }
    faults.time(&root.child("until"), &text.until);
    for (at, request) in text.requests.iter().enumerate() {
        faults.request(&root.child("requests").index(at), request, pod, manifest);
    }
    let names = container_names(pod);
    for (name, attempts) in &text.containers {
        let field = root.child("containers").key(name);
        let Some(spec) = pod.containers.iter().find(|one| one.name == *name) else {
            faults.unknown(&field, name, &names);
            continue;
        };
        if attempts.is_empty() {
            faults.add(&field, "Required value: at least one attempt", "the last one is repeated for ever");
        }
        for (at, attempt) in attempts.iter().enumerate() {
            faults.attempt(&field.index(at), attempt, spec);
        }
    }
    faults.0
}

fn container_names(pod: &PodSpec) -> Vec<&str> {
    pod.containers.iter().map(|one| one.name.as_str()).collect()
}

fn empty_dirs(manifest: &v1::Pod) -> Vec<&str> {
    let volumes = manifest.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().filter(|volume| volume.empty_dir.is_some()).map(|volume| volume.name.as_str()).collect()
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: &FieldPath, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Fault { field: field.clone(), message: message.into(), help: help.into() });
    }

    fn time(&mut self, field: &FieldPath, time: &Option<TimeText>) {
        if let Some(Err((message, help))) = time.as_ref().map(TimeText::parse) {
            self.add(field, message, help);
        }
    }

    /// `one` and what `others` are may not both be written.
    fn excludes(&mut self, field: &FieldPath, one: (&str, bool), others: &[(&str, bool)]) {
        if one.1 {
            for (name, _) in others.iter().filter(|(_, written)| *written) {
                let message = format!("Forbidden: may not be set with `{}`", one.0);
                self.add(&field.child(name), message, "leave one of the two out");
            }
        }
    }

    /// `name` is none of the `known`.
    fn unknown(&mut self, field: &FieldPath, name: &str, known: &[&str]) {
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None if known.is_empty() => "the pod has none".to_owned(),
            None => format!("the pod has {}", known.join(", ")),
        };
        self.add(field, format!("Not found: {name:?}"), help);
    }

    fn request(&mut self, field: &FieldPath, request: &RequestText, pod: &PodSpec, manifest: &v1::Pod) {
        self.time(&field.child("at"), &request.at);
        if request.at.is_none() {
            self.add(field, "Required value: at", "say when, such as at: 30s");
        }
        let grace = ("gracePeriodSeconds", request.grace_period_seconds.is_some());
        if request.force && grace.1 {
            let help = "force: true sends SIGKILL at once; leave one of the two out";
            self.add(&field.child(grace.0), "Forbidden: may not be set with `force`", help);
        }
        let force = ("force", request.force);
        let exceeds = ("exceeds", request.exceeds.is_some());
        self.excludes(field, exceeds, &[force, grace]);
        self.excludes(field, ("sandboxLost", request.sandbox_lost), &[force, grace, exceeds]);
        if let Some(text) = &request.exceeds {
            self.exceeds(&field.child("exceeds"), text, pod, manifest);
        }
        // What is lost is its pid 1, and no other pod has one.
        let shares = manifest.spec.as_ref().and_then(|spec| spec.share_process_namespace).unwrap_or_default();
        if request.sandbox_lost && !shares {
            let help = "add shareProcessNamespace: true to the manifest: without it a sandbox has no process to lose";
            self.add(&field.child("sandboxLost"), "Forbidden: the pod has no process of its own", help);
        }
    }

    fn exceeds(&mut self, field: &FieldPath, exceeds: &ExceedsText, pod: &PodSpec, manifest: &v1::Pod) {
        let what = [exceeds.empty_dir.is_some(), exceeds.container.is_some(), exceeds.pod];
        if what.into_iter().filter(|one| *one).count() != 1 {
            let help = "one of emptyDir: NAME, container: NAME and pod: true";
            self.add(field, "Required value: whose limit is exceeded", help);
        }
        if exceeds.limit.is_none() {
            self.add(field, "Required value: limit", "as the manifest writes it, such as limit: 1Gi");
        }
        for (key, name, known) in [
            ("container", &exceeds.container, container_names(pod)),
            ("emptyDir", &exceeds.empty_dir, empty_dirs(manifest)),
        ] {
            if let Some(name) = name.as_deref().filter(|name| !known.contains(name)) {
                self.unknown(&field.child(key), name, &known);
            }
        }
    }

    fn attempt(&mut self, field: &FieldPath, attempt: &AttemptText, spec: &ContainerSpec) {
        if let Some(image) = &attempt.image {
            self.image(&field.child("image"), image, spec);
        }
        if let Some(create) = &attempt.create {
            self.create(&field.child("create"), create);
        }
        self.excludes(field, ("startFails", attempt.start_fails), &[("startHangs", attempt.start_hangs)]);
        if let Some(exits) = &attempt.exits {
            self.exits(&field.child("exits"), exits);
            let written = ("exits", true);
            self.excludes(field, ("startFails", attempt.start_fails), &[written]);
            self.excludes(field, ("startHangs", attempt.start_hangs), &[written]);
        }
        if let Some(on_stop) = &attempt.on_stop {
            self.on_stop(&field.child("onStop"), on_stop);
        }
        for (name, text, hook) in
            [("postStart", &attempt.post_start, spec.post_start), ("preStop", &attempt.pre_stop, spec.pre_stop)]
        {
            if let Some(text) = text {
                self.hook(&field.child(name), name, text, hook, spec);
            }
        }
        for (name, text, probe) in [
            ("startupProbe", &attempt.startup_probe, &spec.startup_probe),
            ("livenessProbe", &attempt.liveness_probe, &spec.liveness_probe),
            ("readinessProbe", &attempt.readiness_probe, &spec.readiness_probe),
        ] {
            if let Some(text) = text {
                self.probe(&field.child(name), name, text, probe, spec);
            }
        }
    }

    fn reason(&mut self, field: &FieldPath, reason: &str, known: [&str; 3]) {
        if !reason.is_empty() && !known.contains(&reason) {
            let list = known.map(|one| format!("{one:?}")).join(", ");
            let help = nearest(reason, &known).map(|near| format!("did you mean {near}?")).unwrap_or_default();
            self.add(field, format!("Unsupported value: {reason:?}: supported values: {list}"), help);
        }
    }

    fn image(&mut self, field: &FieldPath, text: &ImageText, spec: &ContainerSpec) {
        self.reason(&field.child("reason"), &text.reason, IMAGE_REASONS);
        self.signal(&field.child("stopSignal"), &text.stop_signal);
        self.pointless(field, text.fails, &text.reason);
        let pulls = [("absent", text.absent), ("pullFails", text.pull_fails > 0), ("pullHangs", text.pull_hangs)];
        for (key, _) in pulls.iter().filter(|(_, written)| *written && spec.image.is_folder()) {
            let message = format!("Forbidden: the image of {:?} is a folder on this box", spec.name);
            self.add(&field.child(key), message, "leave it out: a folder is never pulled");
        }
        self.excludes(field, pulls[2], &[pulls[1]]);
    }

    fn create(&mut self, field: &FieldPath, text: &CreateText) {
        self.reason(&field.child("reason"), &text.reason, CREATE_REASONS);
        self.pointless(field, text.fails, &text.reason);
    }

    fn pointless(&mut self, field: &FieldPath, fails: u32, reason: &str) {
        if fails == 0 && !reason.is_empty() {
            self.add(field, "Required value: fails", "say how often it fails, such as fails: 2");
        }
    }

    fn exits(&mut self, field: &FieldPath, text: &ExitsText) {
        self.time(&field.child("after"), &text.after);
        self.signal(&field.child("signal"), &text.signal);
        let code = ("code", text.code.is_some());
        let signal = ("signal", text.signal.is_some());
        let oom_killed = ("oomKilled", text.oom_killed);
        self.excludes(field, code, &[signal]);
        self.excludes(field, oom_killed, &[code, signal]);
        self.excludes(field, ("never", text.never), &[("after", text.after.is_some()), code, signal, oom_killed]);
    }

    fn on_stop(&mut self, field: &FieldPath, text: &OnStopText) {
        self.time(&field.child("after"), &text.after);
        self.signal(&field.child("signal"), &text.signal);
        let code = ("code", text.code.is_some());
        let signal = ("signal", text.signal.is_some());
        self.excludes(field, code, &[signal]);
        self.excludes(field, ("ignores", text.ignores), &[("after", text.after.is_some()), code, signal]);
    }

    fn signal(&mut self, field: &FieldPath, name: &Option<String>) {
        if let Some(name) = name
            && signal(name).is_none()
        {
            self.add(field, format!("Invalid value: {name:?}: no such signal"), "write it like SIGSEGV");
        }
    }

    fn hook(&mut self, field: &FieldPath, name: &str, text: &HookText, hook: Option<HookSpec>, spec: &ContainerSpec) {
        self.time(&field.child("takes"), &text.takes);
        let (takes, fails) = (("takes", text.takes.is_some()), ("fails", text.fails));
        self.excludes(field, ("hangs", text.hangs), &[takes, fails]);
        match hook {
            Some(HookSpec::Handler) => {}
            Some(HookSpec::Sleep(_)) => {
                let message = format!("Forbidden: the {name} hook of {:?} is a sleep", spec.name);
                self.add(field, message, "the manifest says how long it takes");
            }
            None => {
                let message = format!("Not found: {:?} has no lifecycle.{name}", spec.name);
                self.add(field, message, "leave it out, or add the hook to the manifest");
            }
        }
    }

    fn probe(
        &mut self,
        field: &FieldPath,
        name: &str,
        text: &ProbeText,
        probe: &Option<ProbeSpec>,
        spec: &ContainerSpec,
    ) {
        self.time(&field.child("takes"), &text.takes);
        self.time(&field.child("succeedsAfter"), &text.succeeds_after);
        self.time(&field.child("failsAfter"), &text.fails_after);
        let after = [("succeedsAfter", text.succeeds_after.is_some()), ("failsAfter", text.fails_after.is_some())];
        self.excludes(field, ("fails", text.fails), &after);
        if probe.is_none() {
            let message = format!("Not found: {:?} has no {name}", spec.name);
            self.add(field, message, "leave it out, or add the probe to the manifest");
        }
    }
}
