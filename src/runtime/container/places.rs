//! Where the mounts of a container come to be. An image may have symbolic links at their places and on the way there.
//! libcontainer follows them inside the root file system, but thinks only of the names: it makes devices at `dev` below the
//! root's path, whatever is there by then (CVE-2026-41579: links to the host, which is what an absolute one is for it), and
//! mounts a volume over the root itself, /dev or /proc, if it is led there. So all places are found out beforehand. Nobody
//! can change an image after that, as its upper layer is not shown to anybody yet; a volume others may change, or a disk
//! that is mounted, so mounts in those are made by descriptor (see `binds`).

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::failure::{Failure, Stage};
use crate::plan::{binds, normal};

/// What belongs to the container's kernel interfaces: nothing comes there that isn't named so.
const SPECIAL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// What may be mounted in /proc, as in runc: files that lxcfs emulates, and two settings.
const IN_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// The kernel's own bound (path_resolution(7)).
const LINKS: usize = 40;

/// Where a path of the container leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To this path of the root file system, or of a file system that is made for the container: no link is on the way.
    /// What is missing there can be made, also where a link of the image leads to nothing (as to the files of
    /// systemd-resolved, which an image has links to).
    At(PathBuf),
    /// In what is mounted by the config's mount of this number, which is an earlier one, and may hold anything.
    Inside { of: usize, rest: PathBuf },
}

impl Place {
    /// The number of the mount that it is in.
    pub(super) fn outer(&self) -> Option<usize> {
        match self {
            Self::At(_) => None,
            Self::Inside { of, .. } => Some(*of),
        }
    }
}

/// A config's mounts and their places.
pub(super) struct Map {
    walk: Walk,
    /// In the order of the config.
    pub(super) mounts: Vec<Place>,
}

impl Map {
    /// Finds the place of each of a config's mounts, in their order, below the root file system at `root`.
    pub(super) fn of(spec: &Spec, root: &Path) -> Result<Self, Failure> {
        let failed = |errno: Errno| Failure::io(Stage::RootFs, root.display(), errno);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(failed)?;
        let mut walk = Walk { root, mounts: HashMap::new() };
        for special in SPECIAL.map(Path::new) {
            let found = walk.find(special).map_err(|errno| Failure::io(Stage::Binds, special.display(), errno))?;
            if found != Place::At(special.to_owned()) {
                return Err(Failure::new(Stage::Binds, special.display(), "is a symbolic link in the image"));
            }
        }
        let mut mounts = Vec::new();
        for (number, mount) in spec.mounts().iter().flatten().enumerate() {
            let destination = mount.destination();
            let place = walk.find(destination).map_err(|errno| lost(destination, errno))?;
            if let Place::At(place) = &place {
                allow(mount, place).map_err(|cause| Failure::new(Stage::Binds, destination.display(), cause))?;
                // The kernel's own are nobody's to change, also where the host's are shown.
                let changeable = !is_empty(mount) && !place.starts_with("/proc") && !place.starts_with("/sys");
                walk.mounts.insert(place.clone(), (number, changeable));
            }
            mounts.push(place);
        }
        Ok(Self { walk, mounts })
    }

    /// Where any path of the container leads, all mounts being made.
    pub(super) fn place(&self, path: &Path) -> Result<Place, Failure> {
        self.walk.find(path).map_err(|errno| lost(path, errno))
    }

    /// The mount that a place of [`Place::At`] is in below the mount's own place, and the rest of the path; `None`: it is
    /// in the root file system.
    pub(super) fn fresh(&self, place: &Path) -> Option<(usize, PathBuf)> {
        let mounts = self.walk.mounts.iter();
        let around = mounts.filter_map(|(point, (number, _))| Some((point, *number, place.strip_prefix(point).ok()?)));
        let inner = around.max_by_key(|(point, ..)| point.components().count());
        let (_, number, rest) = inner.filter(|(.., rest)| !rest.as_os_str().is_empty())?;
        Some((number, rest.to_owned()))
    }
}

/// Where a path leads in the root file system alone.
pub(super) fn in_image(root: OwnedFd, path: &Path) -> Option<PathBuf> {
    match (Walk { root, mounts: HashMap::new() }).find(path) {
        Ok(Place::At(place)) => Some(place),
        Ok(Place::Inside { .. }) | Err(_) => None,
    }
}

fn lost(path: &Path, errno: Errno) -> Failure {
    Failure::io(Stage::Binds, path.display(), errno)
}

/// Whether what is mounted is new, and holds nothing that others have made or can make.
fn is_empty(mount: &Mount) -> bool {
    const NEW: [&str; 8] = ["cgroup", "cgroup2", "devpts", "mqueue", "proc", "ramfs", "sysfs", "tmpfs"];
    !binds(mount) && mount.typ().as_deref().is_some_and(|kind| NEW.contains(&kind))
}

/// Whether a mount may be at a place of the root file system: why not.
fn allow(mount: &Mount, place: &Path) -> Result<(), String> {
    if place == Path::new("/") {
        return Err("leads to the root file system itself".to_owned());
    }
    let named = normal(mount.destination());
    for special in SPECIAL.into_iter().filter(|special| place.starts_with(special)) {
        if !named.starts_with(special) {
            return Err(format!("is led to {} by a symbolic link in the image", place.display()));
        }
    }
    if !place.starts_with("/proc") || IN_PROC.iter().any(|one| place == Path::new(one)) {
        return Ok(());
    }
    if place != Path::new("/proc") {
        return Err("nothing can be mounted in /proc but what lxcfs has there".to_owned());
    }
    let is_proc = match mount.source() {
        Some(source) if binds(mount) => {
            let kind = rustix::fs::statfs(source).map_err(|errno| std::io::Error::from(errno).to_string())?;
            kind.f_type == rustix::fs::PROC_SUPER_MAGIC
        }
        _ => mount.typ().as_deref() == Some("proc"),
    };
    if is_proc { Ok(()) } else { Err("only a proc file system can be mounted at /proc".to_owned()) }
}

/// Follows paths as the container would, with the mounts that are known so far in their places.
struct Walk {
    root: OwnedFd,
    /// By place: its number, and whether it shows what others may change.
    mounts: HashMap<PathBuf, (usize, bool)>,
}

impl Walk {
    fn find(&self, path: &Path) -> Result<Place, Errno> {
        let mut ahead = names(path);
        let mut at = PathBuf::from("/");
        // The mount that `at` is in, if it is in one: nobody has made links there.
        let mut fresh: Option<PathBuf> = None;
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == OsStr::new("..") {
                at.pop();
                fresh = fresh.filter(|base| at.starts_with(base));
                continue;
            }
            at.push(&name);
            match self.mounts.get(&at) {
                Some((of, true)) if !ahead.is_empty() => {
                    return Ok(Place::Inside { of: *of, rest: ahead.iter().rev().collect() });
                }
                Some((_, false)) => fresh = Some(at.clone()),
                Some((_, true)) | None => {}
            }
            if fresh.is_some() {
                continue;
            }
            if let Some(target) = self.link(&at)? {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                at.pop();
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                ahead.extend(names(&target));
            }
        }
        Ok(Place::At(at))
    }

    /// Where the link at a path leads whose folders are none; what isn't there will be made.
    fn link(&self, path: &Path) -> Result<Option<PathBuf>, Errno> {
        let path = path.strip_prefix("/").unwrap_or(path);
        match rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => {
                let target = rustix::fs::readlinkat(&self.root, path, Vec::new())?;
                Ok(Some(OsString::from_vec(target.into_bytes()).into()))
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

/// The names of a path, the first of them last.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(name).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;

    /// An image with these links (path, target), and a config with these mounts (type, destination).
    fn found(links: &[(&str, &str)], mounts: &[(&str, &str)]) -> Result<Vec<Place>, String> {
        let root = tempfile::tempdir().unwrap();
        for folder in ["dev", "proc", "sys", "mnt", "run", "var"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        for (path, target) in links {
            let path = root.path().join(path);
            let _ = fs::remove_dir(&path);
            symlink(target, path).unwrap();
        }
        let mount = |(kind, at): &(&str, &str)| json!({"destination": at, "type": kind, "source": "/tmp"});
        let mounts: Vec<_> = mounts.iter().map(mount).collect();
        let spec: Spec = serde_json::from_value(json!({"ociVersion": "1.2.0", "mounts": mounts})).unwrap();
        Map::of(&spec, root.path()).map(|map| map.mounts).map_err(|failure| failure.to_string())
    }

    fn inside(of: usize, rest: &str) -> Place {
        Place::Inside { of, rest: rest.into() }
    }

    #[test]
    fn the_places_of_mounts() {
        const USUAL: [(&str, &str); 3] = [("proc", "/proc"), ("tmpfs", "/dev"), ("sysfs", "/sys")];
        let with = |more: &[(&'static str, &'static str)]| [&USUAL[..], more].concat();
        let all = found(
            &[("var/run", "/run"), ("mnt/l", "../run/./x"), ("mnt/up", "../../..")],
            &with(&[
                ("bind", "/run"),
                ("bind", "/var/run/secrets/a"),
                ("bind", "/mnt/l"),
                ("bind", "/mnt/up/run/y/z"),
                ("bind", "/dev/shm"),
                ("bind", "/dev/shm/x"),
                ("bind", "/dev/x"),
                ("bind", "/new/deep"),
                ("bind", "/run/../etc"),
            ]),
        );
        let at = |path: &str| Place::At(path.into());
        let places = [
            at("/run"),
            inside(3, "secrets/a"),
            inside(3, "x"),
            inside(3, "y/z"),
            at("/dev/shm"),
            inside(7, "x"),
            at("/dev/x"),
            at("/new/deep"),
            at("/etc"),
        ];
        // `..` behind a volume is the volume's affair: the volume might be a link's target.
        assert_eq!(all.unwrap()[3..11], places[..8]);
        // Links to what isn't there, and through it: relative, absolute, out of the root, and one to another.
        let links = [
            ("mnt/resolv", "../run/systemd/resolve/stub"),
            ("mnt/app", "/data/app"),
            ("mnt/out", "../../../../away"),
            ("mnt/chain", "app/deep"),
        ];
        let points = [("bind", "/mnt/resolv"), ("bind", "/mnt/app/x"), ("bind", "/mnt/out/y"), ("tmpfs", "/mnt/chain")];
        let made = ["/run/systemd/resolve/stub", "/data/app/x", "/away/y", "/data/app/deep"].map(at);
        assert_eq!(found(&links, &with(&points)).unwrap()[3..], made);
        for (link, target, at, cause) in [
            ("mnt/v", "/dev", "/mnt/v", "is led to /dev by a symbolic link"),
            ("mnt/v", "../dev/x", "/mnt/v", "is led to /dev/x by a symbolic link"),
            ("mnt/v", "/proc/sys", "/mnt/v/kernel", "is led to /proc/sys/kernel by a symbolic link"),
            ("mnt/v", "/sys", "/mnt/v", "is led to /sys by a symbolic link"),
            ("mnt/v", "/", "/mnt/v", "leads to the root file system itself"),
            ("mnt/v", "v", "/mnt/v", "symbolic links"),
            ("dev", "/run", "/mnt/v", "/dev: is a symbolic link in the image"),
            ("proc", "/run", "/mnt/v", "/proc: is a symbolic link in the image"),
            ("mnt/v", "/run", "/", "leads to the root file system itself"),
            ("mnt/v", "/run", "/proc", "only a proc file system can be mounted at /proc"),
            ("mnt/v", "/run", "/proc/sys/net", "nothing can be mounted in /proc"),
        ] {
            for kind in ["bind", "tmpfs"] {
                let refused = found(&[(link, target)], &with(&[(kind, at)])).unwrap_err();
                assert!(refused.contains(cause), "{link} {target} {at}: {refused}");
            }
        }
        assert!(found(&[], &with(&[("bind", "/proc/cpuinfo"), ("proc", "/proc")])).is_ok());
    }
}
