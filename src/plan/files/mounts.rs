//! A container's mounts: what the sandbox provides, its volumes, the bundle's own, and what every container has.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1;
use oci_spec::runtime::{Mount, MountBuilder};

use super::volumes::VolumeSource;
use crate::plan::container::Ask;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::lifecycle;
use crate::plan::process::env::Environment;
use crate::plan::process::expansion;
use crate::plan::types::{CgroupVersion, Missing, Scope, SharedMount, SubPath};

/// R8.7: the container's own user must be able to write it.
const TERMINATION_LOG_MODE: u32 = 0o666;

/// What was planned.
pub(crate) struct Planned {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) sub_paths: Vec<SubPath>,
    pub(crate) shared: Vec<SharedMount>,
    pub(crate) files: Vec<(PathBuf, u32)>,
    /// Mounts of what was made for this pod alone: they get the container's SELinux label.
    pub(crate) private: Vec<usize>,
    /// Mounts of volumes of files.
    pub(crate) config_volumes: Vec<usize>,
}

/// Volumes in which what a container mounts is to be seen by others.
pub(crate) fn shared_volumes(spec: &v1::PodSpec) -> BTreeSet<String> {
    let mounts = lifecycle::containers(spec).flat_map(|(_, _, container)| container.volume_mounts.iter().flatten());
    mounts.filter(|mount| is_shared(mount)).map(|mount| mount.name.clone()).collect()
}

fn is_shared(mount: &v1::VolumeMount) -> bool {
    mount.mount_propagation.as_deref() == Some("Bidirectional")
}

struct Item {
    mount: Mount,
    sub_path: Option<PathBuf>,
    shows: Shows,
    missing: Missing,
    /// The mount namespace that it shares later mounts with.
    shared: Option<PathBuf>,
    holds: Holds,
}

/// What a volume holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Files that are made of ConfigMaps and the like.
    Config,
    /// Anything else.
    Other,
}

/// Whose files a mount shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// What others have as well: their owners are the container's users of the same numbers, also in a user namespace
    /// (KEP-127), and their SELinux labels are left as they are.
    Hosts,
    /// What was made for this pod, and belongs to its users anyway.
    Pods,
    /// What the kernel makes up.
    Kernels,
}

/// All mounts, outer ones before inner ones. Where several want the same place the manifest wins, then the sandbox,
/// then the bundle.
pub(crate) fn mounts(ask: &Ask, env: &Environment) -> Result<Planned, ConfigError> {
    let mut items = Vec::new();
    for (at, mount) in ask.container.volume_mounts.iter().flatten().enumerate() {
        items.push(volume(ask, at, mount, env)?);
    }
    let mut files = Vec::new();
    if let Some(path) = ask.container.termination_message_path.as_deref().filter(|path| !path.is_empty()) {
        let file = termination_log(ask);
        items.push(plain(bind(&file, Path::new(path), &["rbind", "rprivate", "rw"]), Shows::Pods));
        files.push((file, TERMINATION_LOG_MODE));
    }
    items.extend(sandbox(ask).into_iter().map(|mount| plain(mount, Shows::Pods)));
    items.extend(bundle(ask)?.into_iter().filter_map(|mount| possible(ask, mount)).map(of_bundle));
    items.extend(
        standard().into_iter().filter_map(|mount| possible(ask, mount)).map(|mount| plain(mount, Shows::Kernels)),
    );
    let mut taken = BTreeSet::new();
    items.retain(|item| taken.insert(normal(item.mount.destination())));
    // Stable, by depth: a mount over the parent of another must come first (containerd's orderedMounts).
    items.sort_by_key(|item| normal(item.mount.destination()).components().count());
    let privileged = ask.privileged();
    let mut planned = Planned {
        mounts: Vec::new(),
        sub_paths: Vec::new(),
        shared: Vec::new(),
        files,
        private: Vec::new(),
        config_volumes: Vec::new(),
    };
    for (at, mut item) in items.into_iter().enumerate() {
        if let Some(path) = item.sub_path {
            planned.sub_paths.push(SubPath { mount: at, path, missing: item.missing });
        }
        if let Some(namespace) = item.shared.take() {
            planned.shared.push(SharedMount { mount: at, namespace });
        }
        if item.holds == Holds::Config {
            planned.config_volumes.push(at);
        }
        match item.shows {
            Shows::Hosts => {
                let mappings = crate::plan::container::id_mappings(ask);
                item.mount.set_uid_mappings(mappings.clone()).set_gid_mappings(mappings);
            }
            Shows::Pods => planned.private.push(at),
            Shows::Kernels => {}
        }
        planned.mounts.push(if privileged { writable(item.mount) } else { contained(ask, item.mount) });
    }
    Ok(planned)
}

/// The file of this attempt that becomes the container's `terminationMessagePath`.
pub(crate) fn termination_log(ask: &Ask) -> PathBuf {
    ask.sandbox.attempt_dir.join("termination-log")
}

fn plain(mount: Mount, shows: Shows) -> Item {
    Item { mount, sub_path: None, shows, missing: Missing::Refuse, shared: None, holds: Holds::Other }
}

/// A bundle's.
fn of_bundle(mount: Mount) -> Item {
    let shows = if binds(&mount) { Shows::Hosts } else { Shows::Kernels };
    plain(mount, shows)
}

/// Whether it shows files of the host; either its type or its options say so.
pub(crate) fn binds(mount: &Mount) -> bool {
    let of_options = mount.options().iter().flatten().any(|option| option == "bind" || option == "rbind");
    of_options || mount.typ().as_deref() == Some("bind")
}

/// A path without `.`, `//` and a slash at its end, by name: absolute, and `..` never climbs above the root.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

fn mount(typ: &str, source: &Path, destination: &Path, options: &[&str]) -> Mount {
    MountBuilder::default()
        .typ(typ)
        .source(source)
        .destination(destination)
        .options(options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
        .build()
        .expect("a mount without id mappings is valid")
}

fn bind(source: &Path, destination: &Path, options: &[&str]) -> Mount {
    mount("bind", source, destination, options)
}

/// What containerd gives every container. A privileged one gets them writable, see [`writable`].
fn standard() -> Vec<Mount> {
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
fn possible(ask: &Ask, mount: Mount) -> Option<Mount> {
    let sandbox = &ask.plan.sandbox;
    let kind = mount.typ().clone().unwrap_or_default();
    if ask.node.cgroups == CgroupVersion::None && matches!(kind.as_str(), "cgroup" | "cgroup2") {
        return None;
    }
    let Some(ids) = &ask.node.users else { return Some(mount) };
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
fn sandbox(ask: &Ask) -> Vec<Mount> {
    let read_only = ask.context().read_only_root_filesystem == Some(true);
    let file = |source: &Path, destination: &str, access: &str| {
        bind(source, Path::new(destination), &["rbind", "rprivate", access])
    };
    let access = if read_only { "ro" } else { "rw" };
    vec![
        file(&ask.sandbox.hosts, "/etc/hosts", "rw"),
        file(&ask.sandbox.hostname, "/etc/hostname", access),
        file(&ask.sandbox.resolv_conf, "/etc/resolv.conf", access),
        bind(&ask.sandbox.shm, Path::new("/dev/shm"), &["rbind", "rprivate", "nosuid", "noexec", "nodev"]),
    ]
}

/// The bundle's own. Sources are absolute: runtime::image resolved relative ones in the bundle.
fn bundle(ask: &Ask) -> Result<Vec<Mount>, ConfigError> {
    let mut mounts = Vec::new();
    for (at, mount) in ask.image.base.mounts().iter().flatten().enumerate() {
        let field = |rest: &str| format!("mounts[{at}].{rest}");
        if !mount.destination().is_absolute() {
            let cause = ConfigCause::Relative { path: mount.destination().display().to_string() };
            return Err(ask.create(&field("destination"), cause));
        }
        let mapped = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let idmap = mount.options().iter().flatten().any(|option| option == "idmap" || option == "ridmap");
        if idmap || mapped(mount.uid_mappings()) || mapped(mount.gid_mappings()) {
            let advice = "the container runtime has no id-mapped mounts; take the mappings out of config.json";
            let value = "an id-mapped mount".to_owned();
            return Err(ask.create(&field("uidMappings"), ConfigCause::Unsupported { value, advice }));
        }
        let widest = ["shared", "rshared", "unbindable", "runbindable"];
        if let Some(option) = mount.options().iter().flatten().find(|option| widest.contains(&option.as_str())) {
            let advice = "write private or slave; what is to be seen by others mount by a volume's mountPropagation";
            return Err(ask.create(&field("options"), ConfigCause::Unsupported { value: option.clone(), advice }));
        }
        if mount.typ().is_none() && !binds(mount) {
            let value = "a mount without a type".to_owned();
            let advice = "write its file system's, or \"bind\" among its options";
            return Err(ask.create(&field("type"), ConfigCause::Unsupported { value, advice }));
        }
        if binds(mount) && normal(mount.destination()) == Path::new("/dev") {
            // As with a volume there; libcontainer takes no notice of `ro` either.
            let value = "a folder of the host at /dev".to_owned();
            let advice = "mount what is needed of it, such as /dev/fuse, or name it in linux.devices";
            return Err(ask.create(&field("destination"), ConfigCause::Unsupported { value, advice }));
        }
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
fn writable(mut mount: Mount) -> Mount {
    if matches!(mount.typ().as_deref(), Some("sysfs" | "cgroup" | "cgroup2"))
        && let Some(options) = mount.options_mut()
    {
        options.retain(|option| option != "ro");
    }
    mount
}

/// On v1 a container that can write to its cgroup raises its own limits, cgroup namespace or not.
fn contained(ask: &Ask, mut mount: Mount) -> Mount {
    let is_cgroup = matches!(mount.typ().as_deref(), Some("cgroup"));
    if is_cgroup && ask.node.cgroups == CgroupVersion::V1 {
        let options = mount.options_mut().get_or_insert_default();
        options.retain(|option| option != "rw" && option != "ro");
        options.push("ro".to_owned());
    }
    mount
}

/// One entry of `volumeMounts`.
fn volume(ask: &Ask, at: usize, mount: &v1::VolumeMount, env: &Environment) -> Result<Item, ConfigError> {
    let field = |rest: &str| format!("volumeMounts[{at}].{rest}");
    let Some(source) = ask.sandbox.volumes.get(&mount.name) else {
        return Err(ask.config(field("name"), ConfigCause::NoSuchVolume { name: mount.name.clone() }));
    };
    let propagation = match mount.mount_propagation.as_deref() {
        None | Some("None") => "rprivate",
        Some("HostToContainer") => "rslave",
        Some("Bidirectional") => {
            let refuse = |value: &str, advice| {
                let cause = ConfigCause::Unsupported { value: value.to_owned(), advice };
                Err(ask.config(field("mountPropagation"), cause))
            };
            if ask.node.users.is_some() {
                let advice = "what is mounted in a user namespace can't be seen outside; run barepod as root";
                return refuse("Bidirectional without root", advice);
            }
            if ask.plan.sandbox.user == Scope::Pod {
                let advice = "what is mounted in a user namespace can't be seen outside; use hostUsers: true";
                return refuse("Bidirectional with hostUsers: false", advice);
            }
            if mount.sub_path.is_some() || mount.sub_path_expr.is_some() {
                return refuse("Bidirectional with a subPath", "mount the whole volume");
            }
            "rshared"
        }
        Some(other) => {
            let advice = "the container runtime can't mount it so; None, HostToContainer and Bidirectional are";
            let cause = ConfigCause::Unsupported { value: other.to_owned(), advice };
            return Err(ask.config(field("mountPropagation"), cause));
        }
    };
    let recursive = matches!(mount.recursive_read_only.as_deref(), Some("IfPossible" | "Enabled"));
    let planned = ask.plan.volumes.iter().find(|volume| volume.name == mount.name);
    // Nobody writes to files that are made of something else, as the kubelet has it.
    let made =
        planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Files { .. } | VolumeSource::Image { .. }));
    // KEP-4639: what is in an image volume is to be read, not run.
    let image = planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Image { .. }));
    // A claim may be read-only for all.
    let claims = ask.spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
    let claimed = claims.and_then(|volume| volume.persistent_volume_claim.as_ref()?.read_only) == Some(true);
    let access = match (mount.read_only == Some(true) || made || claimed, recursive) {
        (false, _) => "rw",
        (true, false) => "ro",
        (true, true) => "rro",
    };
    let sub_path = sub_path(mount, env).map_err(|(name, cause)| ask.config(field(name), cause))?;
    // Relative to the root, as Kubernetes' docker heritage has it.
    let destination = Path::new("/").join(&mount.mount_path);
    if normal(&destination) == Path::new("/dev") {
        // libcontainer makes its device nodes there and replaces ptmx: in a volume, on the host.
        let (value, advice) = ("a volume at /dev".to_owned(), "mount what is needed of it, such as /dev/fuse");
        return Err(ask.config(field("mountPath"), ConfigCause::Unsupported { value, advice }));
    }
    let mut options = vec!["rbind", propagation, access];
    if image {
        options.push("noexec");
    }
    options.extend(mount.bind_mount_options.iter().flatten().map(String::as_str));
    let shows = planned.map_or(Shows::Pods, |volume| match volume.source {
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } | VolumeSource::Image { .. } => Shows::Hosts,
        VolumeSource::EmptyDir { .. }
        | VolumeSource::Memory { .. }
        | VolumeSource::HugePages { .. }
        | VolumeSource::Files { .. } => Shows::Pods,
    });
    let missing = if made { Missing::Refuse } else { Missing::Make };
    let shared = is_shared(mount).then(|| {
        let of = &ask.sandbox.mounts;
        if shows == Shows::Hosts { of.host.clone() } else { of.pod.clone() }
    });
    let is_config = planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Files { .. }));
    let holds = if is_config { Holds::Config } else { Holds::Other };
    Ok(Item { mount: bind(source, &destination, &options), sub_path, shows, missing, shared, holds })
}

/// `subPath` or the expanded `subPathExpr`; `None`: the volume's root.
fn sub_path(mount: &v1::VolumeMount, env: &Environment) -> Result<Option<PathBuf>, (&'static str, ConfigCause)> {
    let (field, path) = match (mount.sub_path.as_deref(), mount.sub_path_expr.as_deref()) {
        (_, Some(expression)) if !expression.is_empty() => {
            let mut missing = false;
            let path = expansion::expand(expression, expansion::PATH, |name| {
                let value = env.own(name);
                missing |= value.is_none();
                value
            })
            .map_err(|_| ("subPathExpr", ConfigCause::PathTooLong))?;
            if missing {
                let cause = ConfigCause::SubPathVariable { expression: expression.to_owned() };
                return Err(("subPathExpr", cause));
            }
            ("subPathExpr", path)
        }
        (Some(path), _) if !path.is_empty() => ("subPath", path.to_owned()),
        _ => return Ok(None),
    };
    if path.starts_with('/') {
        return Err((field, ConfigCause::SubPathAbsolute { path }));
    }
    if Path::new(&path).components().any(|component| component == Component::ParentDir) {
        return Err((field, ConfigCause::SubPathClimbs { path }));
    }
    Ok(Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()))
}
