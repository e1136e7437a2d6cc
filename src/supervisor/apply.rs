//! Manifests that are applied to the pod while it runs: `plan` has said what of them can be, here it is done.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use barepod_engine::RestartRefusal;
use barepod_engine::event::Event;
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::Supervisor;
use crate::control::{Applied, Changes, Image, Instance, Resized, Resources};
use crate::plan::resize::{self, ResizeRequest};
use crate::plan::{self, ImageSource, Objects, PullFiles};

impl Supervisor<'_> {
    /// Resources first, as only they can be refused by what the box has.
    pub(super) fn apply_changes(&mut self, changes: Changes, descriptors: Vec<OwnedFd>) -> Applied {
        let mut resized = Vec::new();
        let given = given_objects(descriptors);
        let (images, objects) = match given.and_then(|given| self.check_changes(&changes, given)) {
            Ok(new) => new,
            Err(why) => return Applied::Refused { why, resized },
        };
        let Changes { labels, annotations, active_deadline_seconds, resources, auth_file, signature_policy, .. } =
            changes;
        for wanted in resources {
            match self.resize(wanted) {
                Resized::Refused { why } => return Applied::Refused { why, resized },
                other => resized.push(other),
            }
        }
        let metadata = &mut self.pod.manifest.metadata;
        metadata.labels = labels.or(metadata.labels.take());
        metadata.annotations = annotations.or(metadata.annotations.take());
        let new =
            PullFiles { auth_file: auth_file.map(Into::into), signature_policy: signature_policy.map(Into::into) };
        let pull_files = new.or(&self.pod.pull_files);
        let new_files = pull_files != self.pod.pull_files;
        self.pod.pull_files = pull_files;
        let new_objects = objects.is_some();
        if let Some(objects) = objects {
            self.pod.plan.objects = objects;
        }
        // Files that say what they are say it anew, and those of ConfigMaps and Secrets what these do; variables stay as they are, as under the kubelet.
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
        Applied::Done { resized, restarting, objects: new_objects, files: new_files }
    }

    fn change_image(&mut self, new: NewImage) -> Instance {
        let NewImage { container, attempt, image, source } = new;
        if let Some(spec) = &mut self.pod.manifest.spec
            && let Some(one) = plan::container_mut(spec, container)
        {
            one.image = Some(image);
        }
        self.pod.plan.set_image(container, source);
        let image = plan::lifecycle_image(plan::pod_container(&self.pod.manifest, container).manifest);
        self.facts.push_back(Event::DefinitionChanged { container, image });
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
                RestartRefusal::Ephemeral => format!("container {name}: an ephemeral container runs once"),
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
    fn check_changes(&self, changes: &Changes, given: Option<Objects>) -> Result<New, String> {
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
        let namespace = manifest.metadata.namespace.as_deref().unwrap_or("default");
        let objects = match given {
            Some(given) => self.pod.plan.objects.updated(&given, namespace)?,
            None => None,
        };
        if let Some(objects) = &objects {
            plan::check_objects(&manifest, &self.pod.node, objects).map_err(|error| error.to_string())?;
        }
        Ok((self.new_images(changes)?, objects))
    }
}

/// New images, and all ConfigMaps and Secrets where some are different.
type New = (Vec<NewImage>, Option<Objects>);

/// More than a pod's ConfigMaps and Secrets take.
const MOST_BYTES: u64 = 64 << 20;

/// ConfigMaps and Secrets that came with a request.
fn given_objects(descriptors: Vec<OwnedFd>) -> Result<Option<Objects>, String> {
    let Some(file) = descriptors.into_iter().next() else { return Ok(None) };
    let read = || -> io::Result<Objects> {
        let mut file = File::from(file);
        // Nobody is waited for, whatever was handed over.
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        file.rewind()?;
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text)?;
        serde_json::from_slice(&text).map_err(io::Error::other)
    };
    read().map(Some).map_err(|cause| format!("the ConfigMaps and Secrets that came with it: {cause}"))
}

/// An image that a container is to have from now on, and the instance that has it.
struct NewImage {
    container: ContainerIndex,
    attempt: Attempt,
    image: String,
    source: ImageSource,
}
