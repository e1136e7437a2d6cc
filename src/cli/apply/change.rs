//! The change of a pod that runs, which its supervisor makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::restart::{self, Begun};
use super::super::terminal::sanitize;
use super::said::{Outcome, Said};
use crate::control::{self, Applied, Changes, Image, Resized, Resources};
use crate::manifest::Objects;
use crate::plan::{self, Difference, Immutable, PullFiles};
use crate::runtime::image;
use crate::store::layout::Layout;
use crate::store::read::Found;

/// What a pod is to be changed to.
pub(super) struct Change {
    /// `NAMESPACE/NAME`.
    pub(super) pod: String,
    /// Its manifest's file, for messages.
    pub(super) file: String,
    pub(super) found: Found,
    pub(super) differences: Vec<Difference>,
    pub(super) changes: plan::Changes,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) objects: Rc<Objects>,
}

pub(super) fn refused(pod: &str, why: String) -> CliError {
    CliError::Refused { what: "apply to", pod: pod.to_owned(), why }
}

/// Of a pod that has ended though it should run, or that is different since.
pub(super) fn ended(pod: &str, file: &str) -> CliError {
    refused(pod, format!("it has ended; `barepod run -d {file}` runs it anew, as does `apply --replace`"))
}

/// What is different and can't be changed.
pub(super) fn immutable(pod: &str, file: &str, all: &[Immutable]) -> CliError {
    let names: Vec<String> = all.iter().map(words_of).collect();
    let why = format!(
        "this can't be changed while it runs: {}; `barepod run -d --replace {file}` stops it and runs it anew, as does \
         `apply --replace`",
        names.join(", ")
    );
    refused(pod, why)
}

/// Asks for it, and waits until containers have restarted that have to for it.
pub(super) fn make(layout: &Layout, change: Change, files: &PullFiles, said: &Said) -> Result<Exit, CliError> {
    let Change { pod, file, found, differences, changes, images, objects } = change;
    let asked = ask(&found, request(changes, images, files.clone()), &objects)?;
    match asked.ok_or_else(|| ended(&pod, &file))? {
        Applied::Done { objects: false, files: false, .. } if differences.is_empty() => {
            said.of(&pod, Outcome::Unchanged, &[])
        }
        Applied::Done { resized, restarting, .. } => {
            said.of(&pod, Outcome::Configured, &differences)?;
            resized.iter().for_each(tell);
            match restarting.is_empty() {
                true => Ok(Exit::Success),
                false => restart::wait(layout, Begun { pod, instances: restarting }),
            }
        }
        Applied::Refused { why, resized } => {
            resized.iter().for_each(tell);
            Err(refused(&pod, why))
        }
    }
}

/// The new images; each must be there and be one, before anything is stopped for it.
pub(super) fn images(changes: &plan::Changes, file: &Path) -> Result<BTreeMap<String, Image>, String> {
    let folder = std::path::absolute(file).map_err(|error| error.to_string())?;
    // Standard input's paths are relative to where we are.
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let read = |(container, text): (&String, &String)| {
        let source = plan::image_source(format!("the image of container {container}"), text, folder);
        let source = source.map_err(|error| error.to_string())?;
        let source = image::resolved(source).map_err(|error| format!("container {container}: {error}"))?;
        if let Err(error) = image::open(&source)
            && error.defect().is_some()
        {
            return Err(format!("container {container}: image {text}: {error}"));
        }
        Ok((container.clone(), Image { image: text.clone(), place: source.id() }))
    };
    changes.images.iter().map(read).collect()
}

/// What is asked of the supervisor.
fn request(changes: plan::Changes, images: BTreeMap<String, Image>, files: PullFiles) -> Changes {
    let plan::Changes { labels, annotations, active_deadline_seconds, resources, .. } = changes;
    let of = |(container, amounts): (String, plan::ContainerResources)| {
        let plan::ContainerResources { requests, limits } = amounts;
        Resources { container: Some(container), requests, limits, ..Resources::default() }
    };
    let resources = resources.into_iter().map(of).collect();
    let [auth_file, signature_policy] =
        [files.auth_file, files.signature_policy].map(|path| path.map(|path| path.display().to_string()));
    let objects = false;
    Changes { labels, annotations, active_deadline_seconds, images, objects, resources, auth_file, signature_policy }
}

fn ask(found: &Found, changes: Changes, objects: &Objects) -> Result<Option<Applied>, CliError> {
    let text = (!objects.is_empty()).then(|| serde_json::to_vec(objects).unwrap_or_default());
    Ok(control::apply(&found.dir, changes, text.as_deref(), || found.runs_on())?)
}

/// Of a container whose resources are new.
fn tell(resized: &Resized) {
    match resized {
        Resized::Done { container } => tell!("container {container} resized"),
        Resized::Restarting { container } => {
            tell!("container {container} resized; its resizePolicy has it restarted for that");
        }
        Resized::Later { container } => {
            tell!("container {container} resized; it doesn't run now and gets them when it does");
        }
        Resized::Unchanged | Resized::Refused { .. } => {}
    }
}

/// `spec.containers[0].command (container main)`.
fn words_of(one: &Immutable) -> String {
    let of = one.container.as_ref().map(|name| format!("container {name}"));
    let why = one.why.map(str::to_owned);
    let more = [of, why].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let more = if more.is_empty() { more } else { format!(" ({more})") };
    sanitize(&format!("{}{more}", one.field))
}
