//! Images: looked for at once where nobody has to be waited for, else by a helper.

use std::path::PathBuf;

use barepod_engine::event::{ContainerEvent, ImageFailure};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::Supervisor;
use super::slot::Image;
use super::sources::{Interest, Token};
use crate::plan;
use crate::runtime::container::reap_ended;
use crate::runtime::image::{Found, Refusal, Search, Trouble, UnknownKeys, Want, lease};

/// How an image is searched for.
struct Order {
    keys: UnknownKeys,
    profile: Option<PathBuf>,
}

impl Supervisor<'_> {
    /// Looks whether it is there: at once where nobody has to be waited for.
    pub(super) fn look_for_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        let order = self.image_order(container, attempt);
        let source = self.pod.plan.image(container);
        if let Some(found) = self.file_systems.find(source, &self.pod.images, order.keys, order.profile.as_deref()) {
            return self.image_found(container, attempt, Want::Look, found);
        }
        self.search_image(container, attempt, Want::Look, &order);
    }

    /// Brings it here, by a helper: whatever is there isn't asked.
    pub(super) fn pull_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        let order = self.image_order(container, attempt);
        self.search_image(container, attempt, Want::Pull, &order);
    }

    fn image_order(&self, container: ContainerIndex, attempt: Attempt) -> Order {
        let keys = if attempt == Attempt(0) { UnknownKeys::Wanted } else { UnknownKeys::Unwanted };
        let profile = plan::localhost_profile(&self.pod.plan.container(&self.pod.manifest, container))
            .map(|name| self.pod.plan.security.seccomp_profile_root.join(name));
        Order { keys, profile }
    }

    fn search_image(&mut self, container: ContainerIndex, attempt: Attempt, want: Want, order: &Order) {
        let source = self.pod.plan.image(container);
        let begun =
            Search::begin(source, &self.pod.images, want, order.keys, order.profile.as_deref()).and_then(|search| {
                self.sources.add(search.fd(), Token::Image(container), Interest::Readable)?;
                Ok(search)
            });
        match begun {
            Ok(search) => self.slot(container).image = Image::Sought(attempt, want, search),
            Err(cause) => self.no_image(container, attempt, want, &format!("the helper that looks for it: {cause}")),
        }
    }

    /// The helper has something to say, or has died.
    pub(super) fn image_moved(&mut self, container: ContainerIndex) {
        let Image::Sought(attempt, want, search) = &mut self.slot(container).image else { return };
        let Some(outcome) = search.outcome() else { return };
        let (attempt, want) = (*attempt, *want);
        self.forget_search(container);
        reap_ended();
        match outcome {
            Ok(found) => self.image_found(container, attempt, want, found),
            Err(cause) => self.no_image(container, attempt, want, &format!("looking for it: {cause}")),
        }
    }

    /// Nobody wants it any more.
    pub(super) fn give_up_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        if let Image::Sought(asked, want, _) = self.slot(container).image
            && asked == attempt
        {
            self.forget_search(container);
            self.no_image(container, attempt, want, "it was given up while it was looked for");
        }
    }

    fn forget_search(&mut self, container: ContainerIndex) {
        if let Image::Sought(_, _, search) = std::mem::take(&mut self.slot(container).image) {
            self.sources.remove(search.fd());
        }
    }

    fn no_image(&mut self, container: ContainerIndex, attempt: Attempt, want: Want, why: &str) {
        let message = format!("{}: {why}", self.pod.plan.image(container).id());
        self.image_found(container, attempt, want, Err(Refusal { trouble: Trouble::Absent, message }));
    }

    /// Until the pod's end.
    fn keep(&mut self, found: Found) -> Result<Found, Refusal> {
        let Some(path) = found.lease.as_ref().filter(|path| !self.leases.contains_key(*path)) else { return Ok(found) };
        let refused = |why: String| Refusal { trouble: Trouble::Absent, message: format!("{}: {why}", found.facts.id) };
        match lease(path) {
            Ok(Some(lease)) => {
                self.leases.insert(path.clone(), lease);
                Ok(found)
            }
            Ok(None) => Err(refused("somebody has just removed it from the store of this box".to_owned())),
            Err(cause) => Err(refused(format!("lock {}: {cause}", path.display()))),
        }
    }

    fn image_found(&mut self, container: ContainerIndex, attempt: Attempt, want: Want, found: Result<Found, Refusal>) {
        let found = found.and_then(|found| self.keep(found));
        for key in found.iter().flat_map(|found| &found.unknown_keys) {
            let image = self.pod.plan.image(container).id();
            self.audience.warn(&format!("{image}: config.json: {key}: no field of an OCI config; it is ignored"));
        }
        let event = match found {
            Ok(found) => {
                let (image_id, stop_signal, size) = (found.facts.id.clone(), found.facts.stop_signal, found.size);
                self.slot(container).image = Image::Known(Box::new(found));
                match want {
                    Want::Look => ContainerEvent::ImageReady { image_id, stop_signal },
                    Want::Pull => ContainerEvent::ImagePulled { image_id, stop_signal, size },
                }
            }
            Err(Refusal { trouble: Trouble::NotThere, .. }) if want == Want::Look => ContainerEvent::ImageAbsent,
            Err(Refusal { trouble: Trouble::Absent | Trouble::NotThere, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::Pull, message }
            }
            Err(Refusal { trouble: Trouble::InvalidName, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::InvalidName, message }
            }
            Err(Refusal { trouble: Trouble::Unusable, message }) => {
                ContainerEvent::ImageUnusable { image_id: self.pod.plan.image(container).id(), message }
            }
        };
        self.answer(container, attempt, event);
    }
}
