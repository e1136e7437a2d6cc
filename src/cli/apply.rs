//! `barepod apply`: the pod that runs becomes that of its manifest, as far as a pod can be changed; one that isn't there is run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use super::args::{ApplyArgs, Cli, Command, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::restart::{self, Begun};
use super::terminal::sanitize;
use super::{given, logins, pinned, recover, run};
use crate::control::{self, Applied, Changes, Image, Resized, Resources};
use crate::manifest::Objects;
use crate::plan::{self, Immutable};
use crate::runtime::image;
use crate::store::Error;
use crate::store::read::{Found, Life};

/// Applies the manifest.
pub fn apply(args: &ApplyArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let file = &args.filename;
    let mut given = given::named(file, args.namespace.as_deref())?;
    if args.config.iter().any(|one| one == Path::new("-")) && file == Path::new("-") {
        return Err(CliError::Usage("only one of --filename and --config can be standard input"));
    }
    given::read_objects(&args.config, &mut given.objects)?;
    let auth_file = logins::auth_file(args.auth_file.as_deref())?;
    let mut findings = logins::findings(&given.pod, &given.objects);
    if args.require_digest {
        findings.extend(pinned::findings(&given.pod, &global.images(&layout)?));
    }
    given.refuse(&findings)?;
    let given::Named { name, pod: mut wanted, objects, .. } = given;
    let found = match recover::look(&layout, &name) {
        Ok(found) => found,
        Err(CliError::Store(Error::NotFound(_))) => return run_it(args, global, name),
        Err(error) => return Err(error),
    };
    let shown = sanitize(&file.display().to_string());
    let refused = |why: String| CliError::Refused { what: "apply to", pod: name.clone(), why };
    let ended = || refused(format!("it has ended; `barepod run -d {shown}` runs it anew"));
    match recover::life(&found)? {
        Life::Running if !found.has_ended() => {}
        Life::Lost => return Err(CliError::Unsupervised(name)),
        Life::Running | Life::Ended | Life::Left => return Err(ended()),
    }
    let differences = given::differences(&mut recover::pod(&found)?, &mut wanted);
    let bare = name.rsplit('/').next().unwrap_or(&name);
    if differences.is_empty() && objects.is_empty() && auth_file.is_none() {
        return print(&format!("pod/{bare} unchanged\n"));
    }
    let changes = plan::changes(&wanted, &differences).map_err(|all| {
        let names: Vec<String> = all.iter().map(words_of).collect();
        refused(format!(
            "this can't be changed while it runs: {}; `barepod run -d --replace {shown}` stops it and runs it anew",
            names.join(", ")
        ))
    })?;
    let images = images(&changes, file).map_err(&refused)?;
    match ask(&found, request(changes, images, auth_file.as_deref()), &objects)?.ok_or_else(ended)? {
        Applied::Done { objects: false, .. } if differences.is_empty() => print(&format!("pod/{bare} unchanged\n")),
        Applied::Done { resized, restarting, .. } => {
            print(&format!("pod/{bare} configured\n"))?;
            resized.iter().for_each(tell);
            match restarting.is_empty() {
                true => Ok(Exit::Success),
                false => restart::wait(&layout, Begun { pod: name, instances: restarting }),
            }
        }
        Applied::Refused { why, resized } => {
            resized.iter().for_each(tell);
            Err(refused(why))
        }
    }
}

/// A first one runs, in the background.
fn run_it(args: &ApplyArgs, global: &Global, name: String) -> Result<Exit, CliError> {
    if args.filename == Path::new("-") {
        let why = "it isn't there, and standard input can't be read twice: `barepod run -d -` runs it".to_owned();
        return Err(CliError::Refused { what: "apply to", pod: name, why });
    }
    let mut words: Vec<OsString> = ["barepod", "run", "--detach"].map(OsString::from).to_vec();
    if let Some(namespace) = &args.namespace {
        words.extend(["--namespace".into(), namespace.into()]);
    }
    for file in &args.config {
        words.extend(["--config".into(), file.clone().into()]);
    }
    if let Some(file) = &args.auth_file {
        words.extend(["--auth-file".into(), file.into()]);
    }
    if args.require_digest {
        words.push("--require-digest".into());
    }
    words.extend(["--".into(), args.filename.clone().into()]);
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Run(args)) => run::run(&args, global),
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
fn request(changes: plan::Changes, images: BTreeMap<String, Image>, auth_file: Option<&Path>) -> Changes {
    let plan::Changes { labels, annotations, active_deadline_seconds, resources, .. } = changes;
    let of = |(container, amounts): (String, plan::ContainerResources)| {
        let plan::ContainerResources { requests, limits } = amounts;
        Resources { container: Some(container), requests, limits, ..Resources::default() }
    };
    let resources = resources.into_iter().map(of).collect();
    let auth_file = auth_file.map(|path| path.display().to_string());
    Changes { labels, annotations, active_deadline_seconds, images, objects: false, resources, auth_file }
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
