//! Pods of ordinary users: where they are kept, and how this process becomes one that can make them (docs/rootless.md).

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::exit_code::Exit;
use super::{recover, terminal};
use crate::plan::{CgroupVersion, NodeFacts};
use crate::runtime::node;
use crate::runtime::rootless::{self, End, Kept, Mapping};
use crate::store::layout::Layout;

/// Whether pods of this process are an ordinary user's.
fn is_user() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Where pods are kept by default: the system's folders, or the user's.
pub(super) fn default_layout() -> Layout {
    if !is_user() {
        return Layout::at(Path::new(crate::store::layout::DEFAULT_ROOT));
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let uid = rustix::process::getuid().as_raw();
    let state = folder("XDG_RUNTIME_DIR")
        .or_else(|| Some(PathBuf::from(format!("/run/user/{uid}"))).filter(|path| path.is_dir()));
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    Layout::of_user(uid, state, data)
}

/// Makes this process the root of a user namespace, where it is an ordinary user's.
pub(super) fn become_root() -> Result<(), CliError> {
    if !is_user() {
        return Ok(());
    }
    if let Mapping::Single { why } = rootless::map_users()? {
        warn(&format!("only one user and one group can be had in the pod, its root: {why}"));
    }
    Ok(())
}

/// Who runs a pod.
pub(super) enum Runner {
    /// This process, on this box.
    Here(Box<NodeFacts>),
    /// Another has done so, and this is how it ended.
    Elsewhere(Exit),
}

/// Before a pod is run: as [`become_root`], and where no cgroups hold its processes together, a pid namespace does.
pub(super) fn prepare(layout: &Layout, pod: &v1::Pod) -> Result<Runner, CliError> {
    let user = is_user();
    become_root()?;
    let node = node::facts()?;
    match (user, node.cgroups) {
        (false, CgroupVersion::V1 | CgroupVersion::V2) => return Ok(Runner::Here(Box::new(node))),
        // Only cgroups keep containers of the box's root from its devices.
        (false, CgroupVersion::None) if node.users.is_none() => return Err(CliError::NoCgroups),
        _ => {}
    }
    node::make_room(node.cgroups, &node.cgroup_parent)?;
    match rootless::keep()? {
        // It sees other processes and other cgroups than this one did.
        Kept::Inside => Ok(Runner::Here(Box::new(node::facts()?))),
        Kept::Outside(End::Code(code)) => {
            Ok(Runner::Elsewhere(Exit::Pod(u8::try_from(code & 0xff).unwrap_or(u8::MAX))))
        }
        Kept::Outside(End::Signal(_) | End::Unknown) => {
            let metadata = &pod.metadata;
            let namespace = metadata.namespace.as_deref().unwrap_or("default");
            recover::clean_if_lost(layout, namespace, metadata.name.as_deref().unwrap_or_default())?;
            Err(CliError::Killed)
        }
    }
}

/// Of a pod that runs without cgroups, or without one of their controllers, once.
pub(super) fn tell_unenforced(fields: &[String], cgroups: CgroupVersion) {
    if fields.is_empty() {
        return;
    }
    let fields = fields.join("; ");
    warn(&match cgroups {
        CgroupVersion::None => format!(
            "without cgroups nothing enforces {fields}; cgroup v2 can be delegated to users: with systemd by \
             `systemd-run --user --scope -p Delegate=yes barepod run ...` (docs/rootless.md)"
        ),
        CgroupVersion::V1 | CgroupVersion::V2 => format!(
            "without the hugetlb controller nothing enforces {fields}; mount it (v1), or have it handed down to the \
             cgroup that pods are made in (v2)"
        ),
    });
}

fn warn(text: &str) {
    let colour = terminal::Colour::of(&std::io::stderr());
    eprintln!("{} {text}", terminal::warning("warning:", colour));
}
