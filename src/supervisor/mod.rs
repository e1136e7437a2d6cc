//! The loop between the engine and the world: one process for each pod, with one thread.
//!
//! Start reading at [`Supervisor::run`]. `facts` turns descriptors that became ready into the engine's events, `carry` turns the
//! engine's actions into calls, `persist` writes the result to disk. Nothing here looks at the pod's state to choose what to do:
//! the engine decides.

mod audience;
mod carry;
mod clock;
pub mod cpus;
mod error;
mod execs;
mod facts;
mod filters;
mod handlers;
mod images;
mod listening;
mod network;
mod not_connected;
mod notice;
mod open_files;
mod output;
mod persist;
mod recorded;
mod resize;
mod sandbox;
pub mod saved;
mod slot;
mod sources;
mod start;
mod storage;
mod termination_message;
mod unwatched;

use std::collections::VecDeque;
use std::fs::File;
use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, EventRecord};
use barepod_engine::event::{ContainerEvent, Event};
use barepod_engine::spec::{Attempt, ContainerIndex};
use barepod_engine::status::PodStatus;
use barepod_engine::time::Instant;
use k8s_openapi::api::core::v1;

pub use audience::{Audience, Sent, Wait};
pub use clock::{now, timestamp};
pub use error::SupervisorError;
pub use open_files::open_files;

use crate::control;
use crate::plan::{NodeFacts, PodPlan, Purpose};
use crate::runtime::container::reap_ended;
use crate::runtime::image::LocalFileSystems;
use crate::runtime::memory::release_code;
use crate::runtime::network::Connecting;
use crate::runtime::sandbox::{Sandbox, SandboxDirs, SandboxError};
use crate::store::PodStore;
use clock::Alarm;
use execs::Execs;
use filters::Filters;
use handlers::Handlers;
pub use not_connected::NotConnected;
use notice::Notice;
use persist::{Saved, Unwritten};
pub(crate) use recorded::recorded;
use sandbox::RemovingSandbox;
use slot::Slot;
use sources::{Patience, Signals, Sources, Token};
use storage::Storage;
use unwatched::Unwatched;

/// How long results of probes and containers' output are looked at before it is seen whether something urgent has come.
const SLICE: Duration = Duration::from_millis(1);

/// A pod that is ready to be run.
pub struct Pod {
    /// The checked manifest, with defaults and uid.
    pub manifest: v1::Pod,
    /// What to make of it.
    pub plan: PodPlan,
    /// The box.
    pub node: NodeFacts,
    /// Where its files go.
    pub dirs: SandboxDirs,
    /// Why it can't be run on this box now; then it only gets a status.
    pub rejected: Option<String>,
    /// How often its use of the disk is measured, where that is limited.
    pub storage_interval: Duration,
    /// What stays of it when it has ended.
    pub afterwards: Afterwards,
}

/// What stays of a pod that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Its status, its events and its logs.
    Readable,
    /// Nothing, unless something of it could not be removed.
    Forgotten,
}

/// Runs one pod.
pub struct Supervisor<'a> {
    pod: Pod,
    engine: Engine,
    store: PodStore,
    audience: &'a mut dyn Audience,
    sources: Sources,
    /// What can't be waited for.
    unwatched: Unwatched,
    signals: Signals,
    alarm: Alarm,
    /// The time that the engine was told last.
    stepped: Instant,
    /// For who watches the pod's end.
    notice_alarm: Alarm,
    notice: Notice,
    control: control::Server,
    /// Clients are not let in before that; `None`: they are.
    deaf_until: Option<Instant>,
    /// Whether clients are not looked at before all else has had its turn, whatever they send.
    clients_had_their_turn: bool,
    /// The mount namespace that this process was started in.
    host_mounts: File,
    sandbox: Option<Sandbox>,
    /// What is to connect the network of one that isn't made yet.
    connecting: Option<Connecting>,
    /// One that isn't complete yet.
    unready: Option<Sandbox>,
    /// One that is being removed.
    removing_sandbox: Option<RemovingSandbox>,
    slots: Vec<Slot>,
    filters: Filters,
    /// Where an image is found without anybody being waited for.
    file_systems: LocalFileSystems,
    handlers: Handlers,
    /// What commands run in containers.
    execs: Execs,
    storage: Storage,
    /// Facts the engine has not been told yet.
    facts: VecDeque<Event>,
    /// Probes and hooks that are to be begun.
    asked: VecDeque<(ContainerIndex, Attempt, Purpose)>,
    /// Attempts that are to be removed.
    removals: VecDeque<(ContainerIndex, Attempt)>,
    /// Whether the engine was told something since what became of it was last written down.
    unwritten: Unwritten,
    /// Whether code was run that isn't until the next start.
    grown: bool,
    /// Kubernetes Events that are not on disk yet.
    records: Vec<EventRecord>,
    /// Whether output is left in its pipes until the audience has room.
    listening: bool,
    /// The status that is on disk, and the state.
    written: Option<PodStatus>,
    saved: Saved,
    finished: Option<u8>,
    /// SIGINTs so far.
    interrupts: u32,
    /// The sandbox left this process where it can't go on.
    broken: Option<SandboxError>,
    /// Why the last sandbox hadn't the network that the pod must have, and that this ends the pod.
    unconnected: Option<NotConnected>,
    given_up: Option<NotConnected>,
}

impl Supervisor<'_> {
    /// Runs the pod to its end and gives the exit code of `barepod run`.
    ///
    /// # Errors
    /// Where the loop itself fails; containers may then still run; the next `stop`, `rm` or `run` of the pod ends them.
    pub fn run(mut self) -> Result<u8, SupervisorError> {
        match self.go_round() {
            Ok(exit_code) => Ok(self.end(exit_code)),
            Err(error) => {
                if matches!(error, SupervisorError::Network(_)) {
                    self.forget();
                }
                Err(error)
            }
        }
    }

    /// Goes on until the pod has ended; its exit code.
    fn go_round(&mut self) -> Result<u8, SupervisorError> {
        let first = match self.pod.rejected.take() {
            Some(message) => Event::Rejected { message },
            None => Event::Begin,
        };
        self.tell(first)?;
        loop {
            if let Some(exit_code) = self.finished {
                return Ok(exit_code);
            }
            // First: what the kernel still has no room for adds itself anew.
            self.look_at_unwatched()?;
            self.listen_as_there_is_room();
            self.listen_again();
            let patience = self.patience();
            let mut tokens =
                self.sources.wait(patience).map_err(|errno| SupervisorError::of("epoll_wait", errno.into()))?;
            if self.clients_had_their_turn {
                tokens.retain(|token| *token != Token::Control);
            }
            let urgent = tokens.partition_point(|token| token.is_urgent());
            for token in &tokens[..urgent] {
                self.look_at(*token);
                self.settle()?;
            }
            // What takes its time is done piece by piece, and only where nothing has happened meanwhile.
            if urgent > 0 || self.do_chore()? {
                continue;
            }
            let began = now().monotonic;
            for token in tokens {
                self.look_at(token);
                self.settle()?;
                if now().monotonic.since(began) > SLICE {
                    break;
                }
            }
            if self.removing_sandbox.is_some() {
                self.advance_sandbox_removal();
                self.settle()?;
            }
            self.clients_had_their_turn = false;
        }
    }

    fn end(mut self, exit_code: u8) -> u8 {
        self.persist();
        self.listen_as_there_is_room();
        let status = self.engine.status();
        self.control.close();
        // Late: once the ledger says that nothing is left, nobody looks after this pod again.
        let exit_code = self.settle_ledger(exit_code);
        self.give_back_cpus();
        // Unlocked before anybody is told: whoever waited may remove the pod or run it again at once.
        match self.pod.afterwards {
            Afterwards::Forgotten if self.store.is_ended() => {
                if let Err(error) = self.store.remove() {
                    self.audience.warn(&format!("the pod can't be forgotten: {error}"));
                }
            }
            Afterwards::Forgotten | Afterwards::Readable => drop(self.store),
        }
        self.control.finish(exit_code, status.phase);
        // Very last, as it may wait for a reader: by now that holds up nobody but this process.
        self.audience.ended(&status);
        exit_code
    }

    fn patience(&self) -> Patience {
        let deaf = self.deaf_until.map(|until| Patience::Until(until.since(now().monotonic)));
        let deaf = deaf.unwrap_or(Patience::Endless).shorter(self.unwatched.patience());
        match &self.removing_sandbox {
            _ if self.has_chores() => Patience::None,
            Some(removing) => removing.patience().shorter(Some(deaf)),
            None => deaf,
        }
    }

    fn has_chores(&self) -> bool {
        self.unwritten != Unwritten::Nothing
            || self.control.has_deferred()
            || self.clients_had_their_turn
            || self.grown
            || !self.asked.is_empty()
            || self.execs.has_waiting()
            || !self.removals.is_empty()
    }

    /// Does one of the things that nobody else waits for and that take a millisecond or so each; `false`: there is none.
    /// Probes and hooks first, as they have their time; writing last, as more may be to be written.
    fn do_chore(&mut self) -> Result<bool, SupervisorError> {
        if let Some((container, attempt, purpose)) = self.asked.pop_front() {
            self.begin_handler(container, attempt, purpose);
        } else if self.execs.has_waiting() {
            self.begin_next_exec();
        } else if let Some((container, attempt)) = self.removals.pop_front() {
            self.remove(container, attempt);
        } else if self.unwritten != Unwritten::Nothing {
            self.write_next();
            // Helpers that have answered have ended by now, and nothing else may happen for days.
            reap_ended();
        } else if self.control.has_deferred() {
            self.control.send_deferred();
        } else if self.grown {
            self.grown = false;
            release_code();
        } else {
            return Ok(false);
        }
        self.settle().map(|()| true)
    }

    fn tell(&mut self, event: Event) -> Result<(), SupervisorError> {
        self.facts.push_back(event);
        self.settle()
    }

    /// Tells the engine all facts and carries out what it asks for, until there is nothing new.
    fn settle(&mut self) -> Result<(), SupervisorError> {
        let mut actions: Vec<Action> = Vec::new();
        while let Some(event) = self.facts.pop_front() {
            self.unwritten = Unwritten::Events;
            self.announce(&event);
            let curious = self.audience.wants_steps();
            if curious {
                self.audience.step(&format!("told {event:?}"));
            }
            let now = now();
            self.stepped = now.monotonic;
            self.engine.step(now, event, &mut actions);
            for action in actions.drain(..) {
                if curious {
                    self.audience.step(&format!("asks {action:?}"));
                }
                self.carry(action);
            }
            self.can_go_on()?;
        }
        self.can_go_on()?;
        self.plan_notice()?;
        let wake_up = clock::wake_up(self.engine.next_deadline(), self.stepped);
        self.alarm.set(wake_up).map_err(|errno| SupervisorError::of("timerfd_settime", errno.into()))
    }

    /// Also where nothing was told: what a descriptor has told may be the reason.
    fn can_go_on(&mut self) -> Result<(), SupervisorError> {
        match (self.broken.take(), self.given_up.take()) {
            (Some(error), _) => Err(SupervisorError::Sandbox(error)),
            (None, Some(error)) => Err(SupervisorError::Network(error)),
            (None, None) => Ok(()),
        }
    }

    /// Tells of an exit when its turn among the facts has come: behind the start that the engine records first.
    fn announce(&mut self, event: &Event) {
        if matches!(event, Event::Stop { .. } | Event::Interrupt | Event::Kill) {
            self.audience.asked_to_stop();
        }
        if let Event::Container { container, event: ContainerEvent::Exited { exit, oom_killed, .. }, .. } = event {
            let ran = self.slots[usize::from(container.0)].present().and_then(|present| present.ran);
            self.audience.exited(*container, *exit, *oom_killed, ran);
        }
    }

    fn answer(&mut self, container: ContainerIndex, attempt: Attempt, event: ContainerEvent) {
        self.facts.push_back(Event::Container { container, attempt, event });
    }

    fn slot(&mut self, container: ContainerIndex) -> &mut Slot {
        &mut self.slots[usize::from(container.0)]
    }

    fn name(&self, container: ContainerIndex) -> &str {
        &self.pod.plan.lifecycle.containers[usize::from(container.0)].name
    }
}
