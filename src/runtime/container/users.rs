//! What a user namespace of the pod's asks of a container's making. libcontainer enters the namespace early and has no
//! rights on the host from then on: what needs them is done here before, in the helper. Owners are set, mounts are
//! made to show the host's files with the container's ids, and every path that it will open leads through folders that
//! are open to all.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxNamespaceType, Mount, Spec};

use super::attempt::AttemptDirs;
use super::failure::{Failure, Stage};
use super::trees::{Depth, attach, clone_tree};
use crate::plan::IdRange;
use crate::runtime::files;
use crate::runtime::mount::map_ids;

/// Where what the container is made of can be shown instead, if its own place is closed to others: folders that are on
/// every box, and that nothing of barepod's is below. In the helper's mount namespace only.
const PUBLIC: [&str; 6] = ["/sys/fs/bpf", "/mnt", "/media", "/srv", "/opt", "/home"];

/// The pod's own user namespace.
#[derive(Debug)]
pub(super) struct Users {
    ids: IdRange,
    namespace: File,
}

impl Users {
    /// The one that a config names; `None`: it is the host's.
    pub(super) fn of(spec: &Spec) -> Result<Option<Self>, Failure> {
        let Some(linux) = spec.linux() else { return Ok(None) };
        let namespaces = linux.namespaces().iter().flatten();
        let Some(path) =
            namespaces.filter(|one| one.typ() == LinuxNamespaceType::User).find_map(|one| one.path().clone())
        else {
            return Ok(None);
        };
        let namespace = File::open(&path).map_err(|cause| Failure::io(Stage::Users, path.display(), cause))?;
        let mapping = linux.uid_mappings().iter().flatten().next().copied().unwrap_or_default();
        let ids = IdRange { first: mapping.host_id(), length: mapping.size() };
        Ok(Some(Self { ids, namespace }))
    }

    /// What the container's root is on the host.
    pub(super) fn root(&self) -> u32 {
        self.ids.first
    }

    /// What one of the container's ids is on the host.
    pub(super) fn host(&self, id: u32) -> Option<u32> {
        self.ids.host(id)
    }

    /// Has a mount of what is at `source`, which is nowhere yet, show its ids as the container's.
    pub(super) fn map(&self, tree: &OwnedFd, source: &Path) -> Result<(), Failure> {
        map_ids(tree, self.namespace.as_fd()).map_err(|cause| refused(source, cause))
    }

    /// Shows a root file system at `target` with the container's ids.
    pub(super) fn map_root(&self, rootfs: &Path, target: &Path) -> Result<(), Failure> {
        files::make_all(target).map_err(|cause| Failure::io(Stage::Users, target.display(), cause))?;
        let tree = clone_tree(rootfs, Depth::One)?;
        self.map(&tree, rootfs)?;
        attach(&tree, target)
    }

    /// The config as libcontainer is to have it: namespaces by descriptors of this process, as the container can't look
    /// into another, and paths that the container's root may search. The descriptors must live until it is done.
    pub(super) fn hand_over(&self, spec: &mut Spec, dirs: &AttemptDirs) -> Result<Vec<File>, Failure> {
        let mut held = Vec::new();
        let Some(linux) = spec.linux_mut() else { return Ok(held) };
        linux.set_uid_mappings(None).set_gid_mappings(None);
        for namespace in linux.namespaces_mut().iter_mut().flatten() {
            let Some(path) = namespace.path().clone() else { continue };
            let file = File::open(&path).map_err(|cause| Failure::io(Stage::Users, path.display(), cause))?;
            namespace.set_path(Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into()));
            held.push(file);
        }
        let own = dirs.mounts();
        let Some(place) = public_place(&own)? else { return Ok(held) };
        attach(&clone_tree(&own, Depth::All)?, &place)?;
        let moved = |path: &Path| path.strip_prefix(&own).ok().map(|rest| place.join(rest));
        if let Some(root) = spec.root_mut()
            && let Some(path) = moved(root.path())
        {
            root.set_path(path);
        }
        for mount in spec.mounts_mut().iter_mut().flatten() {
            if let Some(path) = mount.source().as_deref().and_then(moved) {
                mount.set_source(Some(path));
            }
        }
        Ok(held)
    }
}

/// In a user namespace nobody makes device nodes: the host's are bound, and have to be what the config means. Those that
/// every container has libcontainer binds itself.
pub(super) fn bind_devices(spec: &mut Spec) -> Result<(), Failure> {
    const EVERYWHERE: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/urandom", "/dev/random"];
    let devices = spec.linux_mut().as_mut().map(|linux| linux.devices_mut().take().unwrap_or_default());
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    for device in devices.into_iter().flatten() {
        let path = device.path();
        let found = fs::metadata(path).map_err(|cause| Failure::io(Stage::Users, path.display(), cause))?;
        if !is(&device, &found) {
            let numbers = format!("{}:{}", device.major(), device.minor());
            let cause = format!("is not the device {numbers} on the host, and none can be made in a user namespace");
            return Err(Failure::new(Stage::Users, path.display(), cause));
        }
        if EVERYWHERE.iter().any(|one| path.as_path() == Path::new(one)) {
            continue;
        }
        let mut mount = Mount::default();
        mount
            .set_typ(Some("bind".to_owned()))
            .set_source(Some(path.clone()))
            .set_destination(path.clone())
            .set_options(Some(vec!["bind".to_owned()]));
        mounts.push(mount);
    }
    spec.set_mounts(Some(mounts));
    Ok(())
}

fn is(device: &LinuxDevice, found: &fs::Metadata) -> bool {
    let kind = found.file_type();
    let same_kind = match device.typ() {
        LinuxDeviceType::B => kind.is_block_device(),
        LinuxDeviceType::P => kind.is_fifo(),
        _ => kind.is_char_device(),
    };
    let numbers = (libc::major(found.rdev()).into(), libc::minor(found.rdev()).into());
    same_kind && (device.typ() == LinuxDeviceType::P || numbers == (device.major(), device.minor()))
}

fn refused(source: &Path, cause: io::Error) -> Failure {
    let mut failure = Failure::io(Stage::Users, source.display(), cause);
    match failure.errno {
        Some(libc::EINVAL) => failure.cause.push_str(
            "; its file system can't be mounted with other ids (mount_setattr(2), MOUNT_ATTR_IDMAP), which \
             hostUsers: false needs",
        ),
        Some(libc::ENOSYS) => failure.cause.push_str("; hostUsers: false needs Linux 5.12"),
        _ => {}
    }
    failure
}

/// A place for what is at `own`, where the way to that is closed to others.
fn public_place(own: &Path) -> Result<Option<PathBuf>, Failure> {
    let failed = |cause| Failure::io(Stage::Users, own.display(), cause);
    let real = fs::canonicalize(own).map_err(failed)?;
    let open =
        |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_dir() && found.permissions().mode() & 1 == 1);
    let Some(closed) = real.ancestors().skip(1).find(|path| !open(path)) else { return Ok(None) };
    let place = PUBLIC.iter().map(Path::new).find(|path| path.ancestors().all(open) && !real.starts_with(path));
    match place {
        Some(place) => Ok(Some(place.to_owned())),
        None => {
            let cause = "keeps others out, and so the container's root; let others search it (chmod o+x)";
            Err(Failure::new(Stage::Users, closed.display(), cause))
        }
    }
}
