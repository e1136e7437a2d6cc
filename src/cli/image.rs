//! `barepod image`: what the store of this box has, and what is brought into it. Pods use it by themselves.

mod list;
mod name;
mod prune;

use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use super::args::{
    Global, ImageArgs, ImageCommand, ImageExportArgs, ImageImportArgs, ImageLsArgs, ImageNamesArgs, ImageOutput,
    ImagePullArgs, ImageRepairArgs, ImageVerifyArgs,
};
use super::error::CliError;
use super::exit_code::Exit;
use super::logins::auth_file;
use super::output::{exit_of_all, print};
use super::phrases::span;
use super::pulling::{bytes, shown};
use super::user::become_root;
use crate::images::catalogue::{Entry, Stay, Summary};
use crate::images::digest::Digest;
use crate::images::document::Config;
use crate::images::export::Target;
use crate::images::platform::Platform;
use crate::images::progress::Progress;
use crate::images::pull::{Pulled, Repaired};
use crate::images::store::Store;
use crate::plan::{self, ImageSource, Logins, Stored};
use crate::report::table::{ago, columns};
use crate::runtime::image::{self, Place};

/// Does it.
pub fn image(args: &ImageArgs, global: &Global) -> Result<Exit, CliError> {
    let dir = global.images(&global.layout()?)?;
    // Its files belong to users of pods.
    become_root()?;
    match &args.command {
        ImageCommand::Pull(args) => pull(args, &dir),
        ImageCommand::Ls(args) => ls(args, &dir),
        ImageCommand::Inspect(args) => inspect(&args.image, &dir),
        ImageCommand::History(args) => history(&args.image, &dir),
        ImageCommand::Rm(args) => rm(args, &dir),
        ImageCommand::Prune(args) => prune::prune(args, &dir),
        ImageCommand::Verify(args) => verify(args, &dir),
        ImageCommand::Repair(args) => repair(args, &dir),
        ImageCommand::Import(args) => import(args, &dir),
        ImageCommand::Export(args) => export(args, &dir),
    }
}

fn failed(image: &str, cause: impl std::fmt::Display) -> CliError {
    CliError::Image { image: image.to_owned(), cause: cause.to_string() }
}

/// What a name on the command line means: a relative path is relative to where we are.
fn stored(name: &str) -> Result<Stored, CliError> {
    let here = std::env::current_dir().map_err(|cause| failed(name, format!("getcwd: {cause}")))?;
    let source = plan::image_source("IMAGE".to_owned(), name, &here).map_err(|error| failed(name, error))?;
    match image::resolved(source).map_err(|error| failed(name, error))? {
        ImageSource::Stored(stored) => Ok(stored),
        ImageSource::Bundle(_) | ImageSource::Rootfs(_) => {
            Err(failed(name, "it is a folder, which is used where it is and never copied into the store"))
        }
    }
}

fn pull(args: &ImagePullArgs, dir: &Place) -> Result<Exit, CliError> {
    let platform = args.platform.clone().unwrap_or_else(Platform::here);
    let logins = Logins { auth_file: auth_file(args.auth_file.as_deref())?, ..Logins::default() };
    let policy = image::policy(args.signature_policy.as_deref());
    let policy = policy.map_err(|cause| failed(&args.images.join(", "), cause))?;
    for name in args.images.iter().filter(|_| args.require_digest) {
        let lacks = image::unpinned(&ImageSource::Stored(stored(name)?), dir).map_err(|cause| failed(name, cause))?;
        if let Some(lacks) = lacks {
            return Err(failed(name, format!("{}; {}", image::Unpinned::WHY, lacks.help())));
        }
    }
    let one = |name: &String| {
        let (stored, progress, begun) = (stored(name)?, Progress::default(), Instant::now());
        // Only what pods have brought by themselves goes by itself.
        let pull = || image::pull(&stored, dir, &platform, &logins, &progress, policy.as_ref(), Stay::ForGood);
        let pulled = if args.quiet { pull() } else { shown(name, &progress, pull) };
        let (whole, Pulled { is_new, size, removed, .. }) = pulled.map_err(|cause| failed(name, cause))?;
        tell_of_removed(&removed);
        let what = if is_new { "pulled" } else { "is up to date" };
        let took = span(begun.elapsed());
        if args.quiet {
            Ok(Exit::Success)
        } else {
            print(&format!("{whole} {what} ({} packed, {took})\n", bytes(size)))
        }
    };
    exit_of_all(args.images.iter().map(one))
}

fn tell_of_removed(names: &[String]) {
    for name in names {
        tell!("note: the disk was too full; {name}, which no pod had used for a day, was removed");
    }
}

/// An image that is there, with what is known of it.
struct There {
    entry: Entry,
    summary: Summary,
    config: Config,
    /// `None`: a pod uses it.
    last_use: Option<SystemTime>,
}

fn there(store: &Store, name: &str, entry: Entry) -> Result<There, CliError> {
    let summary = store.catalogue.summary(&entry.manifest).map_err(|cause| failed(name, cause))?;
    let config = store.catalogue.config(&summary.config).map_err(|cause| failed(name, cause))?;
    let is_used = store.catalogue.seems_used(&entry.manifest);
    let last_use = (!is_used).then(|| store.catalogue.last_use(&entry.manifest));
    Ok(There { entry, summary, config, last_use })
}

fn entry(store: &Store, name: &str) -> Result<Entry, CliError> {
    let whole = image::name(&stored(name)?).map_err(|cause| failed(name, cause))?;
    let found = store.catalogue.find(&whole).map_err(|cause| failed(name, cause))?;
    found.ok_or_else(|| failed(name, "it is not in the store of this box; `barepod image ls` shows what is"))
}

fn find(store: &Store, name: &str) -> Result<There, CliError> {
    there(store, name, entry(store, name)?)
}

/// As [`chosen`], also those of which nothing else can be read.
fn entries(store: &Store, names: &[String]) -> Result<Vec<Entry>, CliError> {
    if names.is_empty() {
        return store.catalogue.list().map_err(|cause| failed("the store", cause));
    }
    names.iter().map(|name| entry(store, name)).collect()
}

/// Those that are named, or all.
fn chosen(store: &Store, names: &[String]) -> Result<Vec<There>, CliError> {
    if names.is_empty() {
        let all = store.catalogue.list().map_err(|cause| failed("the store", cause))?;
        return all.into_iter().map(|entry| there(store, &entry.name.clone(), entry)).collect();
    }
    names.iter().map(|name| find(store, name)).collect()
}

fn ls(args: &ImageLsArgs, dir: &Place) -> Result<Exit, CliError> {
    let images = chosen(&Store::of(dir), &args.images)?;
    match args.output {
        Some(ImageOutput::Name) => print(&images.iter().map(|one| format!("{}\n", one.entry.name)).collect::<String>()),
        Some(ImageOutput::Json) => print(&format!("{:#}\n", Value::Array(images.iter().map(object).collect()))),
        None => {
            let now = jiff::Timestamp::now();
            let age = |then: SystemTime| {
                jiff::Timestamp::try_from(then).map_or_else(|_| "<unknown>".to_owned(), |then| ago(now, then))
            };
            let row = |one: &There| {
                let pulled = age(one.summary.time());
                let used = match &one.entry.read_only {
                    Some(_) => "read-only".to_owned(),
                    None => one.last_use.map_or_else(|| "now".to_owned(), age),
                };
                vec![one.entry.name.clone(), one.entry.source.short().to_owned(), bytes(one.summary.size), pulled, used]
            };
            print(&columns(&["NAME", "DIGEST", "SIZE", "PULLED", "USED"], images.iter().map(row)))
        }
    }
}

fn object(one: &There) -> Value {
    let time = |time: SystemTime| jiff::Timestamp::try_from(time).ok().map(|time| time.to_string());
    json!({
        "name": one.entry.name,
        "digest": one.entry.source,
        "manifest": one.entry.manifest,
        "config": one.summary.config,
        "layers": one.summary.layers,
        "size": one.summary.size,
        "platform": one.config.platform().to_string(),
        "created": one.config.created().map(|time| time.to_string()),
        "pulled": time(one.summary.time()),
        "lastUsed": one.last_use.and_then(time),
        "inUse": one.last_use.is_none(),
        "kept": one.entry.is_kept,
        "readOnly": one.entry.read_only,
    })
}

fn inspect(name: &str, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    let found = find(&store, name)?;
    let process = found.config.process();
    let mut shown = object(&found);
    shown["config"] = json!({
        "digest": found.summary.config,
        "entrypoint": process.entrypoint,
        "cmd": process.cmd,
        "env": process.env,
        "user": process.user,
        "workingDir": process.working_dir,
        "stopSignal": process.stop_signal,
        "volumes": process.volumes,
        "exposedPorts": process.exposed_ports,
        "labels": process.labels,
    });
    print(&format!("{shown:#}\n"))
}

fn history(name: &str, dir: &Place) -> Result<Exit, CliError> {
    let found = find(&Store::of(dir), name)?;
    let row = |step: &crate::images::document::History| {
        let when = step.created().map_or_else(|| "<unknown>".to_owned(), |time| time.to_string());
        let layer = if step.empty_layer { "-" } else { "yes" };
        vec![when, layer.to_owned(), step.created_by.clone(), step.comment.clone()]
    };
    // The last step first, as docker and podman show them.
    print(&columns(&["CREATED", "LAYER", "CREATED BY", "COMMENT"], found.config.history().iter().rev().map(row)))
}

fn rm(args: &ImageNamesArgs, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    let one = |name: &String| {
        let entry = entry(&store, name)?;
        if let Some(below) = &entry.read_only {
            return Err(failed(name, format!("it is in {}, a store that is never changed", below.display())));
        }
        store.forget(&entry.name).map_err(|cause| failed(name, cause))?;
        print(&format!("{}\n", entry.name))
    };
    let exit = exit_of_all(args.images.iter().map(one));
    prune::sweep(&store)?;
    exit
}

fn verify(args: &ImageVerifyArgs, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    let one = |entry: Entry| {
        let name = &entry.name;
        let damaged = damaged(&store, &entry)?;
        match damaged.is_empty() {
            true => print(&format!("{name} is whole\n")),
            false => {
                let all = damaged.join("; ");
                Err(failed(
                    name,
                    format!("it is damaged: {all}; `barepod image repair` brings its damaged parts again"),
                ))
            }
        }
    };
    exit_of_all(entries(&store, &args.images)?.into_iter().map(one))
}

/// All that is wrong with an image.
fn damaged(store: &Store, entry: &Entry) -> Result<Vec<String>, CliError> {
    let mut damaged = store.damaged_documents(entry).map_err(|cause| failed(&entry.name, cause))?;
    // Without a summary nobody can tell which layers it has.
    let summary = store.catalogue.summary(&entry.manifest).ok();
    let layers = summary.iter().flat_map(|summary| &summary.layers);
    damaged.extend(layers.flat_map(|layer| of_layer(store, layer)));
    Ok(damaged)
}

fn repair(args: &ImageRepairArgs, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    list::mend(&store)?;
    let logins = Logins { auth_file: auth_file(args.auth_file.as_deref())?, ..Logins::default() };
    let one = |entry: &Entry| {
        let name = &entry.name;
        let stored = stored(name)?;
        let unmended = |cause| match &stored {
            // Nothing in the store says where it is from.
            Stored::Registry(_) => {
                failed(name, format!("{cause}; if it was imported, `barepod image import FILE` mends it"))
            }
            Stored::File { .. } => failed(name, cause),
        };
        let done = image::repair(&stored, entry, dir, &logins).map_err(unmended)?;
        let Repaired { documents, layers, of_layers, size } = done;
        if done.is_nothing() {
            return print(&format!("{name} is whole\n"));
        }
        let documents = match documents {
            0 => String::new(),
            1 => " and 1 document".to_owned(),
            many => format!(" and {many} documents"),
        };
        let size = bytes(size);
        print(&format!("{name} is whole again: {layers} of {of_layers} layers{documents} came anew ({size} packed)\n"))
    };
    let all = entries(&store, &args.images)?;
    let mut results = Vec::with_capacity(all.len());
    // What can't be had again for one may be a layer that comes for another, from where that is from.
    let mut unmended = Vec::new();
    for entry in &all {
        match one(entry) {
            Err(error) => unmended.push((entry, error)),
            done => results.push(done),
        }
    }
    let by_others = |(entry, error)| match damaged(&store, entry) {
        Ok(damaged) if damaged.is_empty() => print(&format!("{} is whole again\n", entry.name)),
        _ => Err(error),
    };
    exit_of_all(results.into_iter().chain(unmended.into_iter().map(by_others)))
}

fn import(args: &ImageImportArgs, dir: &Place) -> Result<Exit, CliError> {
    let from = args.from.display().to_string();
    let done = image::import(&args.from, args.name.as_deref(), dir, args.signature_policy.as_deref());
    let (name, pulled, repaired) = done.map_err(|cause| failed(&from, cause))?;
    tell_of_removed(&pulled.removed);
    let what = match (pulled.is_new, repaired.is_nothing()) {
        (true, _) => "imported",
        (false, true) => "is up to date",
        (false, false) => "is whole again",
    };
    print(&format!("{name} {what} ({} packed)\n", bytes(pulled.size)))
}

fn export(args: &ImageExportArgs, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    let stored = stored(&args.image)?;
    let entry = entry(&store, &args.image)?;
    let name = match &stored {
        Stored::Registry(_) => name::without_digest(&entry.name),
        Stored::File { name, .. } => name.clone(),
    };
    store.export(&entry, name.as_deref(), &Target::of(&args.to)).map_err(|cause| failed(&args.image, cause))?;
    print(&format!("{} written to {}\n", entry.name, args.to))
}

/// What is wrong with a layer.
fn of_layer(store: &Store, layer: &Digest) -> Vec<String> {
    match store.layers.verify(layer) {
        Ok(differences) => differences.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}
