//! Pods of ordinary users: where they are kept, and how this process becomes one that can make them (docs/rootless.md).

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::exit_code::Exit;
use super::{recover, terminal};
use crate::plan::{CgroupVersion, NoCgroups, NodeFacts};
use crate::runtime::detach::Report;
use crate::runtime::node;
use crate::runtime::rootless::{self, End, Kept, Mapping};
use crate::store::layout::{self, Layout};
use crate::store::trust;

/// Whether pods of this process are an ordinary user's.
fn is_user() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Where pods are kept by default: the system's folders, or the user's. Nobody else has been able to write there.
///
/// # Errors
/// Where somebody has.
pub(super) fn default_layout() -> Result<Layout, CliError> {
    let user = rustix::process::geteuid().as_raw();
    let layout = if is_user() { users_layout(user)? } else { Layout::at(Path::new(layout::DEFAULT_ROOT)) };
    for folder in [&layout.root, &layout.data, &layout.logs] {
        trust::check(folder, user)?;
    }
    Ok(layout)
}

fn users_layout(user: u32) -> Result<Layout, CliError> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_RUNTIME_DIR")
        .or_else(|| Some(PathBuf::from(format!("/run/user/{user}"))).filter(|path| path.is_dir()));
    if let Some(state) = &state {
        // Kept after a change of user it is another's, and by the XDG specification it is the user's alone.
        trust::check(state, user)?;
    }
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    let in_tmp = state.is_none();
    let layout = Layout::of_user(user, state, data);
    if in_tmp {
        trust::claim(&layout.root, user)?;
    }
    Ok(layout)
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
    /// This process, on this box; with its way to report to whom it is detached from.
    Here(Box<NodeFacts>, Option<Report>),
    /// Another has done so, and this is how it ended.
    Elsewhere(Exit),
}

/// Before a pod is run: as [`become_root`], and where no cgroups hold its processes together, a pid namespace does.
/// `report` is that of a pod that is to be detached.
pub(super) fn prepare(layout: &Layout, pod: &v1::Pod, report: Option<Report>) -> Result<Runner, CliError> {
    let user = is_user();
    become_root()?;
    let node = node::facts(&layout.data)?;
    let has_cgroups = node.cgroups != CgroupVersion::None;
    // Only cgroups keep containers of the box's root from its devices.
    if !user && !has_cgroups && node.users.is_none() {
        return Err(CliError::NoCgroups { why: obstacle(node.no_cgroups.as_ref()) });
    }
    node::make_room(node.cgroups, &node.cgroup_parent)?;
    if let Some(why) = node.no_cgroups.as_ref().filter(|_| has_cgroups) {
        tell_outside(why, &node.cgroup_parent);
    }
    if !user && has_cgroups {
        return Ok(Runner::Here(Box::new(node), report));
    }
    match rootless::keep(report)? {
        // It sees other processes and other cgroups than this one did.
        Kept::Inside(report) => Ok(Runner::Here(Box::new(node::facts(&layout.data)?), report)),
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

/// Of a pod that runs without cgroups, or without one of their controllers, once: what nobody enforces, and why.
pub(super) fn tell_unenforced(fields: &[String], node: &NodeFacts) {
    if fields.is_empty() {
        return;
    }
    let fields = fields.join("; ");
    warn(&match node.cgroups {
        CgroupVersion::None => {
            let why = obstacle(node.no_cgroups.as_ref());
            format!("without cgroups nothing enforces {fields}; {why} (docs/rootless.md)")
        }
        CgroupVersion::V1 | CgroupVersion::V2 => format!(
            "without the hugetlb controller nothing enforces {fields}; mount it (v1), or have it handed down to the \
             cgroup that pods are made in (v2)"
        ),
    });
}

/// Of a pod of root's that isn't below the cgroup that was delegated to it: what that means, and what helps.
fn tell_outside(why: &NoCgroups, parent: &Path) {
    let (cgroup, what) = match why {
        NoCgroups::Occupied { cgroup } => (
            cgroup,
            "holds other processes too, so that it can't hand its controllers down; start barepod as the only one in it (a \
             script by `exec barepod run ...`)"
                .to_owned(),
        ),
        NoCgroups::Controllers { cgroup, missing } => {
            (cgroup, format!("has no controller {}; delegate all (systemd: `Delegate=yes`)", missing.join(", ")))
        }
        NoCgroups::NotWritable => return,
    };
    warn(&format!(
        "the pod's cgroups are below {:?} and not below {:?}, which is delegated to barepod: limits of that unit don't \
         hold for the pod. It {what} (docs/systemd.md)",
        parent.display().to_string(),
        cgroup.display().to_string()
    ));
}

/// What keeps this process from cgroups, and what helps.
fn obstacle(why: Option<&NoCgroups>) -> String {
    const SCOPE: &str = "`systemd-run --user --scope -p Delegate=yes barepod run ...`";
    let point = |cgroup: &Path| cgroup.display().to_string();
    match why {
        None | Some(NoCgroups::NotWritable) => {
            format!("none can be written to here; cgroup v2 can be delegated to users: with systemd by {SCOPE}")
        }
        Some(NoCgroups::Occupied { cgroup }) => {
            format!(
                "the one to use, {:?}, holds other processes too, so that it can't hand its controllers down; move them \
                 to one below it, or start barepod in one of its own: with systemd by {SCOPE}",
                point(cgroup)
            )
        }
        Some(NoCgroups::Controllers { cgroup, missing }) => {
            let missing = missing.join(", ");
            format!(
                "the one to use, {:?}, has no controller {missing}; have it delegated: with systemd by {SCOPE}, and where \
                 it is missing there, too, by `Delegate=yes` in a drop-in of user@.service",
                point(cgroup)
            )
        }
    }
}

pub(super) fn warn(text: &str) {
    let colour = terminal::Colour::of(&std::io::stderr());
    tell!("{} {text}", terminal::warning("warning:", colour));
}
