//! What the world says about an attempt, taken into the state. Answers of an older attempt end here.

use super::{Engine, Turn};
use crate::event::ContainerEvent;
use crate::spec::{Attempt, ContainerIndex};

impl Engine {
    pub(crate) fn container_event(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        attempt: Attempt,
        event: ContainerEvent,
    ) {
        if usize::from(index.0) >= self.containers.len() || self.container(index).attempt != attempt {
            return;
        }
        if self.ahead_event(turn, index, &event) {
            return;
        }
        match event {
            ContainerEvent::ImageReady { image_id, stop_signal } => {
                self.image_ready(turn, index, image_id, stop_signal);
            }
            ContainerEvent::ImageAbsent => self.image_absent(turn, index),
            ContainerEvent::ImagePulled { image_id, stop_signal, size } => {
                self.image_pulled(turn, index, image_id, stop_signal, size);
            }
            ContainerEvent::ImageFailed { failure, message } => self.image_failed(turn, index, failure, &message),
            ContainerEvent::ImageUnusable { image_id, message } => self.image_unusable(turn, index, image_id, message),
            ContainerEvent::Created { container_id } => self.created(turn, index, container_id),
            ContainerEvent::CreateFailed { failure, message } => self.create_failed(turn, index, failure, message),
            ContainerEvent::Started => self.program_started(turn, index),
            ContainerEvent::StartFailed { message } => self.start_failed(turn, index, message),
            ContainerEvent::Exited { exit, oom_killed, message } => {
                self.exited(turn, index, exit, oom_killed, message);
            }
            ContainerEvent::Signaled => {}
            ContainerEvent::Removed => self.removed(turn, index),
            ContainerEvent::HookDone { hook, result } => self.hook_done(turn, index, hook, result),
            ContainerEvent::ProbeDone { probe, result } => self.probe_done(turn, index, probe, result),
        }
    }
}
