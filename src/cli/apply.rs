//! `barepod apply`: pods that run become those of their manifests, as far as a pod can be changed; those that aren't there are run.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use k8s_openapi::api::core::v1;

use super::args::{ApplyArgs, Cli, Command, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::files::Depth;
use super::given::{self, Detail, Given};
use super::output::{exit_of_all, print};
use super::restart::{self, Begun};
use super::terminal::sanitize;
use super::{logins, pinned, recover, run};
use crate::control::{self, Applied, Changes, Image, Resized, Resources};
use crate::manifest::{Meaningless, Objects, Reading};
use crate::plan::{self, Immutable, PullFiles};
use crate::runtime::image;
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// Applies the manifests. Once all have proven good each is applied, whatever becomes of the others.
pub fn apply(args: &ApplyArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let All { running, new } = read(args, global, &layout)?;
    let files = logins::pull_files(args.auth_file.as_deref(), args.signature_policy.as_deref())?;
    let exit = exit_of_all(running.into_iter().map(|(given, found)| apply_one(&layout, given, &found, &files)))?;
    match run_new(args, global, new)? {
        Exit::Success => Ok(exit),
        failed => Ok(failed),
    }
}

/// The manifests of an `apply`.
#[derive(Default)]
struct All {
    /// Of pods that are there.
    running: Vec<(Given, Found)>,
    new: Vec<Given>,
}

/// Each pod is looked for once.
fn read(args: &ApplyArgs, global: &Global, layout: &Layout) -> Result<All, CliError> {
    let files = given::texts(&args.filename, &args.config, Depth::of(args.recursive))?;
    let mut objects = Objects::default();
    given::read_objects(&args.config, Detail::Some, &mut objects)?;
    let meaningless = if args.strict { Meaningless::Refused } else { Meaningless::LeftOut };
    let looked = RefCell::new(BTreeMap::new());
    // A pod that is there may have what it refers to from elsewhere.
    let is_new = |pod: &v1::Pod| {
        let Some(name) = given::name_of(pod) else { return false };
        let found = match recover::look(layout, &name) {
            Err(CliError::Store(Error::NotFound(_))) => Ok(None),
            found => found.map(Some),
        };
        let is_new = matches!(found, Ok(None));
        looked.borrow_mut().insert(name, found);
        is_new
    };
    let (namespace, objects, claims) = (args.namespace.as_deref(), Some(&objects), Some(&BTreeSet::new()));
    let set = given::decode(files, &Reading { namespace, objects, claims, whose: Some(&is_new), meaningless })?;
    let mut looked = looked.take();
    let images = args.require_digest.then(|| global.images(layout)).transpose()?;
    let mut found: Vec<Option<Found>> = Vec::new();
    for given in &set.pods {
        let name = given.name()?;
        let mut findings = logins::findings(&given.pod, &given.objects);
        if let Some(images) = &images {
            findings.extend(pinned::findings(&given.pod, images));
        }
        given.refuse(&findings)?;
        found.push(looked.remove(&name).transpose()?.flatten());
    }
    set.tell(if found.iter().any(Option::is_none) { Detail::Some } else { Detail::LeftOut });
    let mut all = All::default();
    for (given, found) in set.pods.into_iter().zip(found) {
        match found {
            Some(found) => all.running.push((given, found)),
            None => all.new.push(given),
        }
    }
    Ok(all)
}

/// Of a pod that is there.
fn apply_one(layout: &Layout, given: Given, found: &Found, files: &PullFiles) -> Result<Exit, CliError> {
    let name = given.name()?;
    let Given { pod: mut wanted, objects, file, .. } = given;
    let shown = sanitize(&file.display().to_string());
    let refused = |why: String| CliError::Refused { what: "apply to", pod: name.clone(), why };
    let ended = || refused(format!("it has ended; `barepod run -d {shown}` runs it anew"));
    match recover::life(found)? {
        Life::Running if !found.has_ended() => {}
        Life::Lost => return Err(CliError::Unsupervised(name)),
        Life::Running | Life::Ended | Life::Left => return Err(ended()),
    }
    let differences = given::differences(&mut recover::pod(found)?, &mut wanted);
    let bare = name.rsplit('/').next().unwrap_or(&name);
    if differences.is_empty() && objects.is_empty() && *files == PullFiles::default() {
        return print(&format!("pod/{bare} unchanged\n"));
    }
    let changes = plan::changes(&wanted, &differences).map_err(|all| {
        let names: Vec<String> = all.iter().map(words_of).collect();
        refused(format!(
            "this can't be changed while it runs: {}; `barepod run -d --replace {shown}` stops it and runs it anew",
            names.join(", ")
        ))
    })?;
    let images = images(&changes, &file).map_err(&refused)?;
    match ask(found, request(changes, images, files.clone()), &objects)?.ok_or_else(ended)? {
        Applied::Done { objects: false, files: false, .. } if differences.is_empty() => {
            print(&format!("pod/{bare} unchanged\n"))
        }
        Applied::Done { resized, restarting, .. } => {
            print(&format!("pod/{bare} configured\n"))?;
            resized.iter().for_each(tell);
            match restarting.is_empty() {
                true => Ok(Exit::Success),
                false => restart::wait(layout, Begun { pod: name, instances: restarting }),
            }
        }
        Applied::Refused { why, resized } => {
            resized.iter().for_each(tell);
            Err(refused(why))
        }
    }
}

/// Those that aren't there run, in the background. In the process that runs one of them this returns, too, when it has ended.
fn run_new(args: &ApplyArgs, global: &Global, pods: Vec<Given>) -> Result<Exit, CliError> {
    if pods.is_empty() {
        return Ok(Exit::Success);
    }
    let mut words: Vec<OsString> = ["barepod", "run", "--detach"].map(OsString::from).to_vec();
    if let Some(file) = &args.auth_file {
        words.extend(["--auth-file".into(), file.into()]);
    }
    if let Some(file) = &args.signature_policy {
        words.extend(["--signature-policy".into(), file.into()]);
    }
    if args.require_digest {
        words.push("--require-digest".into());
    }
    words.push("--".into());
    words.extend(args.filename.iter().map(OsString::from));
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Run(args)) => run::run_given(&args, global, pods),
        Ok(_) | Err(_) => Err(CliError::Usage("the manifest's name can't be handed to `barepod run`")),
    }
}

/// The new images; each must be there and be one, before anything is stopped for it.
fn images(changes: &plan::Changes, file: &Path) -> Result<BTreeMap<String, Image>, String> {
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
