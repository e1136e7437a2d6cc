//! Whether it is an ordinary user who runs this process, and what is different then for every command that changes something.

use super::error::CliError;
use super::terminal::warn;
use crate::runtime::rootless::{self, Mapping};

/// Whether pods of this process are an ordinary user's.
pub(super) fn is_user() -> bool {
    !rustix::process::geteuid().is_root()
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
