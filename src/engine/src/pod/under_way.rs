//! What the engine waits for: what must be seen to before a pod whose supervisor has died goes on (R12.2).

use alloc::vec;
use alloc::vec::Vec;

use super::{Engine, PodLife};
use crate::action::{Action, ContainerAction};
use crate::container::stop::Stop;
use crate::container::{Ahead, Life, probes};
use crate::event::Hook;
use crate::spec::ContainerIndex;

impl Engine {
    /// The actions whose answers the engine waits for, in the order in which they can be done again. Whoever has loaded an engine
    /// answers each exactly once: by what is found to have become of it, by doing it again, or as failed once what is
    /// there of it has been removed. Any other answer that was lost would have changed nothing.
    ///
    /// No stop signal is among them: it was sent before the state was saved that says so. SIGKILL is, as it does no harm twice.
    pub fn under_way(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        match self.life {
            PodLife::MakingSandbox => actions.push(Action::CreateSandbox),
            PodLife::RemovingSandbox => actions.push(Action::RemoveSandbox),
            PodLife::New | PodLife::NoSandbox { .. } | PodLife::Up | PodLife::Lost | PodLife::Finished => {}
        }
        for container in self.indices() {
            let attempt = self.container(container).attempt;
            let of_container = self.under_way_of(container).into_iter();
            actions.extend(of_container.map(|action| Action::Container { container, attempt, action }));
        }
        actions
    }

    fn under_way_of(&self, index: ContainerIndex) -> Vec<ContainerAction> {
        let container = self.container(index);
        let look = ContainerAction::PrepareImage(container.image_of);
        let pull = ContainerAction::PullImage(container.image_of);
        let mut actions = match container.ahead {
            Ahead::Looking => vec![look],
            Ahead::Pulling { .. } => vec![pull],
            Ahead::Abandoned => vec![look, ContainerAction::Kill],
            Ahead::No | Ahead::There | Ahead::Failed => Vec::new(),
        };
        let kill = |killed: bool| killed.then_some(ContainerAction::Kill);
        match &container.life {
            Life::Preparing => actions.push(look),
            Life::Pulling { .. } => actions.push(pull),
            Life::Abandoned => actions.extend([look, ContainerAction::Kill]),
            Life::Creating { killed, .. } => {
                actions.push(ContainerAction::Create);
                actions.extend(kill(*killed));
            }
            Life::Starting { killed, .. } => {
                actions.push(ContainerAction::Start);
                actions.extend(kill(*killed));
            }
            Life::Discarded => actions.push(ContainerAction::Kill),
            Life::Running(running) => {
                let hooks = [
                    (Hook::PostStart, running.post_start.is_asked()),
                    (Hook::PreStop, running.stop.as_ref().is_some_and(Stop::asks_for_hook)),
                ];
                actions.extend(hooks.into_iter().filter(|&(_, is)| is).map(|(hook, _)| ContainerAction::RunHook(hook)));
                let probes = probes::ALL.into_iter().filter(|&probe| running.probes.runs(probe));
                actions.extend(probes.map(ContainerAction::Probe));
                actions.extend(kill(running.stop.as_ref().is_some_and(Stop::is_killed)));
            }
            Life::Removing(_) => actions.push(ContainerAction::Remove),
            Life::Waiting | Life::Retry { .. } | Life::BackOff { .. } | Life::Created | Life::Over => {}
        }
        actions
    }
}
