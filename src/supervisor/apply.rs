//! Manifests that are applied to the pod while it runs: `plan` has said what of them can be, here it is done.

use std::path::Path;
use std::time::Duration;

use barepod_engine::RestartRefusal;
use barepod_engine::event::Event;
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::Supervisor;
use crate::control::{Applied, Changes, Image, Instance, Resized, Resources};
use crate::plan::resize::{self, ResizeRequest};
use crate::plan::{self, ImageSource};

impl Supervisor<'_> {
    /// Resources first, as only they can be refused by what the box has.
    pub(super) fn apply_changes(&mut self, changes: Changes) -> Applied {
        let mut resized = Vec::new();
        let images = match self.check_changes(&changes) {
            Ok(images) => images,
            Err(why) => return Applied::Refused { why, resized },
        };
        let Changes { labels, annotations, active_deadline_seconds, resources, .. } = changes;
        for wanted in resources {
            match self.resize(wanted) {
                Resized::Refused { why } => return Applied::Refused { why, resized },
                other => resized.push(other),
            }
        }
        let metadata = &mut self.pod.manifest.metadata;
        metadata.labels = labels.or(metadata.labels.take());
        metadata.annotations = annotations.or(metadata.annotations.take());
        // Files that say what they are say it anew; variables stay as they are, as under the kubelet.
        self.update_volumes();
        if let (Some(seconds), Some(spec)) = (active_deadline_seconds, &mut self.pod.manifest.spec) {
            spec.active_deadline_seconds = Some(seconds);
            let length = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            self.facts.push_back(Event::ActiveDeadline { length });
        }
        let restarting = images.into_iter().map(|image| self.change_image(image)).collect();
        // The pod is new even where its status isn't; what is told has it written.
        self.written = None;
        self.facts.push_back(Event::Tick);
        Applied::Done { resized, restarting }
    }

    fn change_image(&mut self, new: NewImage) -> Instance {
        let NewImage { container, attempt, image, source } = new;
        if let Some(spec) = &mut self.pod.manifest.spec
            && let Some(one) = plan::container_mut(spec, container)
        {
            one.image = Some(image);
        }
        self.pod.plan.set_image(container, source);
        self.facts.push_back(Event::DefinitionChanged { container });
        Instance { container: self.name(container).to_owned(), restarts: attempt.0 }
    }

    fn new_images(&self, changes: &Changes) -> Result<Vec<NewImage>, String> {
        let new = |(name, Image { image, place }): (&String, &Image)| {
            let mut all = self.pod.plan.lifecycle.containers.iter().zip(0..);
            let (_, index) = all.find(|(one, _)| one.name == *name).ok_or(format!("there is no container {name:?}"))?;
            let container = ContainerIndex(index);
            let why = |refusal| match refusal {
                RestartRefusal::PodEnds => "the pod has ended, or is about to".to_owned(),
                RestartRefusal::Initializing => {
                    format!("container {name}: its image can be changed once the init containers are done")
                }
                RestartRefusal::Init => format!("container {name}: an init container runs once"),
                RestartRefusal::BeingMade => {
                    format!("container {name}: it is being started with the image that it had; try again")
                }
            };
            let attempt = self.engine.change_brings(container).map_err(why)?;
            let source = plan::image_source(name.clone(), place, Path::new("/")).map_err(|error| error.to_string())?;
            Ok(NewImage { container, attempt, image: image.clone(), source })
        };
        changes.images.iter().map(new).collect()
    }

    /// What can be known before anything is done.
    fn check_changes(&self, changes: &Changes) -> Result<Vec<NewImage>, String> {
        if !self.engine.takes_changes() {
            return Err("the pod has ended, or is about to".to_owned());
        }
        let old = self.pod.manifest.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
        if let Some(new) = changes.active_deadline_seconds.filter(|new| !plan::may_be_deadline(old, *new)) {
            let old = old.unwrap_or_default();
            return Err(format!(
                "spec.activeDeadlineSeconds: Invalid value: {new}: must be less than or equal to {old}"
            ));
        }
        let mut manifest = self.pod.manifest.clone();
        for Resources { container, amounts, requests, limits } in changes.resources.iter().cloned() {
            let request = ResizeRequest { container, amounts, requests, limits };
            let resize = resize::resize(&manifest, &request, &self.pod.node, self.pod.plan.memory_qos);
            if let Some(mut resize) = resize.map_err(|error| error.to_string())? {
                resize.spare(&self.pod.plan.cpus).map_err(|error| error.to_string())?;
                manifest = resize.manifest;
            }
        }
        self.new_images(changes)
    }
}

/// An image that a container is to have from now on, and the instance that has it.
struct NewImage {
    container: ContainerIndex,
    attempt: Attempt,
    image: String,
    source: ImageSource,
}
