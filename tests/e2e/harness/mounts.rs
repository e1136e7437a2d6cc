//! Mounts that are a test's own.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// From now on what this thread mounts is there for it, and for what it starts, alone: pods of other tests would take it over into
/// their namespaces.
pub fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>).unwrap();
}
