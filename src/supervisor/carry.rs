//! Actions to the world: each is carried out at once, or begun and answered when its descriptor says so.

use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::{ContainerEvent, CreateFailure, Event, Hook, HookResult, Probe, ProbeResult, SandboxFailure};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::slot::Stage;
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::log::{ContainerLog, Stream};
use crate::plan::{self, ContainerPlan};
use crate::runtime::container::{Creation, Removal, RemovalProgress};
use crate::runtime::image;
use crate::runtime::sandbox::{Sandbox, SandboxErrorKind};

impl Supervisor<'_> {
    pub(super) fn carry(&mut self, action: Action) {
        match action {
            Action::CreateSandbox => self.create_sandbox(),
            Action::RemoveSandbox => self.remove_sandbox(),
            Action::Record(record) => {
                self.audience.record(&record);
                self.records.push(record);
            }
            Action::Finish { exit_code } => self.finished = Some(exit_code),
            Action::Container { container, attempt, action } => self.carry_container(container, attempt, action),
        }
    }

    fn carry_container(&mut self, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        match action {
            ContainerAction::PrepareImage => self.prepare_image(container, attempt),
            ContainerAction::Create => self.create(container, attempt),
            ContainerAction::Start => self.start(container, attempt),
            ContainerAction::Signal(signal) => {
                if let Stage::Present(present) = &self.slot(container).stage
                    && let Err(error) = present.signal(signal)
                {
                    self.warn_about(container, "signal", &error);
                }
                self.answer(container, attempt, ContainerEvent::Signaled);
            }
            ContainerAction::Kill => self.kill(container, attempt),
            ContainerAction::Remove => self.remove(container, attempt),
            ContainerAction::RunHook(hook) => self.run_hook(container, attempt, hook),
            ContainerAction::Probe(probe) => self.probe(container, attempt, probe),
        }
    }

    fn create_sandbox(&mut self) {
        let plan = &self.pod.plan;
        let made = Sandbox::create(&plan.sandbox, &plan.cgroup, &plan.volumes, &self.pod.dirs, &self.pod.node);
        let event = match made {
            Ok(sandbox) => {
                self.sandbox = Some(sandbox);
                Event::SandboxReady
            }
            Err(error) => Event::SandboxFailed {
                failure: match error.kind() {
                    SandboxErrorKind::Sandbox => SandboxFailure::Sandbox,
                    SandboxErrorKind::Mount => SandboxFailure::Mount,
                },
                message: error.to_string(),
            },
        };
        self.facts.push_back(event);
    }

    fn remove_sandbox(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            for error in sandbox.remove() {
                self.audience.warn(&format!("removing the sandbox: {error}"));
            }
        }
        self.facts.push_back(Event::SandboxRemoved);
    }

    fn prepare_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        let found = image::load(&self.pod.plan.images[usize::from(container.0)]);
        let event = match &found {
            Ok(facts) => ContainerEvent::ImageReady { image_id: facts.id.clone(), stop_signal: facts.stop_signal },
            // A bundle that is there but no good is found out at the create, as the kubelet's runtime does.
            Err(error) => match error.failure() {
                Some(failure) => ContainerEvent::ImageFailed { failure, message: error.to_string() },
                None => ContainerEvent::ImageReady { image_id: error.id(), stop_signal: None },
            },
        };
        self.slot(container).image = Some(found);
        self.answer(container, attempt, event);
    }

    fn create(&mut self, container: ContainerIndex, attempt: Attempt) {
        if let Err((failure, message)) = self.begin_creation(container, attempt) {
            self.answer(container, attempt, ContainerEvent::CreateFailed { failure, message });
        }
    }

    fn begin_creation(&mut self, container: ContainerIndex, attempt: Attempt) -> Result<(), (CreateFailure, String)> {
        let plan = self.plan_container(container, attempt)?;
        let sandbox = self.sandbox.as_ref().ok_or((CreateFailure::Create, "the sandbox is gone".to_owned()))?;
        let mut creation =
            Creation::begin(&plan, sandbox).map_err(|error| (CreateFailure::Create, error.to_string()))?;
        let (stdout, stderr) = creation.take_output();
        let log = ContainerLog::create(&self.store.log_dir(), &plan.name, attempt.0);
        let added = self
            .sources
            .add(creation.fd(), Token::Creation(container), Interest::Readable)
            .and_then(|()| self.sources.add(&stdout, Token::Output(container, Stream::Stdout), Interest::Readable))
            .and_then(|()| self.sources.add(&stderr, Token::Output(container, Stream::Stderr), Interest::Readable));
        if let Err(errno) = added {
            creation.abort();
            return Err((CreateFailure::Create, format!("epoll_ctl: {errno}")));
        }
        let slot = self.slot(container);
        slot.attempt = attempt;
        slot.started = None;
        slot.termination_log = Some(plan.termination_log.clone());
        slot.stage = Stage::Creating(Box::new(creation));
        slot.stdout = Some(stdout);
        slot.stderr = Some(stderr);
        slot.log = Some(log);
        Ok(())
    }

    fn plan_container(
        &mut self,
        container: ContainerIndex,
        attempt: Attempt,
    ) -> Result<ContainerPlan, (CreateFailure, String)> {
        let source = &self.pod.plan.images[usize::from(container.0)];
        let found = match self.slots[usize::from(container.0)].image.take() {
            Some(found) => found,
            None => image::load(source),
        };
        let image = found.map_err(|error| (CreateFailure::Create, error.to_string()))?;
        let sandbox = self.sandbox.as_ref().ok_or((CreateFailure::Create, "the sandbox is gone".to_owned()))?;
        let facts = sandbox.facts_for(self.name(container), attempt);
        let pod = &self.pod;
        plan::container(&pod.manifest, &pod.plan, &pod.node, container, attempt, &image, &facts)
            .map_err(|error| (error.failure(), error.to_string()))
    }

    fn start(&mut self, container: ContainerIndex, attempt: Attempt) {
        let Stage::Present(present) = &mut self.slots[usize::from(container.0)].stage else {
            return;
        };
        let begun = present.start().map_err(|error| error.to_string()).and_then(|()| {
            self.sources
                .add(present.start_fd(), Token::Start(container), Interest::Readable)
                .map_err(|errno| format!("epoll_ctl: {errno}"))
        });
        if let Err(message) = begun {
            self.answer(container, attempt, ContainerEvent::StartFailed { message });
        }
    }

    fn kill(&mut self, container: ContainerIndex, attempt: Attempt) {
        let result = match &mut self.slot(container).stage {
            Stage::Present(present) => present.kill(),
            Stage::Creating(creation) => {
                creation.abort();
                Ok(())
            }
            Stage::Absent | Stage::Removing(_) => Ok(()),
        };
        if let Err(error) = result {
            self.warn_about(container, "kill", &error);
        }
        self.answer(container, attempt, ContainerEvent::Signaled);
    }

    fn remove(&mut self, container: ContainerIndex, attempt: Attempt) {
        let slot = self.slot(container);
        match std::mem::take(&mut slot.stage) {
            Stage::Present(present) => match Removal::begin(*present) {
                RemovalProgress::Done(errors) => {
                    self.warn_about_removal(container, &errors);
                    self.removed(container, attempt);
                }
                RemovalProgress::Pending(removal) => {
                    if self.sources.add(removal.fd(), Token::Removal(container), Interest::Readable).is_err() {
                        self.removed(container, attempt);
                    } else {
                        self.slot(container).stage = Stage::Removing(Box::new(removal));
                    }
                }
            },
            Stage::Absent | Stage::Creating(_) | Stage::Removing(_) => self.removed(container, attempt),
        }
    }

    /// All of an attempt is gone: nothing more can come out of its pipes.
    pub(super) fn removed(&mut self, container: ContainerIndex, attempt: Attempt) {
        self.drain(container);
        let wall = now().wall;
        let slot = self.slot(container);
        slot.stdout = None;
        slot.stderr = None;
        if let Some(mut log) = slot.log.take() {
            log.finish(wall);
        }
        self.answer(container, attempt, ContainerEvent::Removed);
    }

    fn run_hook(&mut self, container: ContainerIndex, attempt: Attempt, hook: Hook) {
        // The manifest refuses hooks as long as there is no exec.
        let result = HookResult::Failure { message: "lifecycle hooks are not supported yet".to_owned() };
        self.answer(container, attempt, ContainerEvent::HookDone { hook, result });
    }

    fn probe(&mut self, container: ContainerIndex, attempt: Attempt, probe: Probe) {
        // The manifest refuses probes as long as there is no exec.
        let result = ProbeResult::Error { message: "probes are not supported yet".to_owned() };
        self.answer(container, attempt, ContainerEvent::ProbeDone { probe, result });
    }

    fn warn_about(&mut self, container: ContainerIndex, step: &str, error: &dyn std::fmt::Display) {
        let message = format!("container \"{}\": {step}: {error}", self.name(container));
        self.audience.warn(&message);
    }

    pub(super) fn warn_about_removal(&mut self, container: ContainerIndex, errors: &[impl std::fmt::Display]) {
        for error in errors {
            self.warn_about(container, "remove", error);
        }
    }
}
