//! Mounts that no volume is behind: what every container has, what the sandbox provides, and what the bundle asks for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::bundle_mounts;
use super::mount::{bind, mount};
use super::path::normal;
use crate::plan::error::ConfigError;
use crate::plan::facts::{CgroupVersion, Scope};
use crate::plan::inputs::Inputs;

/// What containerd gives every container. A privileged one gets them writable, see [`writable`].
pub(super) fn standard() -> Vec<Mount> {
    let of = |typ: &str, source: &str, destination: &str, options: &[&str]| {
        mount(typ, Path::new(source), Path::new(destination), options)
    };
    vec![
        of("proc", "proc", "/proc", &["nosuid", "noexec", "nodev"]),
        of("tmpfs", "tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        of("sysfs", "sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
        of("devpts", "devpts", "/dev/pts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        of("mqueue", "mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
        of("cgroup", "cgroup", "/sys/fs/cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

/// What of a standard or a bundle's mount there can be here: without cgroups there are none to show, and in a user namespace only what
/// belongs to namespaces of its own can be mounted anew; the rest is the box's.
pub(super) fn possible(inputs: &Inputs, mount: Mount) -> Option<Mount> {
    let sandbox = &inputs.sandbox_plan;
    let kind = mount.typ().clone().unwrap_or_default();
    if inputs.node.cgroups == CgroupVersion::None && matches!(kind.as_str(), "cgroup" | "cgroup2") {
        return None;
    }
    let Some(ids) = &inputs.node.users else { return Some(mount) };
    match kind.as_str() {
        "sysfs" if sandbox.network == Scope::Host => {
            let options = ["rbind", "rslave", "nosuid", "noexec", "nodev", "ro"];
            Some(bind(Path::new("/sys"), mount.destination(), &options))
        }
        // Not every box has it mounted, and the queues themselves need no mount (mq_overview(7)).
        "mqueue" if sandbox.ipc == Scope::Host => None,
        "devpts" => {
            let mut mount = mount;
            // The terminals' group, if there is one.
            let is_there = |option: &String| {
                let group = option.strip_prefix("gid=").and_then(|group| group.parse().ok());
                group.is_none_or(|group| ids.has_group(group))
            };
            mount.options_mut().iter_mut().for_each(|options| options.retain(is_there));
            Some(mount)
        }
        _ => Some(mount),
    }
}

/// R10.7, R10.8. The files can be written to (the kubelet's way for /etc/hosts) unless the root file system can't.
pub(super) fn sandbox(inputs: &Inputs) -> Vec<Mount> {
    let read_only = inputs.context().read_only_root_filesystem == Some(true);
    let file = |source: &Path, destination: &str, access: &str| {
        bind(source, Path::new(destination), &["rbind", "rprivate", access])
    };
    let access = if read_only { "ro" } else { "rw" };
    vec![
        file(&inputs.sandbox.hosts, "/etc/hosts", "rw"),
        file(&inputs.sandbox.hostname, "/etc/hostname", access),
        file(&inputs.sandbox.resolv_conf, "/etc/resolv.conf", access),
        bind(&inputs.sandbox.shm, Path::new("/dev/shm"), &["rbind", "rprivate", "nosuid", "noexec", "nodev"]),
    ]
}

/// Places for data of the image's config, as far as they can be ones: neither the root itself nor what is the kernel's. Their
/// sources are made with the container.
pub(super) fn data<'a>(inputs: &'a Inputs) -> impl Iterator<Item = Mount> + 'a {
    const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
    let places = inputs.image.volumes.iter().map(|path| normal(path));
    let may_be = |path: &PathBuf| path != Path::new("/") && !KERNELS.iter().any(|place| path.starts_with(place));
    places.filter(may_be).map(|path| bind(&path, &path, &["rbind", "rprivate", "rw"]))
}

/// The bundle's own. Sources are absolute: runtime::image resolved relative ones in the bundle.
pub(super) fn bundle(inputs: &Inputs) -> Result<Vec<Mount>, ConfigError> {
    bundle_mounts::refuse(inputs)?;
    let mut mounts = Vec::new();
    for mount in inputs.image.base.mounts().iter().flatten() {
        let mut mount = mount.clone();
        if mount.source().is_none() {
            // The OCI lets it out, libcontainer wants one.
            let source = mount.typ().clone().unwrap_or_else(|| "none".to_owned());
            mount.set_source(Some(PathBuf::from(source)));
        }
        mounts.push(mount);
    }
    Ok(mounts)
}

/// What containerd does for a privileged container: sysfs and cgroup can be written to.
pub(super) fn writable(mut mount: Mount) -> Mount {
    if matches!(mount.typ().as_deref(), Some("sysfs" | "cgroup" | "cgroup2"))
        && let Some(options) = mount.options_mut()
    {
        options.retain(|option| option != "ro");
    }
    mount
}

/// On v1 a container that can write to its cgroup raises its own limits, cgroup namespace or not.
pub(super) fn contained(inputs: &Inputs, mut mount: Mount) -> Mount {
    let is_cgroup = matches!(mount.typ().as_deref(), Some("cgroup"));
    if is_cgroup && inputs.node.cgroups == CgroupVersion::V1 {
        let options = mount.options_mut().get_or_insert_default();
        options.retain(|option| option != "rw" && option != "ro");
        options.push("ro".to_owned());
    }
    mount
}
