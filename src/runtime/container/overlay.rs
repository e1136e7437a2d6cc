//! An overlay of more layers than fit into the options of mount(2): each by a call of its own (fsconfig(2), Linux 6.8).

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, move_mount,
};

/// Mounts it. `more`: further options as mount(2) takes them, each after a comma. EOPNOTSUPP where the kernel is too old.
pub(super) fn mount(layers: &[File], upper: &File, work: &File, more: &str, target: &Path) -> nix::Result<()> {
    let made = make(layers, upper, work, more, target);
    made.map_err(|errno| nix::Error::from_raw(errno.raw_os_error()))
}

fn make(layers: &[File], upper: &File, work: &File, more: &str, target: &Path) -> rustix::io::Result<()> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let path = |folder: &File| format!("/proc/self/fd/{}", folder.as_raw_fd());
    for layer in layers {
        // A name that it doesn't know is all that can be wrong here.
        let added = fsconfig_set_string(&overlay, "lowerdir+", path(layer));
        added.map_err(|errno| if errno == Errno::INVAL { Errno::OPNOTSUPP } else { errno })?;
    }
    fsconfig_set_string(&overlay, "upperdir", path(upper))?;
    fsconfig_set_string(&overlay, "workdir", path(work))?;
    for option in split(more) {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(&overlay, key, value.trim_matches('"'))?,
            None => fsconfig_set_flag(&overlay, option)?,
        }
    }
    fsconfig_create(&overlay)?;
    let mounted = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&mounted, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Options that are separated by commas, those between quotation marks apart.
fn split(options: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = options.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    });
    parts.filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_separated() {
        let options = ",volatile,userxattr,context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        let found: Vec<&str> = split(options).collect();
        assert_eq!(found, ["volatile", "userxattr", "context=\"system_u:object_r:container_file_t:s0:c1,c2\""]);
    }
}
