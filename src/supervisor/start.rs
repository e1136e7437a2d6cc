//! A supervisor that is readied, before anything of its pod is made.

use std::collections::{BTreeMap, VecDeque};

use barepod_engine::Engine;

use super::clock::Alarm;
use super::copies::Copies;
use super::execs::Execs;
use super::filters::Filters;
use super::handlers::Handlers;
use super::notice::Notice;
use super::open_files::clients_and_execs;
use super::persist::{NextWrite, Saved};
use super::slot::Slot;
use super::sources::{Interest, Signals, Sources, Token};
use super::storage::Storage;
use super::unwatched::Unwatched;
use super::{Audience, Pod, Supervisor, SupervisorError, now};
use crate::control;
use crate::log::Buffers;
use crate::plan::storage::StorageLimits;
use crate::runtime::image::LocalFileSystems;
use crate::store::PodStore;

impl<'a> Supervisor<'a> {
    /// Readies everything but the pod itself. From here on SIGTERM, SIGHUP, SIGQUIT and SIGINT mean deletion.
    ///
    /// # Errors
    /// Where the loop's descriptors, the mount namespace or the control socket can't be had.
    pub fn new(mut pod: Pod, store: PodStore, audience: &'a mut dyn Audience) -> Result<Self, SupervisorError> {
        // First: in a new mount namespace the kernel can't clone the mount this binary was started from any more, and
        // a copy of it costs 4 ms and its size in memory.
        crate::runtime::exec::protect_exe().map_err(SupervisorError::Exe)?;
        let host_mounts = crate::runtime::sandbox::isolate_mounts().map_err(SupervisorError::Mounts)?;
        let sources = Sources::new().map_err(|errno| SupervisorError::of("epoll_create1", errno.into()))?;
        let signals = Signals::catch(&sources).map_err(|error| SupervisorError::of("sigaction", error))?;
        // From here on a signal ends the pod in order. A pod whose folders can't be made hears why when it needs them.
        if let Err(error) = store.mark_folders() {
            audience.warn(&error.to_string());
        }
        let alarm = Alarm::new().map_err(|errno| SupervisorError::of("timerfd_create", errno.into()))?;
        sources
            .add(&alarm, Token::Alarm, Interest::Readable)
            .map_err(|errno| SupervisorError::of("epoll_ctl", errno.into()))?;
        let notice_alarm = Alarm::new().map_err(|errno| SupervisorError::of("timerfd_create", errno.into()))?;
        sources
            .add(&notice_alarm, Token::Notice, Interest::Readable)
            .map_err(|errno| SupervisorError::of("epoll_ctl", errno.into()))?;
        let (most_clients, most_execs) = clients_and_execs(&pod.plan.lifecycle);
        let control = control::Server::bind(store.dir(), most_clients).map_err(SupervisorError::Control)?;
        sources
            .add(control.fd(), Token::Control, Interest::Readable)
            .map_err(|errno| SupervisorError::of("epoll_ctl", errno.into()))?;
        if let Some(service) = &mut pod.service {
            service.begin(&sources)?;
        }
        let engine = Engine::new(pod.plan.lifecycle.clone());
        let limits = pod.manifest.spec.as_ref().map(StorageLimits::of).unwrap_or_default();
        let storage = Storage::new(limits, pod.storage_interval);
        let attach = pod.attach.take();
        let slots = pod.plan.lifecycle.containers.iter().map(|_| Slot::default()).collect();
        Ok(Self {
            pod,
            engine,
            store,
            audience,
            sources,
            unwatched: Unwatched::default(),
            signals,
            alarm,
            stepped: now().monotonic,
            notice_alarm,
            notice: Notice::None,
            control,
            deaf_until: None,
            clients_had_their_turn: false,
            host_mounts,
            sandbox: None,
            connecting: None,
            unready: None,
            removing_sandbox: None,
            slots,
            filters: Filters::default(),
            file_systems: LocalFileSystems::default(),
            leases: BTreeMap::new(),
            image_volumes: BTreeMap::new(),
            pulls_alarm: None,
            handlers: Handlers::new(),
            execs: Execs::new(most_execs),
            copies: Copies::new(attach),
            buffers: Buffers::default(),
            storage,
            facts: VecDeque::new(),
            asked: VecDeque::new(),
            removals: VecDeque::new(),
            unwritten: NextWrite::Nothing,
            grown: false,
            records: Vec::new(),
            listening: true,
            written: None,
            saved: Saved::default(),
            finished: None,
            interrupts: 0,
            broken: None,
            unconnected: None,
            given_up: None,
        })
    }
}
