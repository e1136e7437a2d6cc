//! Pods that run, for commands that are about no others.

use super::{full_name, life, look};
use crate::cli::error::CliError;
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// As [`look`], of a pod that runs and is looked after; with its full name.
pub fn look_running(layout: &Layout, name: &str) -> Result<(Found, String), CliError> {
    let found = look(layout, name)?;
    let name = full_name(&found);
    match life(&found)? {
        Life::Running => Ok((found, name)),
        Life::Lost => Err(CliError::Unsupervised(name)),
        Life::Ended | Life::Left => Err(CliError::Ended(name)),
    }
}
