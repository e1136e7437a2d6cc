//! The container's file systems, as far as they have to be ready before libcontainer: the overlay over the bundle's
//! rootfs, and subPaths. Runs in the helper, in its own mount namespace.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use oci_spec::runtime::Spec;
use rustix::fs::Mode;

use super::attempt::AttemptDirs;
use super::failure::{Failure, Stage};
use super::overlay::Overlay;
use super::upper;
use super::users::Users;
use crate::plan::{ContainerPlan, DataMount, Missing, Rights, SubPath};
use crate::runtime::files::{self, Create, SubPathFault};

/// Gives this process a mount namespace of its own, and in it a place for the mounts and files that only the making
/// of the container needs: in memory, as nobody has to remove there what ends with the namespace.
pub(super) fn own_mounts(dirs: &AttemptDirs) -> Result<(), Failure> {
    let failed = |object, errno: nix::Error| Failure::io(Stage::RootFs, object, errno);
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| failed("unshare mount namespace", errno))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| failed("mount --make-rslave /", errno))?;
    let place = dirs.mounts();
    fs::create_dir(&place).map_err(|cause| Failure::io(Stage::RootFs, place.display(), cause))?;
    mount(Some("barepod"), &place, Some("tmpfs"), MsFlags::empty(), Some("mode=711"))
        .map_err(|errno| Failure::io(Stage::RootFs, format!("mount tmpfs {}", place.display()), errno))
}

/// Mounts the root file system at `state/rootfs`. A read-only one gets an upper layer as well: mount points that the
/// bundle lacks have to be made somewhere, and never in the bundle. libcontainer makes it read-only afterwards.
pub(super) fn mount_root(plan: &ContainerPlan, dirs: &AttemptDirs, users: Option<&Users>) -> Result<(), Failure> {
    let target = dirs.mounts().join("rootfs");
    let (upper, work) = (dirs.data.join("upper"), dirs.data.join("work"));
    for folder in [&target, &upper, &work] {
        files::make_all(folder).map_err(|cause| Failure::io(Stage::RootFs, folder.display(), cause))?;
    }
    // The root of an overlay looks like its upper's root.
    let lower_facts =
        fs::metadata(&plan.rootfs).map_err(|cause| Failure::io(Stage::RootFs, plan.rootfs.display(), cause))?;
    fs::set_permissions(&upper, lower_facts.permissions())
        .map_err(|cause| Failure::io(Stage::RootFs, upper.display(), cause))?;
    if let Some(users) = users {
        // What is copied up has the ids that it is seen with, so the upper layer needs no mapping of its own.
        let owner = |id| users.host(id).unwrap_or(users.root());
        std::os::unix::fs::chown(&upper, Some(owner(lower_facts.uid())), Some(owner(lower_facts.gid())))
            .map_err(|cause| Failure::io(Stage::RootFs, upper.display(), cause))?;
    }
    let layers = open_layers([&plan.rootfs].into_iter().chain(&plan.below), &dirs.mounts().join("lower"), users)?;
    // Layers of a stored image belong to users whom the namespace has.
    if plan.rights == Rights::UserNamespace && plan.below.is_empty() {
        let mounts = plan.spec.mounts().iter().flatten().map(oci_spec::runtime::Mount::destination);
        let cwd = plan.spec.process().as_ref().map(oci_spec::runtime::Process::cwd);
        upper::make_folders(&layers[0], &upper, mounts.chain(cwd))?;
    }
    let (upper, work) = (open(&upper)?, open(&work)?);
    let overlay = Overlay { layers: &layers, upper: Some([&upper, &work]) };
    let options = overlay_options(plan);
    // The upper layer ends with the attempt: syncing it to disk would be for nothing (kernel 5.10).
    let mounted = match overlay.mount(&format!(",volatile{options}"), &target) {
        Err(nix::Error::EINVAL) => overlay.mount(&options, &target),
        other => other,
    };
    mounted.map_err(|errno| explain(errno, plan, dirs, users))
}

/// What every overlay of a container's is mounted with.
pub(super) fn overlay_options(plan: &ContainerPlan) -> String {
    let notes = match plan.rights {
        // Its own notes would be in `trusted.*`, which belongs to the box's root (kernel 5.11).
        Rights::UserNamespace => ",userxattr",
        Rights::Box => "",
    };
    let label = plan.spec.linux().as_ref().and_then(|linux| linux.mount_label().as_ref());
    // One label for all, so that a bundle's files need none of their own (SELinux). Quoted, as a level has commas.
    let context = label.map(|label| format!(",context=\"{label}\"")).unwrap_or_default();
    format!("{notes}{context}")
}

/// Opens layers of an overlay; where the container has ids of its own, as it sees them, below `place`.
pub(super) fn open_layers<'a>(
    layers: impl Iterator<Item = &'a PathBuf>,
    place: &Path,
    users: Option<&Users>,
) -> Result<Vec<File>, Failure> {
    let one = |(number, layer): (usize, &PathBuf)| {
        let Some(users) = users else { return open(layer) };
        let mapped = place.join(number.to_string());
        users.map_root(layer, &mapped)?;
        open(&mapped)
    };
    layers.enumerate().map(one).collect()
}

pub(super) fn open(path: &Path) -> Result<File, Failure> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|cause| Failure::io(Stage::RootFs, path.display(), cause))
}

fn explain(errno: nix::Error, plan: &ContainerPlan, dirs: &AttemptDirs, users: Option<&Users>) -> Failure {
    let mut failure = Failure::io(Stage::RootFs, format!("mount overlay over {}", plan.rootfs.display()), errno);
    match errno {
        nix::Error::EINVAL => {
            failure.cause = format!(
                "{}; the file system of {} can't hold an upper layer (is it an overlay or a network file system itself?)",
                failure.cause,
                dirs.data.display()
            );
            if users.is_some() {
                failure.cause.push_str("; below a user namespace (hostUsers: false) an overlay needs Linux 5.19");
            }
        }
        nix::Error::EOPNOTSUPP if !plan.below.is_empty() => {
            failure.cause = format!("{} layers: so many need Linux 6.8", plan.below.len() + 1);
        }
        nix::Error::ENODEV => failure.cause.push_str("; this kernel has no overlay file system (modprobe overlay)"),
        _ => {}
    }
    failure
}

/// Makes a private bind of what the root file system has at each place for data that the image's config names, to be the source of
/// the mount there: it is written to though the root is read-only, and goes with the container. What isn't there is made.
pub(super) fn bind_data(
    places: &[DataMount],
    spec: &mut Spec,
    dirs: &AttemptDirs,
    users: Option<&Users>,
) -> Result<(), Failure> {
    let Some(mounts) = spec.mounts_mut().as_mut().filter(|_| !places.is_empty()) else { return Ok(()) };
    let (root, folder) = (dirs.mounts().join("rootfs"), dirs.mounts().join("data"));
    files::make_all(&folder).map_err(|cause| Failure::io(Stage::RootFs, folder.display(), cause))?;
    for (number, one) in places.iter().enumerate() {
        let Some(mount) = mounts.get_mut(one.mount) else { continue };
        let object = format!("{} (a volume of the image's config)", one.path.display());
        let failed = |fault: SubPathFault| match fault {
            SubPathFault::Escapes => Failure::new(Stage::RootFs, &object, "leads out of the image"),
            SubPathFault::Refused(errno) => {
                Failure::io(Stage::RootFs, &object, std::io::Error::from_raw_os_error(errno))
            }
        };
        let source = match files::open_in_root(&root, &one.path) {
            Err(SubPathFault::Refused(libc::ENOENT)) => {
                files::make_in_root(&root, &one.path, users.map_or(0, Users::root)).map_err(failed)?;
                files::open_in_root(&root, &one.path)
            }
            opened => opened,
        };
        let target = folder.join(number.to_string());
        files::bind(&source.map_err(failed)?, &target).map_err(|cause| Failure::io(Stage::RootFs, &object, cause))?;
        mount.set_source(Some(target));
    }
    Ok(())
}

/// Resolves each subPath and makes a private bind of it the mount's source.
pub(super) fn resolve_sub_paths(
    sub_paths: &[SubPath],
    spec: &mut Spec,
    dirs: &AttemptDirs,
    users: Option<&Users>,
) -> Result<(), Failure> {
    let Some(mounts) = spec.mounts_mut().as_mut() else { return Ok(()) };
    for (number, sub_path) in sub_paths.iter().enumerate() {
        let Some(one) = mounts.get_mut(sub_path.mount) else {
            return Err(Failure::new(
                Stage::SubPath,
                sub_path.path.display(),
                format!("the config has no mount number {}", sub_path.mount),
            ));
        };
        let volume = one.source().clone().unwrap_or_default();
        // Root's, as the container sees it.
        let owner = if one.uid_mappings().is_some() { 0 } else { users.map_or(0, Users::root) };
        let create = match sub_path.missing {
            Missing::Make => Create::Folders { owner },
            Missing::Refuse => Create::Nothing,
        };
        let object = format!("{:?} of {}", sub_path.path.display().to_string(), volume.display());
        // A new folder is for whoever the volume is for. This process has one thread.
        let umask = rustix::process::umask(Mode::empty());
        let opened = files::open_below(&volume, &sub_path.path, create);
        rustix::process::umask(umask);
        let source: OwnedFd = opened.map_err(|fault| match fault {
            SubPathFault::Escapes => {
                Failure::new(Stage::SubPath, &object, "leads out of the volume through a symbolic link or \"..\"")
            }
            SubPathFault::Refused(errno) => {
                Failure::io(Stage::SubPath, &object, std::io::Error::from_raw_os_error(errno))
            }
        })?;
        let target = dirs.mounts().join("subpaths").join(number.to_string());
        files::make_all(&dirs.mounts().join("subpaths"))
            .map_err(|cause| Failure::io(Stage::SubPath, &object, cause))?;
        files::bind(&source, &target).map_err(|cause| Failure::io(Stage::SubPath, &object, cause))?;
        one.set_source(Some(target));
    }
    Ok(())
}
