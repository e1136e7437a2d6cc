//! How this process becomes one that can make a pod, where it isn't the box's root (docs/rootless.md), and what isn't
//! enforced then.

use std::path::Path;

use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use super::terminal::warn;
use super::user::{become_root, is_user};
use crate::plan::{CgroupObstacle, CgroupVersion, NodeFacts};
use crate::runtime::detach::Report;
use crate::runtime::node;
use crate::runtime::rootless::{self, Kept};
use crate::store::layout::Layout;

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
    if let Some(why) = become_root()? {
        warn(&format!("only one user and one group can be had in the pod, its root: {why}"));
    }
    let node = node::facts(&layout.data)?;
    let has_cgroups = node.cgroups != CgroupVersion::None;
    // Only cgroups keep containers of the box's root from its devices.
    if !user && !has_cgroups && node.users.is_none() {
        return Err(CliError::NoCgroups { why: obstacle(node.cgroup_obstacle.as_ref()) });
    }
    node::make_room(node.cgroups, &node.cgroup_parent)?;
    if let Some(why) = node.cgroup_obstacle.as_ref().filter(|_| has_cgroups) {
        tell_outside(why, &node.cgroup_parent);
    }
    if !user && has_cgroups {
        return Ok(Runner::Here(Box::new(node), report));
    }
    match rootless::keep(report)? {
        // It sees other processes and other cgroups than this one did.
        Kept::Inside(report) => Ok(Runner::Here(Box::new(node::facts(&layout.data)?), report)),
        Kept::Outside(end) => match end.code() {
            Some(code) => Ok(Runner::Elsewhere(Exit::Pod(code))),
            None => {
                let metadata = &pod.metadata;
                let namespace = metadata.namespace.as_deref().unwrap_or("default");
                recover::clean_if_lost(layout, namespace, metadata.name.as_deref().unwrap_or_default())?;
                Err(CliError::Killed)
            }
        },
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
            let why = obstacle(node.cgroup_obstacle.as_ref());
            format!("without cgroups nothing enforces {fields}; {why} (docs/rootless.md)")
        }
        CgroupVersion::V1 | CgroupVersion::V2 => format!(
            "without the hugetlb controller nothing enforces {fields}; mount it (v1), or have it handed down to the \
             cgroup that pods are made in (v2)"
        ),
    });
}

/// Of a pod of root's that isn't below the cgroup that was delegated to it: what that means, and what helps.
fn tell_outside(why: &CgroupObstacle, parent: &Path) {
    let (cgroup, what) = match why {
        CgroupObstacle::Occupied { cgroup } => (
            cgroup,
            "holds other processes too, so that it can't hand its controllers down; start barepod as the only one in it (a \
             script by `exec barepod run ...`)"
                .to_owned(),
        ),
        CgroupObstacle::Controllers { cgroup, missing } => {
            (cgroup, format!("has no controller {}; delegate all (systemd: `Delegate=yes`)", missing.join(", ")))
        }
        CgroupObstacle::NotWritable => return,
    };
    warn(&format!(
        "the pod's cgroups are below {:?} and not below {:?}, which is delegated to barepod: limits of that unit don't \
         hold for the pod. It {what} (docs/systemd.md)",
        parent.display().to_string(),
        cgroup.display().to_string()
    ));
}

/// What keeps this process from cgroups, and what helps.
fn obstacle(why: Option<&CgroupObstacle>) -> String {
    const SCOPE: &str = "`systemd-run --user --scope -p Delegate=yes barepod run ...`";
    let point = |cgroup: &Path| cgroup.display().to_string();
    match why {
        None | Some(CgroupObstacle::NotWritable) => {
            format!("none can be written to here; cgroup v2 can be delegated to users: with systemd by {SCOPE}")
        }
        Some(CgroupObstacle::Occupied { cgroup }) => {
            format!(
                "the one to use, {:?}, holds other processes too, so that it can't hand its controllers down; move them \
                 to one below it, or start barepod in one of its own: with systemd by {SCOPE}",
                point(cgroup)
            )
        }
        Some(CgroupObstacle::Controllers { cgroup, missing }) => {
            let missing = missing.join(", ");
            format!(
                "the one to use, {:?}, has no controller {missing}; have it delegated: with systemd by {SCOPE}, and where \
                 it is missing there, too, by `Delegate=yes` in a drop-in of user@.service",
                point(cgroup)
            )
        }
    }
}
