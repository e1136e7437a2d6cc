//! Overlays. One of more layers than fit into the options of mount(2) gets each by a call of its own (fsconfig(2), Linux 6.8).

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::mount::MsFlags;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, move_mount,
};

/// Layers, from the highest to the lowest, and where what is written goes: a folder for that, and one to work in.
pub(super) struct Overlay<'a> {
    pub(super) layers: &'a [File],
    pub(super) upper: Option<[&'a File; 2]>,
}

impl Overlay<'_> {
    /// Mounts it. `more`: further options as mount(2) takes them, each after a comma. EOPNOTSUPP where the kernel is too old.
    pub(super) fn mount(&self, more: &str, target: &Path) -> nix::Result<()> {
        match self.options(more) {
            // With what is behind the last, mount(2) takes a page of them.
            short if short.len() < rustix::param::page_size() => {
                nix::mount::mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(short.as_str()))
            }
            _ => self.make(more, target).map_err(|errno| nix::Error::from_raw(errno.raw_os_error())),
        }
    }

    fn options(&self, more: &str) -> String {
        let lower = self.layers.iter().map(path).collect::<Vec<_>>().join(":");
        let upper = self.upper.map(|[upper, work]| format!(",upperdir={},workdir={}", path(upper), path(work)));
        format!("lowerdir={lower}{}{more}", upper.unwrap_or_default())
    }

    fn make(&self, more: &str, target: &Path) -> rustix::io::Result<()> {
        let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for layer in self.layers {
            // A name that it doesn't know is all that can be wrong here.
            let added = fsconfig_set_string(&overlay, "lowerdir+", path(layer));
            added.map_err(|errno| if errno == Errno::INVAL { Errno::OPNOTSUPP } else { errno })?;
        }
        if let Some([upper, work]) = self.upper {
            fsconfig_set_string(&overlay, "upperdir", path(upper))?;
            fsconfig_set_string(&overlay, "workdir", path(work))?;
        }
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
}

/// By descriptor, so that no path needs escaping, none can be too long, and none shows in the container's mountinfo.
fn path(folder: &File) -> String {
    format!("/proc/self/fd/{}", folder.as_raw_fd())
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
