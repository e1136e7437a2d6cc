//! Which mounts a bundle may ask for. What is refused here is known before anything is made.

use std::path::Path;

use oci_spec::runtime::Mount;

use super::mount::binds;
use super::path::normal;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::inputs::Inputs;

/// Options that are about a mount, whatever is mounted (runtime-spec, config.md, "Linux mount options"). With `r` before
/// it each attribute counts for all mounts below, too. The kernel, or the file system, knows what else there is.
const OF_EVERY_MOUNT: [&str; 32] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "relatime",
    "ro",
    "rw",
    "silent",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
];
const RECURSIVE: [&str; 20] = [
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "rexec",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
];

/// Refuses what a mount would silently not be, or what would reach beyond the container.
pub(crate) fn refuse(inputs: &Inputs) -> Result<(), ConfigError> {
    for (at, mount) in inputs.image.base.mounts().iter().flatten().enumerate() {
        if !mount.destination().is_absolute() {
            let cause = ConfigCause::Relative { path: mount.destination().display().to_string() };
            return Err(inputs.create_error(&format!("mounts[{at}].destination"), cause));
        }
        if let Some((field, cause)) = wrong(mount) {
            return Err(inputs.create_error(&format!("mounts[{at}].{field}"), cause));
        }
    }
    Ok(())
}

/// The first field of a mount that can't be done, and why.
fn wrong(mount: &Mount) -> Option<(&'static str, ConfigCause)> {
    let unsupported = |field, value: String, advice| Some((field, ConfigCause::Unsupported { value, advice }));
    let options = || mount.options().iter().flatten();
    let has = |names: &[&str]| options().find(|option| names.contains(&option.as_str()));
    let mapped = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if has(&["idmap", "ridmap"]).is_some() || mapped(mount.uid_mappings()) || mapped(mount.gid_mappings()) {
        let advice = "the container runtime has no id-mapped mounts; take the mappings out of config.json";
        return unsupported("uidMappings", "an id-mapped mount".to_owned(), advice);
    }
    if let Some(option) = has(&["shared", "rshared", "unbindable", "runbindable"]) {
        let advice = "write private or slave; what is to be seen by others mount by a volume's mountPropagation";
        return unsupported("options", format!("{option:?}"), advice);
    }
    if has(&["tmpcopyup"]).is_some() {
        let value = format!("\"tmpcopyup\" at {}", mount.destination().display());
        let advice = "copy what is to stand in the tmpfs by a startContainer hook or the program itself";
        return unsupported("options", value, advice);
    }
    if has(&["remount"]).is_some() {
        let advice = "each container's mounts are made anew; take it out, the other options are the new mount's";
        return unsupported("options", "\"remount\"".to_owned(), advice);
    }
    if mount.typ().is_none() && !binds(mount) {
        let advice = "write its file system's, or \"bind\" among its options";
        return unsupported("type", "a mount without a type".to_owned(), advice);
    }
    if binds(mount) && normal(mount.destination()) == Path::new("/dev") {
        // As with a volume there; libcontainer takes no notice of `ro` either.
        let advice = "mount what is needed of it, such as /dev/fuse, or name it in linux.devices";
        return unsupported("destination", "a folder of the host at /dev".to_owned(), advice);
    }
    without_file_system(mount).map(|(option, what)| ("options", ConfigCause::MountOption { option, what }))
}

/// An option of a file system, where none is made that could have it: what is bound has its own already, as have the box's
/// cgroups. libcontainer leaves such an option out.
fn without_file_system(mount: &Mount) -> Option<(String, &'static str)> {
    let what = match mount.typ().as_deref() {
        _ if binds(mount) => "a bind mount",
        Some("cgroup" | "cgroup2") => "a mount of the box's cgroups",
        _ => return None,
    };
    let known = |option: &str| {
        let of_propagation = matches!(option, "slave" | "rslave");
        of_propagation || OF_EVERY_MOUNT.contains(&option) || RECURSIVE.contains(&option) || option.is_empty()
    };
    let option = mount.options().iter().flatten().find(|option| !known(option))?;
    Some((option.clone(), what))
}
