//! Images of a scripted box: there or not, pulled or not.

use alloc::string::ToString;

use super::script::AttemptScript;
use super::{ImageNumber, NEVER, Process, World};
use crate::event::{ContainerEvent, Event, ImageFailure};
use crate::spec::{Attempt, ContainerIndex, ImageOf};
use crate::time::Instant;

/// How many bytes every image has.
const SIZE: u64 = 4096;

impl Process {
    /// What comes of looking for its image.
    pub(super) fn look(&mut self, script: &AttemptScript, there: bool) -> ContainerEvent {
        if self.image_failures < script.image_fails.0 {
            self.image_failures += 1;
            return failure(script.image_fails.1, "scripted");
        }
        if !there {
            return ContainerEvent::ImageAbsent;
        }
        let (image_id, stop_signal) = ("world".to_string(), script.image_stop_signal);
        self.unusable(script).unwrap_or(ContainerEvent::ImageReady { image_id, stop_signal })
    }

    /// What comes of pulling it.
    pub(super) fn pull(&mut self, script: &AttemptScript) -> ContainerEvent {
        if self.pull_failures < script.pull_fails.0 {
            self.pull_failures += 1;
            return failure(script.pull_fails.1, "scripted");
        }
        let (image_id, stop_signal) = ("world".to_string(), script.image_stop_signal);
        self.unusable(script).unwrap_or(ContainerEvent::ImagePulled { image_id, stop_signal, size: SIZE })
    }

    fn unusable(&mut self, script: &AttemptScript) -> Option<ContainerEvent> {
        let is = self.unusable_images < script.image_unusable;
        self.unusable_images += u32::from(is);
        let (image_id, message) = ("world".to_string(), "scripted".to_string());
        is.then_some(ContainerEvent::ImageUnusable { image_id, message })
    }
}

impl World {
    fn image(&self, container: ContainerIndex) -> ImageNumber {
        if let Some(Process { image_of: ImageOf::Volume(volume), .. }) = self.containers.get(usize::from(container.0)) {
            return ImageNumber::Volume(*volume);
        }
        let shared = self.script.containers.get(usize::from(container.0)).and_then(|one| one.image);
        shared.map_or(ImageNumber::Of(container), ImageNumber::Shared)
    }

    /// Whether its image was pulled, for whomever.
    pub(super) fn has_pulled(&self, container: ContainerIndex) -> bool {
        self.pulled.contains(&self.image(container))
    }

    /// A pull has come to its end.
    pub(super) fn note_pulled(&mut self, event: &Event) {
        if let Event::Container { container, event: ContainerEvent::ImagePulled { .. }, .. } = event {
            self.pulled.insert(self.image(*container));
        }
    }

    /// SIGKILL to what looks for a container's image or pulls it, where something does.
    pub(super) fn kill_search(&mut self, at: Instant, container: ContainerIndex, attempt: Attempt) -> bool {
        let search = self.agenda.iter_mut().find(|scheduled| {
            matches!(&scheduled.event, Event::Container { container: of, event, .. }
                if *of == container && is_image(event))
        });
        let Some(scheduled) = search else { return false };
        let pulls = matches!(&scheduled.event, Event::Container { event: ContainerEvent::ImagePulled { .. }, .. });
        // An image is found all the same where looking for it doesn't hang; a pull takes its time, and is given up.
        if scheduled.at == NEVER || pulls && scheduled.at > at {
            scheduled.at = at;
            scheduled.event = Event::Container { container, attempt, event: failure(ImageFailure::Pull, "killed") };
        }
        true
    }
}

fn failure(failure: ImageFailure, message: &str) -> ContainerEvent {
    ContainerEvent::ImageFailed { failure, message: message.to_string() }
}

fn is_image(event: &ContainerEvent) -> bool {
    matches!(
        event,
        ContainerEvent::ImageReady { .. }
            | ContainerEvent::ImageAbsent
            | ContainerEvent::ImagePulled { .. }
            | ContainerEvent::ImageFailed { .. }
            | ContainerEvent::ImageUnusable { .. }
    )
}
