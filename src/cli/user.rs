//! Whether it is an ordinary user who runs this process, and what is different then for every command that changes something.

use super::error::CliError;
use crate::runtime::rootless::{self, Mapping};

/// Whether pods of this process are an ordinary user's.
pub(super) fn is_user() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Makes this process the root of a user namespace, where it is an ordinary user's. `Some`: why there is nobody but root in it.
pub(super) fn become_root() -> Result<Option<String>, CliError> {
    if !is_user() {
        return Ok(None);
    }
    match rootless::map_users()? {
        Mapping::Subordinate => Ok(None),
        Mapping::Single { why } => Ok(Some(why)),
    }
}
