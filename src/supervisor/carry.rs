//! Actions to the world: each is carried out at once, or begun and answered when its descriptor says so.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::{ContainerEvent, CreateFailure};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::audience::SignalSent;
use super::output::Listener;
use super::slot::{self, Creating, Image, MadeWith, Present, RemovalOf, Removing, Shown, Stage, Start};
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::plan::{self, ContainerPlan, MountNamespaces, Scope};
use crate::runtime::container::{AttemptDirs, ContainerError, Creation, Removal, reap_ended};
use crate::runtime::image::Found;
use crate::runtime::{node, volume};

const GONE: &str = "the sandbox is gone";

impl Supervisor<'_> {
    pub(super) fn carry(&mut self, action: Action) {
        match action {
            Action::CreateSandbox => self.create_sandbox(),
            Action::RemoveSandbox => self.remove_sandbox(),
            Action::WriteLimits(of) => self.write_limits(of),
            Action::Record(record) => {
                self.audience.record(&record);
                self.records.push(record);
            }
            Action::GiveUp => self.given_up = self.unconnected.take(),
            Action::Finish { exit_code } => self.finished = Some(exit_code),
            Action::Container { container, attempt, action } => self.carry_container(container, attempt, action),
        }
    }

    fn carry_container(&mut self, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        match action {
            ContainerAction::PrepareImage(of) => self.look_for_image(container, attempt, of),
            ContainerAction::PullImage(of) => self.pull_image(container, attempt, of),
            ContainerAction::Create => self.create(container, attempt),
            ContainerAction::Start => self.start(container, attempt),
            ContainerAction::Signal(signal) => {
                if let Some(present) = self.slot(container).present()
                    && let Err(error) = present.container.signal(signal)
                {
                    self.audience.warn(&error.to_string());
                }
                self.audience.signalled(container, SignalSent::Stop);
                self.answer(container, attempt, ContainerEvent::Signaled);
            }
            ContainerAction::Kill => {
                self.audience.signalled(container, SignalSent::Kill);
                self.kill(container, attempt);
            }
            ContainerAction::Remove => self.removals.push_back((container, attempt)),
            ContainerAction::RunHook(hook) => self.asked.push_back((container, attempt, hook.into())),
            ContainerAction::Probe(probe) => self.asked.push_back((container, attempt, probe.into())),
        }
    }

    fn create(&mut self, container: ContainerIndex, attempt: Attempt) {
        let dirs = self.attempt_dirs(container, attempt);
        // Before the plan, which is made while the helper starts. Where there can be none, the helper ends.
        let label = plan::label(&self.pod.plan, container, attempt);
        let begun = match &self.sandbox {
            Some(sandbox) => Creation::begin(&label, &dirs, sandbox.hierarchies()).map_err(|error| error.to_string()),
            None => Err(GONE.to_owned()),
        };
        let mut creation = match begun {
            Ok(creation) => creation,
            Err(message) => {
                let event = ContainerEvent::CreateFailed { failure: CreateFailure::Create, message };
                return self.answer(container, attempt, event);
            }
        };
        match self.order_creation(container, attempt, &dirs, &mut creation) {
            Ok((made, target)) => {
                let slot = self.slot(container);
                slot.attempt = attempt;
                slot.stage = Stage::Creating(Box::new(Creating { creation, made, target }));
            }
            Err(why) => self.abandon(container, attempt, creation.abort(), why),
        }
    }

    fn order_creation(
        &mut self,
        container: ContainerIndex,
        attempt: Attempt,
        dirs: &AttemptDirs,
        creation: &mut Creation,
    ) -> Result<(MadeWith, Option<OwnedFd>), (CreateFailure, String)> {
        let fail = |cause: String| (CreateFailure::Create, cause);
        let target = self.target_of(container)?;
        let mut plan = self.plan_container(container, attempt, dirs, target.as_ref())?;
        let filter = self.filters.take(&mut plan.spec).map_err(|error| fail(error.to_string()))?;
        creation
            .order(&plan, filter.as_ref().map(|compiled| &compiled.filter))
            .map_err(|error| fail(error.to_string()))?;
        self.sources
            .add(creation.fd(), Token::Creation(container), Interest::Readable)
            .and_then(|()| self.sources.add(creation.helper_pidfd(), Token::Creation(container), Interest::Readable))
            .map_err(|errno| fail(format!("epoll_ctl: {errno}")))?;
        let resources = self.pod.plan.container(&self.pod.manifest, container).manifest.resources.clone();
        let process = plan.spec.process().clone();
        let user = process.as_ref().map(|process| slot::user(process.user()));
        self.slot(container).shown = Shown { resources, user };
        Ok((MadeWith { process, filter, termination_log: plan.termination_log }, target))
    }

    /// What there is of an attempt that won't be made goes first: the next one comes after that is told.
    pub(super) fn abandon(
        &mut self,
        container: ContainerIndex,
        attempt: Attempt,
        removal: Removal,
        (failure, why): (CreateFailure, String),
    ) {
        let slot = self.slot(container);
        slot.attempt = attempt;
        slot.stage = Stage::Removing(Box::new(Removing { removal, of: RemovalOf::Unmade(failure, why) }));
        self.removals.push_back((container, attempt));
    }

    pub(super) fn attempt_dirs(&self, container: ContainerIndex, attempt: Attempt) -> AttemptDirs {
        let below = |folder: &Path| folder.join("containers").join(self.name(container)).join(attempt.0.to_string());
        AttemptDirs { state: below(&self.pod.dirs.state), data: below(&self.pod.dirs.data) }
    }

    fn plan_container(
        &mut self,
        container: ContainerIndex,
        attempt: Attempt,
        dirs: &AttemptDirs,
        target: Option<&OwnedFd>,
    ) -> Result<ContainerPlan, (CreateFailure, String)> {
        let fail = |message: String| (CreateFailure::Create, message);
        let Image::Known(found) = std::mem::take(&mut self.slot(container).image) else {
            return Err(fail("its image was not looked for".to_owned()));
        };
        let Found { facts: image, profile, .. } = *found;
        let sandbox = self.sandbox.as_ref().ok_or((CreateFailure::Create, GONE.to_owned()))?;
        let mut facts = sandbox.facts();
        facts.attempt_dir.clone_from(&dirs.data);
        let ours = |fd: &dyn AsRawFd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd()).into();
        facts.pid_namespace = target.map(|target| ours(target)).or(facts.pid_namespace);
        facts.mounts = MountNamespaces {
            host: ours(&self.host_mounts),
            pod: format!("/proc/{}/ns/mnt", std::process::id()).into(),
        };
        facts.shared_cpus = self.shared_cpus();
        facts.images.clone_from(&self.image_volumes);
        let pod = &self.pod;
        let of_manifest = pod.plan.container(&pod.manifest, container);
        if of_manifest.is_privileged() {
            facts.devices = node::devices();
        }
        facts.seccomp_profile = profile;
        facts.env_files = plan::env_files(&of_manifest)
            .into_iter()
            .map(|file| {
                let place = facts.volumes.get(&file.volume);
                let read = place.map_or(Ok(None), |place| volume::read_env_file(place, &file.path));
                (file, read)
            })
            .collect();
        plan::container(&pod.manifest, &pod.plan, &pod.node, container, attempt, &image, &facts)
            .map_err(|error| (error.failure, error.to_string()))
    }

    /// The pid namespace of the container whose processes an ephemeral one sees. Where all share one, or have none of their own, it sees
    /// them anyway.
    fn target_of(&self, container: ContainerIndex) -> Result<Option<OwnedFd>, (CreateFailure, String)> {
        let plan = &self.pod.plan;
        let Some(target) = plan.target(container).filter(|_| plan.sandbox.pid == Scope::Container) else {
            return Ok(None);
        };
        let fail = |why: String| (CreateFailure::Create, format!("its target: {why}"));
        let (_, present) = self.running(target).map_err(|(_, why)| fail(why))?;
        let namespace = present.container.pid_namespace();
        namespace.map(Some).map_err(|error| fail(format!("the pid namespace of container {target:?}: {error}")))
    }

    fn start(&mut self, container: ContainerIndex, attempt: Attempt) {
        let slot = &mut self.slots[usize::from(container.0)];
        let Some(Present { container: present, start, .. }) = slot.present_mut() else { return };
        *start = Start::Asked { at: now().monotonic, exit_waits: false };
        if let Err(error) = present.start() {
            *start = Start::Failed;
            return self.answer(container, attempt, ContainerEvent::StartFailed { message: error.to_string() });
        }
        self.watch(Token::Start(container));
    }

    fn kill(&mut self, container: ContainerIndex, attempt: Attempt) {
        self.give_up_image(container, attempt);
        let slot = self.slot(container);
        let result: Result<(), ContainerError> = match std::mem::take(&mut slot.stage) {
            Stage::Present(present) => {
                let result = present.container.kill();
                slot.stage = Stage::Present(present);
                self.execs_are_killed(container);
                result
            }
            Stage::Creating(creating) => {
                let why = (CreateFailure::Create, "it was ended while it was being made".to_owned());
                self.abandon(container, attempt, creating.creation.abort(), why);
                Ok(())
            }
            other @ (Stage::Absent | Stage::Removing(_)) => {
                slot.stage = other;
                Ok(())
            }
        };
        if let Err(error) = result {
            self.audience.warn(&error.to_string());
        }
        self.answer(container, attempt, ContainerEvent::Signaled);
    }

    /// Takes a removal a piece further; there may be more.
    pub(super) fn remove(&mut self, container: ContainerIndex, attempt: Attempt) {
        let mut removing = match std::mem::take(&mut self.slot(container).stage) {
            Stage::Present(present) => {
                let Present { container, output, .. } = *present;
                Box::new(Removing { removal: Removal::begin(container), of: RemovalOf::Made(Box::new(output)) })
            }
            Stage::Removing(removing) => removing,
            Stage::Absent | Stage::Creating(_) => return self.answer(container, attempt, ContainerEvent::Removed),
        };
        let removal = &mut removing.removal;
        if removal.advance() {
            self.removals.push_back((container, attempt));
        } else if removal.outcome().is_some() {
            return self.finish_removal(container, attempt, *removing);
        }
        self.slot(container).stage = Stage::Removing(removing);
        self.watch(Token::Removal(container));
    }

    /// A removal that has an outcome.
    pub(super) fn finish_removal(&mut self, container: ContainerIndex, attempt: Attempt, removing: Removing) {
        let Removing { mut removal, of } = removing;
        for error in removal.outcome().unwrap_or_default() {
            self.audience.warn(&error.to_string());
        }
        reap_ended();
        let event = match of {
            RemovalOf::Unmade(failure, message) => ContainerEvent::CreateFailed { failure, message },
            RemovalOf::Made(output) => {
                let name = &self.pod.plan.lifecycle.containers[usize::from(container.0)].name;
                let Self { audience, records, copies, buffers, .. } = self;
                output.end(&mut Listener { container, name, audience: &mut **audience, records, copies, buffers });
                self.records_are_to_be_written();
                ContainerEvent::Removed
            }
        };
        self.answer(container, attempt, event);
    }
}
