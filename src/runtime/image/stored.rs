//! Images of the box's store: found there, and brought into it.

use std::path::Path;

use oci_spec::runtime::{ProcessBuilder, UserBuilder};

use super::bundle::signal;
use super::error::ImageError;
use super::opened::{Image, default_config};
use crate::images::catalogue::{Catalogue, CatalogueError, Entry, Stay};
use crate::images::credentials::{Credentials, CredentialsError};
use crate::images::digest::Digest;
use crate::images::document::Config;
use crate::images::local::{DockerArchive, Given, Layout, LocalError, given, split};
use crate::images::origin::{Origin, OriginError};
use crate::images::platform::Platform;
use crate::images::progress::Progress;
use crate::images::pull::{PullError, Pulled, Repaired, Wish};
use crate::images::reference::{NoReference, Reference};
use crate::images::remote::{Remote, full_name};
use crate::images::store::{Place, Store, StoreError};
use crate::images::trust::{Policy, Rules, Subject, TrustError};
use crate::plan::{FileKind, ImageSource, Logins, Stored};
use crate::runtime::rlimits;

/// What is in the store under the name of this image, where it is trusted.
///
/// # Errors
/// Where it isn't there, or can't be used.
pub(super) fn open(stored: &Stored, store: &Place, policy: Option<&Policy>) -> Result<Image, ImageError> {
    let (id, store) = (stored.to_string(), Store::of(store));
    let unreadable = |cause: StoreError| ImageError::Store { image: id.clone(), cause: Box::new(cause) };
    let failed = |cause: CatalogueError| unreadable(cause.into());
    let name = name(stored)?;
    let Some(entry) = store.catalogue.find(&name).map_err(failed)? else {
        return Err(ImageError::NotThere { image: id });
    };
    // Under a name with a digest there is nothing else; what older versions took for it isn't it.
    if let Stored::Registry(name) = stored
        && let Some(wanted) = reference(name)?.digest()
        && wanted.algorithm() == entry.source.algorithm()
        && *wanted != entry.source
    {
        return Err(ImageError::NotThere { image: id });
    }
    // What isn't trusted any more is as good as not there: a pull says why, or finds signatures that will do.
    let is_trusted =
        rules(stored, policy).is_ok_and(|rules| rules.hold(&entry.proofs, &[&entry.source, &entry.manifest]));
    if !is_trusted {
        return Err(ImageError::NotThere { image: id });
    }
    // What can't be read is as good as not there: a pull brings it again.
    let damaged = |what: String| ImageError::Damaged { image: id.clone(), what };
    let not_there = |cause: CatalogueError| damaged(cause.to_string());
    let summary = store.catalogue.summary(&entry.manifest).map_err(not_there)?;
    let config = store.catalogue.config(&summary.config).map_err(not_there)?;
    // Somebody has pulled it for another box.
    let made_for = config.platform();
    if !made_for.architecture.is_empty() && Platform::here().rank(&made_for).is_none() {
        return Err(ImageError::NotThere { image: id });
    }
    let tree = |layer: &Digest| {
        let missing = || damaged(format!("the layer {layer} has lost its files or its record"));
        match store.layers.find(layer) {
            Ok(found) => found.map(|layer| layer.tree).ok_or_else(missing),
            Err(cause) => Err(unreadable(cause.into())),
        }
    };
    // The kernel counts from the highest on.
    let mut trees = summary.layers.iter().rev().map(tree).collect::<Result<Vec<_>, _>>()?;
    if trees.is_empty() {
        trees.push(store.empty().map_err(unreadable)?);
    }
    let below = trees.split_off(1);
    let rootfs = trees.remove(0);
    let process = config.process();
    let stop_signal = match process.stop_signal.as_str() {
        "" => None,
        name => Some(signal(name).ok_or_else(|| ImageError::StopSignal { image: id.clone(), name: name.to_owned() })?),
    };
    Ok(Image {
        id: image_id(stored, &entry, &summary.config),
        rootfs,
        below,
        volumes: process.volumes.iter().map(Into::into).collect(),
        bundle: "/".into(),
        stop_signal,
        base: base(&config),
        entrypoint: process.entrypoint.len(),
        user: process.user.clone(),
        accounts: Some([summary.passwd, summary.group]),
        // Nobody removes what a store below has.
        lease: store.catalogue.is_own(&entry.manifest).then(|| store.catalogue.summary_path(&entry.manifest)),
        config: Vec::new(),
    })
}

/// Keeps an image of the store from being removed, by what [`Found`](super::Found) says; `None`: it is gone, or about to be.
///
/// # Errors
/// As open(2), flock(2).
pub fn lease(path: &Path) -> std::io::Result<Option<Lease>> {
    Ok(Catalogue::lease(path)?.map(Lease))
}

/// For as long as it lives.
#[derive(Debug)]
pub struct Lease(#[expect(dead_code, reason = "holds the lock")] crate::images::catalogue::Lease);

/// Brings an image into the store, or what is there up to date; `progress` tells how far it is; `policy`: what is trusted, where
/// that isn't everything. Gives its name there.
///
/// # Errors
/// Where it can't be had.
pub fn pull(
    stored: &Stored,
    store: &Place,
    platform: &Platform,
    logins: &Logins,
    progress: &Progress,
    policy: Option<&Policy>,
    stay: Stay,
) -> Result<(String, Pulled), ImageError> {
    let (name, image) = (name(stored)?, stored.to_string());
    let failed = |cause| ImageError::Pull { image: image.clone(), cause: Box::new(cause) };
    let rules = rules(stored, policy).map_err(failed)?;
    let origin = origin(stored, logins).map_err(|cause| failed(PullError::Origin(cause)))?;
    for_many_layers();
    let wish = Wish { name: &name, platform, rules: &rules, stay };
    let pulled = Store::of(store).pull(&wish, &*origin, progress).map_err(failed)?;
    Ok((name, pulled))
}

/// What says what is trusted: the file that was given, or this box's. `None`: there is none, and everything is.
///
/// # Errors
/// Where it can't be read.
pub fn policy(given: Option<&Path>) -> Result<Option<Policy>, TrustError> {
    Policy::of_this_box(given, |name| std::env::var(name).ok())
}

/// Nobody can say whether this image is trusted.
pub(super) fn untrusted(stored: &Stored, cause: TrustError) -> ImageError {
    ImageError::Pull { image: stored.to_string(), cause: Box::new(cause.into()) }
}

/// What the policy wants of this image.
fn rules(stored: &Stored, policy: Option<&Policy>) -> Result<Rules, PullError> {
    let Some(policy) = policy else { return Ok(Rules::default()) };
    let subject = match stored {
        // By the name that it has in the store.
        Stored::Registry(name) => {
            Subject::Registry(name.parse().map_err(|cause: NoReference| PullError::Origin(cause.into()))?)
        }
        Stored::File { kind, path, name } => Subject::File {
            transport: match kind {
                FileKind::Layout => "oci",
                FileKind::OciArchive => "oci-archive",
                FileKind::DockerArchive => "docker-archive",
            },
            // Not another name of what has a scope.
            path: path.canonicalize().unwrap_or_else(|_| path.clone()),
            name: name.clone(),
        },
    };
    Ok(policy.rules(&subject)?)
}

/// Has come again what is damaged of an image of the store.
///
/// # Errors
/// Where it can't be had.
pub fn repair(stored: &Stored, entry: &Entry, store: &Place, logins: &Logins) -> Result<Repaired, ImageError> {
    let failed = |cause| ImageError::Pull { image: stored.to_string(), cause: Box::new(cause) };
    let open = |digest: Option<&Digest>| match digest {
        Some(digest) => origin_at(stored, digest, logins),
        None => origin(stored, logins),
    };
    for_many_layers();
    Store::of(store).repair(entry, &open).map_err(failed)
}

/// Brings an image of a file or folder into the store under a name of a registry's; what is damaged of it there is mended. `None`:
/// under the one that it has in the file. Gives that. Which of several is said behind a colon, as in `image:`. `given_policy`: the
/// file that says what is trusted, in the place of this box's.
///
/// # Errors
/// Where it can't be read, or has no such name, or isn't trusted, or can't be kept.
pub fn import(
    from: &Path,
    name: Option<&str>,
    store: &Place,
    given_policy: Option<&Path>,
) -> Result<(String, Pulled, Repaired), ImageError> {
    let (path, which) = split(from);
    let image = from.display().to_string();
    let failed = |cause| ImageError::Pull { image: image.clone(), cause: Box::new(cause) };
    let of_file = |cause: LocalError| failed(PullError::Origin(cause.into()));
    let Given { origin, names } = given(path, which, name).map_err(of_file)?;
    // The one that was asked for, of several. A tag alone, as layouts have it, says nothing of the image.
    let asked = |one: &&String| Some(one.as_str()) == which;
    let is_whole = |one: &&String| one.contains(['/', ':']);
    let own = names.iter().filter(is_whole).find(asked).or_else(|| names.iter().find(is_whole));
    let Some(wanted) = name.or(own.map(String::as_str)) else {
        let cause = "it has no whole name there: say one as well, as in `barepod image import FILE web:1.0`";
        return Err(failed(PullError::Origin(cause.into())));
    };
    let whole = reference(wanted)?.to_string();
    // Those of the name that it gets: by it pods are to find it.
    let stored = Stored::Registry(whole.clone());
    let policy = policy(given_policy).map_err(|cause| untrusted(&stored, cause))?;
    let rules = rules(&stored, policy.as_ref()).map_err(failed)?;
    for_many_layers();
    let store = Store::of(store);
    // Nobody could bring it again.
    let wish = Wish { name: &whole, platform: &Platform::here(), rules: &rules, stay: Stay::ForGood };
    let pulled = store.pull(&wish, &*origin, &Progress::default()).map_err(failed)?;
    let again = |_: Option<&Digest>| given(path, which, name).map(|given| given.origin).map_err(OriginError::from);
    let repaired = match pulled.is_new {
        true => Repaired::default(),
        false => store.repair(&pulled.entry, &again).map_err(failed)?,
    };
    Ok((whole, pulled, repaired))
}

/// To see what layers show one over the other, each of them is open, and once more for each folder on the way: of 340 on that is
/// more than the 1024 files that a process may have open by default.
fn for_many_layers() {
    let _ = rlimits::raise_open_files();
}

/// The name that an image has in the store: the whole one, whatever was left out of it.
///
/// # Errors
/// Where it is none.
pub fn name(stored: &Stored) -> Result<String, ImageError> {
    match stored {
        Stored::Registry(name) => Ok(reference(name)?.to_string()),
        Stored::File { .. } => Ok(stored.to_string()),
    }
}

/// Whether an image has a name by which it could be brought.
///
/// # Errors
/// Where it has none.
pub fn check_name(source: &ImageSource) -> Result<(), ImageError> {
    match source {
        ImageSource::Stored(stored) => name(stored).map(drop),
        ImageSource::Bundle(_) | ImageSource::Rootfs(_) => Ok(()),
    }
}

fn reference(name: &str) -> Result<Reference, ImageError> {
    name.parse().map_err(|cause| ImageError::Name { image: name.to_owned(), cause })
}

/// The same image by its whole name, as this box's aliases of short names have it (containers-registries.conf(5)). Reads files:
/// for commands, not for who supervises a pod.
///
/// # Errors
/// Where it is no name.
pub fn resolved(source: ImageSource) -> Result<ImageSource, ImageError> {
    let ImageSource::Stored(Stored::Registry(name)) = &source else { return Ok(source) };
    let whole = full_name(name).map_err(|cause| ImageError::Name { image: name.clone(), cause })?;
    Ok(ImageSource::Stored(Stored::Registry(whole.to_string())))
}

fn origin(stored: &Stored, logins: &Logins) -> Result<Box<dyn Origin>, OriginError> {
    Ok(match stored {
        // The name that it has in the store: an alias that was not looked at for that doesn't count here either.
        Stored::Registry(name) => {
            let whole: Reference = name.parse()?;
            Box::new(Remote::new(&whole.to_string(), &credentials(logins, |name| std::env::var(name).ok())?)?)
        }
        Stored::File { kind, path, name } => {
            let name = name.as_deref();
            match kind {
                FileKind::Layout => Box::new(Layout::folder(path, name)?),
                FileKind::OciArchive => Box::new(Layout::archive(path, name)?),
                FileKind::DockerArchive => Box::new(DockerArchive::open(path, name)?),
            }
        }
    })
}

/// The same place at a digest, as far as it can be asked by one.
fn origin_at(stored: &Stored, digest: &Digest, logins: &Logins) -> Result<Box<dyn Origin>, OriginError> {
    Ok(match stored {
        Stored::Registry(name) => {
            let whole: Reference = name.parse()?;
            origin(&Stored::Registry(whole.at(digest.clone()).to_string()), logins)?
        }
        Stored::File { kind: FileKind::Layout | FileKind::OciArchive, path, .. } => Box::new(Layout::at(path, digest)?),
        Stored::File { kind: FileKind::DockerArchive, .. } => origin(stored, logins)?,
    })
}

fn credentials(logins: &Logins, environment: impl Fn(&str) -> Option<String>) -> Result<Credentials, CredentialsError> {
    let mut all = Credentials::new(logins.auth_file.as_deref(), environment);
    logins.secrets.iter().try_for_each(|secret| all.add_secret(&secret.name, &secret.content.0))?;
    Ok(all)
}

/// Whether these logins can be read, whichever registry they are for: these alone, not what this process' environment names.
///
/// # Errors
/// In words, what is wrong with the first that can't be.
pub fn check_logins(logins: &Logins) -> Result<(), String> {
    credentials(logins, |_| None).and_then(|all| all.check()).map_err(|cause| cause.to_string())
}

/// `imageID`, as containerd has it: the repository with the digest of what its name stands for; of an image without a
/// repository its config's digest.
fn image_id(stored: &Stored, entry: &Entry, config: &Digest) -> String {
    let repository = match stored {
        Stored::Registry(name) => reference(name).ok(),
        Stored::File { .. } => None,
    };
    repository.map_or_else(|| config.to_string(), |found| found.at(entry.source.clone()).to_string())
}

/// The image's config as a container's: what a manifest is silent on.
fn base(config: &Config) -> oci_spec::runtime::Spec {
    let process = config.process();
    let user = UserBuilder::default().build().expect("a user has no field that must be given");
    let cwd = if process.working_dir.is_empty() { "/" } else { &process.working_dir };
    let mut base =
        ProcessBuilder::default().user(user).cwd(cwd).build().expect("a process has no field that must be given");
    let args: Vec<String> = process.entrypoint.iter().chain(&process.cmd).cloned().collect();
    base.set_args(Some(args).filter(|args| !args.is_empty()));
    base.set_env(Some(process.env.clone()).filter(|env| !env.is_empty()));
    base.set_capabilities(None).set_rlimits(None).set_no_new_privileges(None);
    let mut spec = default_config();
    spec.set_process(Some(base));
    spec
}
