//! Images: looked for at once where nobody has to be waited for, else by a helper.

use barepod_engine::event::{ContainerEvent, ImageFailure};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::Supervisor;
use super::slot::Image;
use super::sources::{Interest, Token};
use crate::plan;
use crate::runtime::container::reap_ended;
use crate::runtime::image::{Found, Refusal, Search, Trouble, UnknownKeys};

impl Supervisor<'_> {
    pub(super) fn prepare_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        let source = self.pod.plan.image(container);
        let keys = if attempt == Attempt(0) { UnknownKeys::Wanted } else { UnknownKeys::Unwanted };
        let profile = plan::localhost_profile(&plan::pod_container(&self.pod.manifest, container))
            .map(|name| self.pod.plan.security.seccomp_profile_root.join(name));
        if let Some(found) = self.file_systems.find(source, keys, profile.as_deref()) {
            return self.image_found(container, attempt, found);
        }
        let begun = Search::begin(source, keys, profile.as_deref()).and_then(|search| {
            self.sources.add(search.fd(), Token::Image(container), Interest::Readable)?;
            Ok(search)
        });
        match begun {
            Ok(search) => self.slot(container).image = Image::Sought(attempt, search),
            Err(cause) => self.no_image(container, attempt, format!("the helper that looks for it: {cause}")),
        }
    }

    /// The helper has something to say, or has died.
    pub(super) fn image_moved(&mut self, container: ContainerIndex) {
        let Image::Sought(attempt, search) = &mut self.slot(container).image else { return };
        let Some(outcome) = search.outcome() else { return };
        let attempt = *attempt;
        self.forget_search(container);
        reap_ended();
        match outcome {
            Ok(found) => self.image_found(container, attempt, found),
            Err(cause) => self.no_image(container, attempt, format!("looking for it: {cause}")),
        }
    }

    /// Nobody wants it any more.
    pub(super) fn give_up_image(&mut self, container: ContainerIndex, attempt: Attempt) {
        if matches!(self.slot(container).image, Image::Sought(asked, _) if asked == attempt) {
            self.forget_search(container);
            self.no_image(container, attempt, "it was given up while it was looked for".to_owned());
        }
    }

    fn forget_search(&mut self, container: ContainerIndex) {
        if let Image::Sought(_, search) = std::mem::take(&mut self.slot(container).image) {
            self.sources.remove(search.fd());
        }
    }

    fn no_image(&mut self, container: ContainerIndex, attempt: Attempt, why: String) {
        let message = format!("{}: {why}", self.pod.plan.image(container).id());
        self.image_found(container, attempt, Err(Refusal { trouble: Trouble::Absent, message }));
    }

    fn image_found(&mut self, container: ContainerIndex, attempt: Attempt, found: Result<Found, Refusal>) {
        for key in found.iter().flat_map(|found| &found.unknown_keys) {
            let image = self.pod.plan.image(container).id();
            self.audience.warn(&format!("{image}: config.json: {key}: no field of an OCI config; it is ignored"));
        }
        let event = match found {
            Ok(found) => {
                let (image_id, stop_signal) = (found.facts.id.clone(), found.facts.stop_signal);
                self.slot(container).image = Image::Known(Box::new(found));
                ContainerEvent::ImageReady { image_id, stop_signal }
            }
            Err(Refusal { trouble: Trouble::Absent, message }) => {
                ContainerEvent::ImageFailed { failure: ImageFailure::Pull, message }
            }
            Err(Refusal { trouble: Trouble::Unusable, message }) => {
                ContainerEvent::ImageUnusable { image_id: self.pod.plan.image(container).id(), message }
            }
        };
        self.answer(container, attempt, event);
    }
}
