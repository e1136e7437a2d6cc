//! Images of attempts that are being made: looked for, pulled, tried again (R8.12 to R8.14).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::ahead::Adopted;
use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::Life;
use crate::container::restart::go_duration;
use crate::event::{CreateFailure, ImageFailure};
use crate::spec::{ContainerIndex, ImageOf, ImageSpec, PullPolicy};
use crate::status::WaitingReason;
use crate::time::Instant;

/// The longest wait between two tries to get an image; the first is `Engine::retry_delay`.
const PULL_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// How long after a pull failed its back-off is told (R8.14): about when a kubelet looks at the pod again.
const UNTIL_BACK_OFF: Duration = Duration::from_secs(1);

impl Engine {
    /// The attempt that has just begun looks for its image, or pulls it where what is there doesn't count (R8.12).
    pub(crate) fn begin_image(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let adopted = self.adopt(index);
        if adopted == Adopted::UnderWay {
            return turn.changed();
        }
        self.seek_image(turn, index, adopted);
    }

    fn seek_image(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, adopted: Adopted) {
        let of = self.next_image(index);
        // What was brought ahead at last is its own.
        let is_there = adopted == Adopted::There && of == ImageOf::Container;
        let container = self.container_mut(index);
        container.image_of = of;
        let attempt = container.attempt;
        match self.image(index) {
            ImageSpec::Store { policy: PullPolicy::Always, .. } if !is_there => self.begin_pull(turn, index),
            ImageSpec::Folder | ImageSpec::Store { .. } => {
                turn.act(index, attempt, ContainerAction::PrepareImage(of));
            }
        }
    }

    fn begin_pull(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        container.life = Life::Pulling { since: turn.now.monotonic };
        turn.act(index, container.attempt, ContainerAction::PullImage(container.image_of));
        self.record_pulling(turn, index);
    }

    pub(crate) fn record_pulling(&self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if let Some(name) = self.stored_image(index) {
            let message = format!("Pulling image \"{name}\"");
            turn.record(Severity::Normal, EventReason::Pulling, self.whose_image(index), message);
        }
    }

    /// The name of an image that isn't a folder.
    pub(crate) fn stored_image(&self, index: ContainerIndex) -> Option<&str> {
        match self.image(index) {
            ImageSpec::Folder => None,
            ImageSpec::Store { name, .. } => Some(name),
        }
    }

    pub(crate) fn image_ready(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        stop_signal: Option<i32>,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        self.record_found(turn, index, &image_id);
        self.image_is_there(turn, index, image_id, stop_signal);
    }

    fn record_found(&self, turn: &mut Turn<'_>, index: ContainerIndex, image_id: &str) {
        let name = self.stored_image(index).unwrap_or(image_id);
        let message = format!("Container image \"{name}\" already present on machine and can be accessed by the pod");
        turn.record(Severity::Normal, EventReason::Pulled, self.whose_image(index), message);
    }

    /// The attempt goes on: with its next image, or its creation.
    fn image_is_there(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        stop_signal: Option<i32>,
    ) {
        let of = self.container(index).image_of;
        self.note_image(index, image_id, stop_signal);
        match of {
            _ if !self.is_wanted(index) => self.give_up(index),
            ImageOf::Container => self.create(turn, index),
            ImageOf::Volume(_) => self.seek_next_image(turn, index),
        }
    }

    fn note_image(&mut self, index: ContainerIndex, image_id: String, stop_signal: Option<i32>) {
        let container = self.container_mut(index);
        container.pull_backoff = None;
        match container.image_of {
            ImageOf::Container => {
                container.image_id = Some(image_id);
                container.image_stop_signal = stop_signal;
            }
            ImageOf::Volume(volume) => {
                self.volumes.insert(volume);
            }
        }
    }

    fn seek_next_image(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let of = self.next_image(index);
        self.container_mut(index).image_of = of;
        // R8.16
        if self.ending.is_none() && self.is_pulled_for_another(index) {
            self.container_mut(index).life = Life::Waiting;
        } else {
            self.container_mut(index).life = Life::Preparing;
            self.seek_image(turn, index, Adopted::Nothing);
        }
        turn.changed();
    }

    /// R8.12.
    pub(crate) fn image_absent(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if !self.container(index).is_preparing() {
            return;
        }
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        match self.image(index) {
            // R8.16: it is looked for once more then.
            ImageSpec::Store { policy: PullPolicy::Always | PullPolicy::IfNotPresent, .. }
                if self.ending.is_none() && self.is_pulled_for_another(index) =>
            {
                self.container_mut(index).life = Life::Waiting;
            }
            ImageSpec::Store { policy: PullPolicy::Always | PullPolicy::IfNotPresent, .. } => {
                self.begin_pull(turn, index);
            }
            ImageSpec::Store { policy: PullPolicy::Never, .. } => {
                self.image_failed(turn, index, ImageFailure::NeverPull, "");
            }
            ImageSpec::Folder => self.image_failed(turn, index, ImageFailure::Pull, "it isn't there"),
        }
    }

    pub(crate) fn image_pulled(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        stop_signal: Option<i32>,
        size: u64,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        // Of a pull that was given up nothing is said, though it ended well.
        if let Life::Pulling { since } = self.container(index).life {
            self.record_pulled(turn, index, since, Some(size));
        }
        self.note_image_is_pulled(index);
        self.image_is_there(turn, index, image_id, stop_signal);
    }

    pub(crate) fn record_pulled(&self, turn: &mut Turn<'_>, index: ContainerIndex, since: Instant, size: Option<u64>) {
        let Some(name) = self.stored_image(index) else { return };
        let took = go_duration(turn.now.monotonic.since(since));
        let size = size.map_or_else(String::new, |size| format!(" Image size: {size} bytes."));
        let message = format!("Successfully pulled image \"{name}\" in {took} ({took} including waiting).{size}");
        turn.record(Severity::Normal, EventReason::Pulled, self.whose_image(index), message);
    }

    /// As if its creation had been asked for and had failed: that is when the kubelet's runtimes look into it.
    pub(crate) fn image_unusable(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        message: String,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        if let Life::Pulling { since } = self.container(index).life {
            self.record_pulled(turn, index, since, None);
        } else {
            self.record_found(turn, index, &image_id);
        }
        if self.container(index).image_of == ImageOf::Container {
            self.note_image(index, image_id, None);
        }
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        self.container_mut(index).life = Life::Creating { kill_at: None, killed: false };
        self.create_failed(turn, index, CreateFailure::Create, message);
    }

    pub(crate) fn image_failed(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        failure: ImageFailure,
        message: &str,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        let pulls = matches!(self.container(index).life, Life::Pulling { .. });
        let failed = match self.stored_image(index) {
            Some(name) => FailedTry::of_stored(name, failure, message, pulls),
            None => FailedTry::of_folder(failure, message, self.container(index).pull_backoff.is_some()),
        };
        // What we ended ourselves is not news.
        if !matches!(self.container(index).life, Life::Abandoned) {
            // What it is, and what it means for the container.
            let about = [self.whose_image(index), Some(index)];
            for ((reason, message), about) in failed.events.into_iter().zip(about) {
                turn.record(Severity::Warning, reason, about, message);
            }
        }
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        let now = turn.now.monotonic;
        let first = self.retry_delay();
        let container = self.container_mut(index);
        let delay = match failed.next {
            Next::Steadily => first,
            Next::LessOften | Next::BacksOff => {
                let delay = container.pull_backoff.map_or(first, |delay| (delay * 2).min(PULL_BACKOFF_MAX).max(first));
                container.pull_backoff = Some(delay);
                delay
            }
        };
        let backs_off = match failed.next {
            Next::Steadily | Next::LessOften => None,
            Next::BacksOff => Some(now.after(UNTIL_BACK_OFF.min(delay / 2))),
        };
        let FailedTry { reason, message, .. } = failed;
        container.life = Life::Retry { at: now.after(delay), reason, message, backs_off };
    }

    /// R8.14: a pull that failed waits, and says so a moment after it has said what failed.
    pub(crate) fn back_off_pull(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let Some(name) = self.stored_image(index) else { return };
        let waits = format!("Back-off pulling image \"{name}\"");
        let about = self.whose_image(index);
        let Life::Retry { reason, message, backs_off, .. } = &mut self.container_mut(index).life else { return };
        if backs_off.is_none_or(|at| at > now) {
            return;
        }
        *backs_off = None;
        *message = format!("{waits}: {reason:?}: {message}");
        *reason = WaitingReason::ImagePullBackOff;
        turn.record(Severity::Normal, EventReason::BackOff, about, waits);
        turn.record(Severity::Warning, EventReason::Failed, Some(index), "Error: ImagePullBackOff".to_string());
    }
}

/// A try to get an image that came to nothing.
struct FailedTry {
    reason: WaitingReason,
    message: String,
    events: Vec<(EventReason, String)>,
    next: Next,
}

/// When it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// As whatever can't be made (R4.5): to look is cheap.
    Steadily,
    /// Each time after twice as long.
    LessOften,
    /// Likewise, and it is told that it waits (R8.14).
    BacksOff,
}

impl FailedTry {
    /// `again`: not the first in a row.
    fn of_folder(failure: ImageFailure, message: &str, again: bool) -> Self {
        let reason = match (failure, again) {
            (ImageFailure::Pull, false) => WaitingReason::ErrImagePull,
            (ImageFailure::Pull, true) => WaitingReason::ImagePullBackOff,
            (ImageFailure::Signature, _) => WaitingReason::SignatureValidationFailed,
            (ImageFailure::NeverPull, _) => WaitingReason::ErrImageNeverPull,
            (ImageFailure::InvalidName, _) => WaitingReason::InvalidImageName,
        };
        let events = vec![(EventReason::Failed, format!("Error: {message}"))];
        Self { reason, message: message.into(), events, next: Next::LessOften }
    }

    /// With the kubelet's words (image_manager.go). `pulls`: it was pulled, not looked for.
    fn of_stored(name: &str, failure: ImageFailure, cause: &str, pulls: bool) -> Self {
        let (event, said, reason, next) = match (failure, pulls) {
            (ImageFailure::Pull, true) => {
                let said = format!("Failed to pull image \"{name}\": {cause}");
                (EventReason::Failed, said, WaitingReason::ErrImagePull, Next::BacksOff)
            }
            (ImageFailure::Signature, _) => {
                let said = format!("Failed to pull image \"{name}\": SignatureValidationFailed: {cause}");
                (EventReason::Failed, said, WaitingReason::SignatureValidationFailed, Next::BacksOff)
            }
            (ImageFailure::Pull, false) => {
                let said = format!("Failed to inspect image \"{name}\": {cause}");
                (EventReason::InspectFailed, said, WaitingReason::ImageInspectError, Next::LessOften)
            }
            (ImageFailure::NeverPull, _) => {
                let said = format!("Container image \"{name}\" is not present with pull policy of Never");
                (EventReason::ErrImageNeverPull, said, WaitingReason::ErrImageNeverPull, Next::Steadily)
            }
            (ImageFailure::InvalidName, _) => {
                let said = format!("Failed to apply default image tag \"{name}\": {cause}");
                (EventReason::InspectFailed, said, WaitingReason::InvalidImageName, Next::LessOften)
            }
        };
        // Of a pull the status has what failed alone.
        let message = match (failure, next) {
            (ImageFailure::Signature, _) => {
                format!("image pull failed for {name} because the signature validation failed: {cause}")
            }
            (_, Next::BacksOff) => cause.into(),
            (_, Next::Steadily | Next::LessOften) => said.clone(),
        };
        let events = vec![(event, said), (EventReason::Failed, format!("Error: {reason:?}"))];
        Self { reason, message, events, next }
    }
}
