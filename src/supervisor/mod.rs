//! The loop between the engine and the world: one process for each pod, with one thread.
//!
//! Start reading at [`Supervisor::run`], in `rounds`. `facts` turns descriptors that became ready into the engine's events, `carry` turns the
//! engine's actions into calls, `persist` writes the result to disk. Nothing here looks at the pod's state to choose what to do:
//! the engine decides.

mod apply;
mod attached;
mod audience;
mod carry;
mod clock;
mod copies;
pub mod cpus;
mod debug;
mod error;
mod execs;
mod facts;
mod filters;
mod handlers;
mod images;
mod kill;
mod listening;
mod network;
mod not_connected;
mod notice;
mod open_files;
mod output;
mod persist;
mod pulls;
mod recorded;
mod resize;
mod restart;
mod rounds;
mod sandbox;
pub mod saved;
mod service;
mod slot;
mod sources;
mod start;
mod storage;
mod telling;
mod termination_message;
mod unwatched;
mod visitors;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, EventRecord};
use barepod_engine::event::{ContainerEvent, Event};
use barepod_engine::spec::{Attempt, ContainerIndex};
use barepod_engine::status::PodStatus;
use barepod_engine::time::Instant;
use k8s_openapi::api::core::v1;

pub use audience::{Audience, PullsShown, SignalSent, Wait};
pub use clock::{now, timestamp};
pub use copies::FirstClient;
pub use error::SupervisorError;
pub use open_files::open_files;

use crate::control;
use crate::log::Buffers;
use crate::plan::{NodeFacts, PodPlan, PullFiles, Purpose};
use crate::runtime::image::{Lease, LocalFileSystems, Place};
use crate::runtime::network::Connecting;
use crate::runtime::sandbox::{Sandbox, SandboxDirs, SandboxError};
use crate::store::PodStore;
use clock::Alarm;
use copies::Copies;
use execs::Execs;
use filters::Filters;
use handlers::Handlers;
pub use not_connected::NotConnected;
use notice::Notice;
use persist::{NextWrite, Saved};
pub(crate) use recorded::recorded;
use sandbox::RemovingSandbox;
pub use service::Service;
use slot::Slot;
use sources::{Signals, Sources};
use storage::Storage;
use unwatched::Unwatched;

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
    /// The box's store of images.
    pub images: Place,
    /// What is asked in the place of this box's files when its images are pulled, and found in the store.
    pub pull_files: PullFiles,
    /// Why it can't be run on this box now; then it only gets a status.
    pub rejected: Option<String>,
    /// How often its use of the disk is measured, where that is limited.
    pub storage_interval: Duration,
    /// Whether its status, its events and its logs go with its end, unless something of it could not be removed.
    pub forget: bool,
    /// Who is attached to a container from its beginning on.
    pub attach: Option<FirstClient>,
    /// Whoever started this process as a service.
    pub service: Option<Service>,
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
    /// Keep images of the store that the pod uses from being removed.
    leases: BTreeMap<PathBuf, Lease>,
    /// Layers of the volumes that show an image of the store, as far as these were looked for.
    image_volumes: BTreeMap<String, Vec<PathBuf>>,
    /// Goes off while pulls go on whose progress is shown.
    pulls_alarm: Option<Alarm>,
    handlers: Handlers,
    /// What commands run in containers.
    execs: Execs,
    /// Commands that get what containers print.
    copies: Copies,
    /// Of one container after the other, for what it prints.
    buffers: Buffers,
    storage: Storage,
    /// Facts the engine has not been told yet.
    facts: VecDeque<Event>,
    /// Probes and hooks that are to be begun.
    asked: VecDeque<(ContainerIndex, Attempt, Purpose)>,
    /// Attempts that are to be removed.
    removals: VecDeque<(ContainerIndex, Attempt)>,
    /// Whether the engine was told something since what became of it was last written down.
    unwritten: NextWrite,
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
    fn tell(&mut self, event: Event) -> Result<(), SupervisorError> {
        self.facts.push_back(event);
        self.settle()
    }

    /// Tells the engine all facts and carries out what it asks for, until there is nothing new.
    fn settle(&mut self) -> Result<(), SupervisorError> {
        let mut actions: Vec<Action> = Vec::new();
        while let Some(event) = self.facts.pop_front() {
            self.unwritten = NextWrite::Events;
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
