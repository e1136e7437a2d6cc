//! Images: looked for at once where nobody has to be waited for, else by a helper.

use std::path::PathBuf;

use barepod_engine::action::{EventReason, EventRecord, Severity};
use barepod_engine::event::{ContainerEvent, ImageFailure};
use barepod_engine::spec::{Attempt, ContainerIndex, ImageOf};

use super::slot::{Image, Order};
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::plan::{self, ImageSource, Logins, PodPlan, PullFiles, VolumePlan};
use crate::runtime::container::reap_ended;
use crate::runtime::image::{Found, Question, Refusal, Search, Trouble, UnknownKeys, Want, lease};

/// How often an image is looked for again that somebody removes, or looks at for that, in the moment in which it was found.
const AGAIN: u8 = 3;

/// What else is to be found with it.
struct Beside {
    keys: UnknownKeys,
    profile: Option<PathBuf>,
}

impl Supervisor<'_> {
    /// Looks whether it is there: at once where nobody has to be waited for.
    pub(super) fn look_for_image(&mut self, container: ContainerIndex, attempt: Attempt, of: ImageOf) {
        let order = Order { attempt, of, want: Want::Look, refused: 0 };
        let beside = self.beside(container, order);
        let files = self.pull_files(container);
        let policy = files.signature_policy.as_deref();
        let (source, profile) = (source(&self.pod.plan, container, of), beside.profile.as_deref());
        if let Some(found) = self.file_systems.find(source, &self.pod.images, policy, beside.keys, profile) {
            return self.image_found(container, order, found);
        }
        self.search_image(container, order, &beside, None);
    }

    /// Brings it here, by a helper: whatever is there isn't asked.
    pub(super) fn pull_image(&mut self, container: ContainerIndex, attempt: Attempt, of: ImageOf) {
        let order = Order { attempt, of, want: Want::Pull, refused: 0 };
        let beside = self.beside(container, order);
        self.search_image(container, order, &beside, None);
    }

    fn beside(&self, container: ContainerIndex, order: Order) -> Beside {
        match order {
            Order { of: ImageOf::Volume(_), .. } => Beside { keys: UnknownKeys::Unwanted, profile: None },
            Order { attempt, of: ImageOf::Container, .. } => {
                let keys = if attempt == Attempt(0) { UnknownKeys::Wanted } else { UnknownKeys::Unwanted };
                let profile = plan::localhost_profile(&self.pod.plan.container(&self.pod.manifest, container))
                    .map(|name| self.pod.plan.security.seccomp_profile_root.join(name));
                Beside { keys, profile }
            }
        }
    }

    fn search_image(&mut self, container: ContainerIndex, order: Order, beside: &Beside, removed: Option<PathBuf>) {
        let PullFiles { auth_file, signature_policy: policy } = self.pull_files(container);
        // They are for who pulls alone.
        let (logins, progress) = match order.want {
            Want::Pull => {
                let secrets = plan::pull_secrets(&self.pod.manifest, &self.pod.plan.objects);
                (Logins { secrets, auth_file }, self.pull_file(container))
            }
            Want::Look => (Logins::default(), None),
        };
        let question = Question {
            source: source(&self.pod.plan, container, order.of).clone(),
            store: self.pod.images.clone(),
            want: order.want,
            logins,
            policy,
            keys: beside.keys,
            profile: beside.profile.clone(),
            progress,
            removed,
        };
        let begun = Search::begin(&question).and_then(|search| {
            self.sources.add(search.fd(), Token::Image(container), Interest::Readable)?;
            Ok(search)
        });
        match begun {
            Ok(search) => {
                self.slot(container).image = Image::Sought(order, search);
                if order.want == Want::Pull {
                    self.watch_pulls();
                }
            }
            Err(cause) => self.no_image(container, order, &format!("the helper that looks for it: {cause}")),
        }
    }

    fn pull_files(&self, container: ContainerIndex) -> PullFiles {
        self.slots[usize::from(container.0)].pull_files.or(&self.pod.pull_files)
    }

    /// As the kubelet does when it looks for them.
    pub(super) fn tell_of_missing_pull_secrets(&mut self) {
        let missing = plan::missing_pull_secrets(&self.pod.manifest, &self.pod.plan.objects).join(", ");
        if missing.is_empty() {
            return;
        }
        let message = format!(
            "Unable to retrieve some image pull secrets ({missing}); attempting to pull the image may not succeed."
        );
        let (reason, severity) = (EventReason::FailedToRetrieveImagePullSecret, Severity::Warning);
        self.records.push(EventRecord { time: now().wall, severity, reason, container: None, message });
        self.records_are_to_be_written();
    }

    /// The helper has something to say, or has died.
    pub(super) fn image_moved(&mut self, container: ContainerIndex) {
        let Image::Sought(order, search) = &mut self.slot(container).image else { return };
        let Some(outcome) = search.outcome() else { return };
        let order = *order;
        self.forget_search(container);
        reap_ended();
        match outcome {
            Ok(found) => self.image_found(container, order, found),
            Err(cause) => self.no_image(container, order, &format!("looking for it: {cause}")),
        }
    }

    /// Nobody wants it any more.
    pub(super) fn give_up_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        if let Image::Sought(order, _) = self.slot(container).image
            && order.attempt == attempt
        {
            self.forget_search(container);
            self.no_image(container, order, "it was given up while it was looked for");
        }
    }

    fn forget_search(&mut self, container: ContainerIndex) {
        if let Image::Sought(_, search) = std::mem::take(&mut self.slot(container).image) {
            self.sources.remove(search.fd());
        }
    }

    fn no_image(&mut self, container: ContainerIndex, order: Order, why: &str) {
        let message = format!("{}: {why}", source(&self.pod.plan, container, order.of).id());
        self.image_found(container, order, Err(Refusal { trouble: Trouble::Absent, message }));
    }

    /// Until the pod's end; `None`: somebody removes it, or looks whether that may be done.
    fn keep(&mut self, found: &Found) -> Result<Option<()>, Refusal> {
        let Some(path) = found.lease.as_ref().filter(|path| !self.leases.contains_key(*path)) else {
            return Ok(Some(()));
        };
        match lease(path) {
            Ok(lease) => Ok(lease.map(|lease| drop(self.leases.insert(path.clone(), lease)))),
            Err(cause) => Err(not_kept(found, &format!("lock {}: {cause}", path.display()))),
        }
    }

    fn image_found(&mut self, container: ContainerIndex, order: Order, found: Result<Found, Refusal>) {
        let Order { attempt, of, want, refused } = order;
        for name in found.iter().flat_map(|found| &found.removed) {
            let image = source(&self.pod.plan, container, of).id();
            self.audience.warn(&format!(
                "{image}: the disk was too full; {name}, which no pod had used for a day, was removed from the store of this box"
            ));
        }
        let found = match found.and_then(|found| Ok((self.keep(&found)?, found))) {
            Ok((Some(()), found)) => Ok(found),
            // It may stay, or is gone the next time, and is brought again then.
            Ok((None, found)) if refused < AGAIN => {
                let order = Order { refused: refused + 1, ..order };
                let beside = self.beside(container, order);
                return self.search_image(container, order, &beside, found.lease);
            }
            Ok((None, found)) => Err(not_kept(&found, "somebody has just removed it from the store of this box")),
            Err(refusal) => Err(refusal),
        };
        for key in found.iter().flat_map(|found| &found.unknown_keys) {
            let image = self.pod.plan.image(container).id();
            self.audience.warn(&format!("{image}: config.json: {key}: no field of an OCI config; it is ignored"));
        }
        let event = match found {
            Ok(found) => {
                let (image_id, stop_signal, size) = (found.facts.id.clone(), found.facts.stop_signal, found.size);
                self.note_image(container, of, found);
                match want {
                    Want::Look => ContainerEvent::ImageReady { image_id, stop_signal },
                    Want::Pull => ContainerEvent::ImagePulled { image_id, stop_signal, size },
                }
            }
            Err(Refusal { trouble: Trouble::NotThere, .. }) if want == Want::Look => ContainerEvent::ImageAbsent,
            // As good as not there; but who looks after the box's disk wants to know.
            Err(Refusal { trouble: Trouble::Damaged, message }) if want == Want::Look => {
                self.audience.warn(&message);
                ContainerEvent::ImageAbsent
            }
            Err(Refusal { trouble: Trouble::Absent | Trouble::NotThere | Trouble::Damaged, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::Pull, message }
            }
            Err(Refusal { trouble: Trouble::Untrusted, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::Signature, message }
            }
            Err(Refusal { trouble: Trouble::InvalidName, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::InvalidName, message }
            }
            Err(Refusal { trouble: Trouble::Unusable, message }) => {
                ContainerEvent::ImageUnusable { image_id: source(&self.pod.plan, container, of).id(), message }
            }
        };
        self.answer(container, attempt, event);
    }

    fn note_image(&mut self, container: ContainerIndex, of: ImageOf, found: Found) {
        match of {
            ImageOf::Container => self.slot(container).image = Image::Known(Box::new(found)),
            ImageOf::Volume(volume) => {
                if let Some(volume) = self.pod.plan.volumes.get(usize::from(volume.0)) {
                    let layers = [found.facts.rootfs].into_iter().chain(found.facts.below).collect();
                    self.image_volumes.insert(volume.name.clone(), layers);
                }
            }
        }
    }
}

fn not_kept(found: &Found, why: &str) -> Refusal {
    Refusal { trouble: Trouble::Absent, message: format!("{}: {why}", found.facts.id) }
}

/// What an image's name in the manifest means.
fn source(plan: &PodPlan, container: ContainerIndex, of: ImageOf) -> &ImageSource {
    let of_volume = match of {
        ImageOf::Container => None,
        ImageOf::Volume(volume) => plan.volumes.get(usize::from(volume.0)).and_then(VolumePlan::stored_image),
    };
    of_volume.unwrap_or_else(|| plan.image(container))
}
