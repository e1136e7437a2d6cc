//! What of a plan this box can't keep.

use super::super::error::CliError;
use super::super::terminal::warn;
use crate::plan;
use crate::runtime::rlimits;
use crate::supervisor;

/// Before anything is made: a pod that runs into the limit halfway fails with riddles.
pub(super) fn open_files(plan: &plan::PodPlan) -> Result<(), CliError> {
    let (limit, needed) = (rlimits::raise_open_files(), supervisor::open_files(&plan.lifecycle));
    if limit < needed { Err(CliError::OpenFiles { limit, needed }) } else { Ok(()) }
}

/// Labels of SELinux on a box without.
pub(super) fn tell_unlabelled(fields: &[String]) {
    if !fields.is_empty() {
        let fields = fields.join(", ");
        warn(&format!("SELinux is not enabled on this box, so that no labels are put on: {fields}"));
    }
}
