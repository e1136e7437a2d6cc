//! Bind mounts whose source libcontainer can't open itself or would mount otherwise than the config says: in a user
//! namespace, and with a propagation of their own. libcontainer gives all mounts the propagation of the root and clones
//! what it finds at a source with the propagation that it has there. So each is bound to a place of the helper's first,
//! with the right owners and propagation, and that place becomes the source. So are the box's cgroups, which the helper
//! hides from libcontainer before it mounts anything. What else of a config's mounts is done here:
//! see `prepare`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::FileType;
use rustix::mount::{MoveMountFlags, move_mount};

use super::attempt::AttemptDirs;
use super::failure::{Failure, Stage};
use super::places::{Map, Place};
use super::trees::{Depth, attach, clone_tree, within};
use super::users::Users;
use super::working_directory::WorkingDirectory;
use super::{asked, file_systems, options};
use crate::plan::{ContainerPlan, SharedMount};
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::files::{self, Create, Kind, SubPathFault};
use crate::runtime::mount::make_private;

/// Prepares a config's mounts, as far as that is not libcontainer's. Each gets the place that it leads to, without links.
/// Bind mounts get a source of the helper's, where one of them needs it. Mounts of any kind with a place in one of them
/// become part of that: what is on the way there others may change at any moment, and libcontainer would follow a link to
/// anywhere in the container, its root and /dev included. File systems in memory and on disks are made here too: with all
/// their options, and before the container's device rules hold. Without `hierarchies` their usual place is hidden all the
/// same.
pub(super) fn prepare(
    spec: &mut Spec,
    plan: &ContainerPlan,
    users: Option<&Users>,
    dirs: &AttemptDirs,
    hierarchies: Option<&Hierarchies>,
) -> Result<(), Failure> {
    let shared = &plan.shared;
    let root = dirs.mounts().join("rootfs");
    let map = Map::of(spec, &root)?;
    let working = WorkingDirectory::of(spec, &map)?;
    lead_to_places(spec, &map)?;
    let mut outer: BTreeSet<usize> = map.mounts.iter().filter_map(Place::outer).collect();
    outer.extend(working.needs());
    refuse_in_shared(spec, &map.mounts, shared)?;
    let before: Vec<Mount> = spec.mounts().clone().unwrap_or_default();
    let folder = dirs.mounts().join("binds");
    files::make_all(&folder).map_err(|cause| Failure::io(Stage::Binds, folder.display(), cause))?;
    let own = |number: usize| folder.join(number.to_string());
    let all_binds = users.is_some()
        || !shared.is_empty()
        || !outer.is_empty()
        || spec.mounts().iter().flatten().any(|mount| depth(mount).is_some() && is_slave(mount));
    let none = Hierarchies::none();
    let hierarchies = hierarchies.unwrap_or(&none);
    let is_hidden = |mount: &Mount, source: &Path| {
        depth(mount).is_some() && fs::canonicalize(source).is_ok_and(|real| hierarchies.is_hidden_at(&real))
    };
    let mut left = Vec::new();
    for ((number, mut mount), place) in spec.mounts_mut().take().into_iter().flatten().enumerate().zip(&map.mounts) {
        let mapped = mount.uid_mappings().is_some();
        mount.set_uid_mappings(None).set_gid_mappings(None);
        check(&mount, plan, users, shared.iter().any(|one| one.mount == number))?;
        let source = mount.source().clone();
        let is_needed = |source: &PathBuf| all_binds || is_ours(&mount, users) || is_hidden(&mount, source);
        let Some(source) = source.filter(is_needed) else {
            left.push(mount);
            continue;
        };
        let failed = |cause| Failure::io(Stage::Binds, source.display(), cause);
        let is_made_here = outer.contains(&number) || is_ours(&mount, users);
        let tree = match (depth(&mount), shared.iter().find(|one| one.mount == number)) {
            (None, _) if place.outer().is_none() && !is_made_here => {
                left.push(mount);
                continue;
            }
            (None, _) => {
                let mode = mode_at(&root, place, &own);
                file_systems::make(&mount, spec, users, mode)?
            }
            (Some(_), Some(one)) => within(&one.namespace, CloneFlags::CLONE_NEWNS, || shared_tree(&source))??,
            (Some(depth), None) => clone_tree(&source, depth)?,
        };
        if let Some(users) = users.filter(|_| mapped) {
            users.map(&tree, &source)?;
        }
        if !is_slave(&mount) && !has(&mount, "rshared") {
            make_private(&tree).map_err(failed)?;
        }
        if let Place::Inside { of, rest } = place {
            let config = before.get(*of).filter(|_| plan.config_volumes.contains(of));
            let config = config.and_then(|volume| volume.source().as_deref());
            put_inside(&tree, &mount, &Inside { volume: &own(*of), config, rest }, users)?;
            continue;
        }
        let target = own(number);
        let failed = |cause| Failure::io(Stage::Binds, target.display(), cause);
        if is_folder(&tree).map_err(failed)? {
            fs::create_dir(&target).map_err(failed)?;
        } else {
            File::create(&target).map_err(failed)?;
        }
        if is_made_here {
            // Here, because those that are of all mounts below (`rro`) are not of those that will be in it.
            set_attributes(&tree, &mount)?;
            mount.set_typ(Some("bind".to_owned())).set_options(Some(vec!["rbind".to_owned()]));
        }
        attach(&tree, &target)?;
        mount.set_source(Some(target));
        left.push(mount);
    }
    let given = |at: usize| if outer.contains(&at) { Some(own(at)) } else { before.get(at)?.source().clone() };
    working.make(&before, &root, &given, users)?;
    spec.set_mounts(Some(left));
    Ok(())
}

/// What libcontainer would find out about a mount and not say: a source that isn't there, a type or an option that this kernel
/// doesn't take. The source of a shared mount is in another mount namespace.
fn check(mount: &Mount, plan: &ContainerPlan, users: Option<&Users>, is_shared: bool) -> Result<(), Failure> {
    let at = mount.destination().display();
    if depth(mount).is_none() {
        // Those that are made here are checked by that.
        let refused = if is_ours(mount, users) { None } else { asked::refused(mount, plan.rights) };
        return refused.map_or(Ok(()), |(field, why)| Err(Failure::new(Stage::Binds, at, format!("{field}: {why}"))));
    }
    let Some(source) = mount.source().as_ref().filter(|_| !is_shared) else { return Ok(()) };
    fs::metadata(source).map(drop).map_err(|cause| {
        let failure = Failure::io(Stage::Binds, at, cause);
        Failure { cause: format!("its source {}: {}", source.display(), failure.cause), ..failure }
    })
}

/// Whether libcontainer would not make a mount as its options say, or at another time. The container's own /dev is left to
/// it, as its devices are; a user namespace's root may mount no disk.
fn is_ours(mount: &Mount, users: Option<&Users>) -> bool {
    if depth(mount).is_some() {
        return options::is_beyond_libcontainer(mount);
    }
    const KERNELS: [&str; 6] = ["cgroup", "cgroup2", "devpts", "mqueue", "proc", "sysfs"];
    let kind = mount.typ().as_deref().unwrap_or_default();
    !KERNELS.contains(&kind) && mount.destination() != Path::new("/dev") && (users.is_none() || kind == "tmpfs")
}

/// Exchanges all paths of the container in a config for those that they lead to: libcontainer makes no place behind a
/// link that leads to nothing, and covers a link in place of what it leads to. What is in a volume is left as it is.
fn lead_to_places(spec: &mut Spec, map: &Map) -> Result<(), Failure> {
    for (mount, place) in spec.mounts_mut().iter_mut().flatten().zip(&map.mounts) {
        if let Place::At(place) = place {
            mount.set_destination(place.clone());
        }
    }
    let lead = |paths: &Option<Vec<String>>| {
        let lead = |path: &String| match map.place(Path::new(path))? {
            Place::At(place) => Ok(place.to_str().unwrap_or(path).to_owned()),
            Place::Inside { .. } => Ok(path.clone()),
        };
        paths.as_ref().map(|paths| paths.iter().map(lead).collect::<Result<Vec<_>, Failure>>()).transpose()
    };
    if let Some(linux) = spec.linux_mut() {
        let (masked, read_only) = (lead(linux.masked_paths())?, lead(linux.readonly_paths())?);
        linux.set_masked_paths(masked).set_readonly_paths(read_only);
    }
    Ok(())
}

/// The mode of the folder that something will be mounted on, if there is one.
fn mode_at(root: &Path, place: &Place, own: &dyn Fn(usize) -> PathBuf) -> Option<u32> {
    let found = match place {
        Place::At(path) => files::open_in_root(root, path).ok()?,
        Place::Inside { of, rest } => files::open_below(&own(*of), rest, Create::Nothing).ok()?,
    };
    let found = rustix::fs::fstat(&found).ok()?;
    (FileType::from_raw_mode(found.st_mode) == FileType::Directory).then_some(found.st_mode & 0o7777)
}

/// A mount in a volume that shares its mounts would be on the host as well, and nobody would take it away there.
fn refuse_in_shared(spec: &Spec, places: &[Place], shared: &[SharedMount]) -> Result<(), Failure> {
    for (mount, place) in spec.mounts().iter().flatten().zip(places) {
        let Some(of) = place.outer().filter(|of| shared.iter().any(|one| one.mount == *of)) else { continue };
        let volume = spec.mounts().as_ref().and_then(|all| all.get(of)).map(Mount::destination);
        let volume = volume.map(|path| path.display().to_string()).unwrap_or_default();
        let cause = format!(
            "is in the volume at {volume}, which hands mounts on (mountPropagation: Bidirectional): it would stay on the \
             host; mount it elsewhere"
        );
        return Err(Failure::new(Stage::Binds, mount.destination().display(), cause));
    }
    Ok(())
}

fn nowhere(mount: &Mount, fault: SubPathFault) -> Failure {
    let at = mount.destination().display();
    match fault {
        SubPathFault::Refused(errno) => Failure::io(Stage::Binds, at, io::Error::from_raw_os_error(errno)),
        SubPathFault::Escapes => Failure::new(Stage::Binds, at, "is led out of the volume that it is in"),
    }
}

/// A place in a volume.
struct Inside<'a> {
    /// Where the helper has the volume, as the container will see it.
    volume: &'a Path,
    /// Where a volume of files is that the container may not write to, but has places for mounts all the same.
    config: Option<&'a Path>,
    rest: &'a Path,
}

/// Puts a tree at its place in a volume, which is found once and held by a descriptor from then on.
fn put_inside(tree: &OwnedFd, mount: &Mount, inside: &Inside<'_>, users: Option<&Users>) -> Result<(), Failure> {
    set_attributes(tree, mount)?;
    let at = mount.destination().display();
    let is_folder = is_folder(tree).map_err(|cause| Failure::io(Stage::Binds, &at, cause))?;
    let kind = if is_folder { Kind::Folder } else { Kind::File };
    let owner = users.map_or(0, Users::root);
    let point = match (files::mount_point(inside.volume, inside.rest, kind, owner), inside.config) {
        // The kubelet makes places for mounts in volumes of files (pkg/volume/util/nested_volumes.go).
        (Err(SubPathFault::Refused(libc::EROFS)), Some(volume)) => files::mount_point(volume, inside.rest, kind, owner)
            .and_then(|_| files::mount_point(inside.volume, inside.rest, kind, owner)),
        (point, _) => point,
    };
    let point = point.map_err(|fault| nowhere(mount, fault))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", &point, "", flags).map_err(|cause| Failure::io(Stage::Binds, &at, cause))
}

/// Gives a tree the attributes that its mount's options name, as libcontainer does it.
fn set_attributes(tree: &OwnedFd, mount: &Mount) -> Result<(), Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new(Stage::Binds, mount.destination().display(), cause);
    let options = options::read(mount).map_err(|error| failed(&error))?;
    let flags = nix::mount::MsFlags::from_bits_truncate(options.flags.bits());
    crate::runtime::mount::add_flags(tree, flags).map_err(|cause| failed(&cause))?;
    if options::follows_no_links(mount) {
        crate::runtime::mount::add_attributes(tree, libc::MOUNT_ATTR_NOSYMFOLLOW).map_err(|cause| failed(&cause))?;
    }
    let Some(all) = options.rec_attr else { return Ok(()) };
    crate::runtime::mount::change_all(tree, all.attr_set, all.attr_clr).map_err(|cause| failed(&cause))
}

fn has(mount: &Mount, name: &str) -> bool {
    mount.options().iter().flatten().any(|option| option == name)
}

/// What the one of them does the other does as well.
fn is_slave(mount: &Mount) -> bool {
    has(mount, "slave") || has(mount, "rslave")
}

fn depth(mount: &Mount) -> Option<Depth> {
    if has(mount, "rbind") {
        return Some(Depth::All);
    }
    (has(mount, "bind") || mount.typ().as_deref() == Some("bind")).then_some(Depth::One)
}

fn is_folder(tree: &OwnedFd) -> io::Result<bool> {
    let mode = rustix::fs::fstat(tree)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Directory)
}

/// A copy of what is mounted at `source` that shows there what will be mounted in it, and the other way round.
fn shared_tree(source: &Path) -> Result<OwnedFd, Failure> {
    let failed = |cause| Failure::io(Stage::Binds, source.display(), cause);
    let real = fs::canonicalize(source).map_err(failed)?;
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(failed)?;
    match mount_of(&text, &real) {
        Some(mount) if mount.is_shared => clone_tree(&real, Depth::All),
        Some(Mounted { point, .. }) => {
            // The kubelet's runtimes' words.
            let cause =
                format!("is mounted on {} but it is not a shared mount; mount --make-shared it", point.display());
            Err(Failure::new(Stage::Binds, real.display(), cause))
        }
        None => Err(Failure::new(Stage::Binds, real.display(), "is on no mount that can be seen")),
    }
}

/// A mount as mountinfo has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mounted {
    point: PathBuf,
    is_shared: bool,
}

/// The mount that a path is on, by the text of a mountinfo (proc(5)).
fn mount_of(mountinfo: &str, path: &Path) -> Option<Mounted> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (own, _) = line.split_once(" - ")?;
        let mut fields = own.split(' ').skip(4);
        let point = PathBuf::from(crate::runtime::mount::unescape(fields.next()?));
        // Behind the options.
        let is_shared = fields.skip(1).any(|field| field.starts_with("shared:"));
        Some(Mounted { point, is_shared })
    });
    // The last of the longest: one may be on top of another.
    mounts.filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_a_path_is_found() {
        let text = "27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
            30 27 0:5 / /a rw,relatime - tmpfs x rw\n31 27 0:6 / /a\\040b rw shared:2 master:3 - tmpfs x rw\n\
            32 30 0:7 / /a rw,relatime shared:9 - tmpfs x rw\n";
        for (path, point) in [("/x", "/"), ("/a/c", "/a"), ("/a b/c", "/a b")] {
            let expected = Mounted { point: point.into(), is_shared: true };
            assert_eq!(mount_of(text, Path::new(path)), Some(expected), "{path}");
        }
        let private = Mounted { point: "/".into(), is_shared: false };
        assert_eq!(mount_of("1 0 0:1 / / rw - x x rw\n", Path::new("/x")), Some(private));
    }
}
