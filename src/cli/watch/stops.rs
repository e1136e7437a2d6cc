//! What is said of containers that are to end, and when. The engine's record of it comes before a preStop hook begins (R5.5), or
//! behind the signal where there is no hook: what is said waits until both are known.

use barepod_engine::spec::{ContainerIndex, Kind, PodSpec, SidecarPreStop};

use crate::supervisor::SignalSent;

/// Of one container.
#[derive(Clone, Copy, Debug)]
struct Stop {
    said: Said,
    /// Whether its preStop hook, if it has one, begins as soon as it is to end (R5.5), and not at its turn.
    hook_at_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// That its hook runs.
    Hook,
    /// That it was sent its signal.
    Signal,
}

/// What is to be said of all of them.
#[derive(Debug)]
pub struct Stops {
    all: Vec<Stop>,
    /// Of whom there may be something to be said, in the order in which it happened.
    due: Vec<ContainerIndex>,
}

impl Stops {
    /// Of a pod nothing of which has been stopped.
    pub fn new(spec: &PodSpec) -> Self {
        let at_turn = spec.sidecar_pre_stop == SidecarPreStop::AtTurn;
        let all = spec.containers.iter().map(|one| Stop {
            said: Said::Nothing,
            hook_at_once: one.pre_stop.is_some() && (one.kind != Kind::Sidecar || !at_turn),
        });
        Self { all: all.collect(), due: Vec::new() }
    }

    /// The pod has one more container, without hooks.
    pub fn add_container(&mut self) {
        self.all.push(Stop { said: Said::Nothing, hook_at_once: false });
    }

    /// A container is to end, or was sent something for that.
    pub fn add(&mut self, container: ContainerIndex) {
        if !self.due.contains(&container) {
            self.due.push(container);
        }
    }

    /// It has ended: its next instance begins anew.
    pub fn forget(&mut self, container: ContainerIndex) {
        self.all[usize::from(container.0)].said = Said::Nothing;
        self.due.retain(|one| *one != container);
    }

    /// Those of whom there may be something to be said.
    pub fn take(&mut self) -> Vec<ContainerIndex> {
        std::mem::take(&mut self.due)
    }

    /// What is to be said of one, behind its name, by what it was sent until now.
    pub fn words(&mut self, container: ContainerIndex, sent: Option<SignalSent>) -> Option<&'static str> {
        let stop = &mut self.all[usize::from(container.0)];
        let (said, words) = match (sent, stop.said) {
            (Some(SignalSent::Stop), Said::Nothing | Said::Hook) => (Said::Signal, "is being stopped"),
            (Some(SignalSent::Kill), Said::Nothing | Said::Hook) => (Said::Signal, "is being killed"),
            (None, Said::Nothing) if stop.hook_at_once => (Said::Hook, "runs its preStop hook before it is stopped"),
            (Some(_) | None, Said::Nothing | Said::Hook | Said::Signal) => return None,
        };
        stop.said = said;
        Some(words)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use k8s_openapi::api::core::v1;
    use serde_json::json;

    use super::*;

    /// A sidecar and a main with hooks, and a main without.
    fn spec(annotations: &serde_json::Value) -> PodSpec {
        let hook = json!({"preStop": {"sleep": {"seconds": 1}}});
        let pod: v1::Pod = serde_json::from_value(json!({"metadata": {"name": "p", "annotations": annotations}, "spec": {
            "initContainers": [{"name": "side", "image": "rootfs:/", "restartPolicy": "Always", "lifecycle": hook}],
            "containers": [{"name": "main", "image": "rootfs:/", "lifecycle": hook}, {"name": "bare", "image": "rootfs:/"}]
        }}))
        .unwrap();
        let time = std::time::Duration::from_secs(1);
        let backoff = barepod_engine::spec::Backoff { initial: time, max: time, reset_after: time };
        crate::plan::lifecycle_of(&pod, backoff).unwrap()
    }

    #[test]
    fn a_hook_is_told_of_before_the_signal_and_each_once() {
        let mut stops = Stops::new(&spec(&json!({})));
        let [side, main, bare] = [0, 1, 2].map(ContainerIndex);
        for one in [bare, main, side, main] {
            stops.add(one);
        }
        assert_eq!(stops.take(), [bare, main, side]);
        assert!(stops.take().is_empty());
        let hook = Some("runs its preStop hook before it is stopped");
        assert_eq!((stops.words(main, None), stops.words(main, None)), (hook, None));
        assert_eq!(stops.words(main, Some(SignalSent::Stop)), Some("is being stopped"));
        // That the grace ran out has a line of its own.
        assert_eq!(stops.words(main, Some(SignalSent::Kill)), None);
        // No hook: a record behind its signal, or one who waits for its turn.
        assert_eq!(
            (stops.words(bare, None), stops.words(bare, Some(SignalSent::Kill))),
            (None, Some("is being killed"))
        );
        // Without a grace there is no time for a hook.
        assert_eq!(stops.words(side, Some(SignalSent::Stop)), Some("is being stopped"));
        stops.forget(side);
        assert_eq!(stops.words(side, None), hook);
    }

    #[test]
    fn a_hook_that_waits_for_its_turn_has_not_begun() {
        let mut stops = Stops::new(&spec(&json!({"barepod.dev/sidecar-prestop": "at-turn"})));
        assert_eq!(stops.words(ContainerIndex(0), None), None);
        assert!(stops.words(ContainerIndex(1), None).is_some());
    }
}
