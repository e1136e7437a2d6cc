//! Makes the container's working directory where it isn't there, as runc does: of the container's root, with mode 0755,
//! after all mounts, so in a volume too.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};

use super::failure::{Failure, Stage};
use super::places::{Map, Place};
use super::users::Users;
use crate::runtime::files::{self, Kind, SubPathFault};

/// Where it leads.
pub(super) struct WorkingDirectory {
    path: PathBuf,
    place: Where,
}

enum Where {
    /// Nowhere that anything is to be made, or where it is there in any case.
    Nowhere,
    /// This path of the root file system.
    Root(PathBuf),
    /// In a file system in memory that is made for the container: the mount of this number.
    Memory { of: usize, rest: PathBuf },
    /// In what a bind mount shows: the mount of this number.
    Volume { of: usize, rest: PathBuf },
}

impl WorkingDirectory {
    /// That of a config.
    pub(super) fn of(spec: &Spec, map: &Map) -> Result<Self, Failure> {
        let path = spec.process().as_ref().map(|process| process.cwd().clone()).unwrap_or_default();
        let is_tmpfs = |of: usize| {
            let mount = spec.mounts().as_ref().and_then(|mounts| mounts.get(of));
            let tmpfs = mount.filter(|mount| mount.typ().as_deref() == Some("tmpfs"));
            tmpfs.is_some_and(|mount| mount.destination() != Path::new("/dev"))
        };
        let place = match map.place(&path)? {
            Place::Inside { of, rest } => Where::Volume { of, rest },
            Place::At(place) => match map.fresh(&place) {
                Some((of, rest)) if is_tmpfs(of) => Where::Memory { of, rest },
                Some(_) => Where::Nowhere,
                None if map.mounts.contains(&Place::At(place.clone())) => Where::Nowhere,
                None => Where::Root(place),
            },
        };
        Ok(Self { path, place })
    }

    /// The mount that has to be made before it.
    pub(super) fn needs(&self) -> Option<usize> {
        match self.place {
            Where::Memory { of, .. } => Some(of),
            Where::Nowhere | Where::Root(_) | Where::Volume { .. } => None,
        }
    }

    /// Makes it below the root file system at `root`, or in the mount whose files are where `given` says. The mounts of the
    /// config are those it has in the beginning.
    pub(super) fn make(
        &self,
        mounts: &[Mount],
        root: &Path,
        given: &dyn Fn(usize) -> Option<PathBuf>,
        users: Option<&Users>,
    ) -> Result<(), Failure> {
        let owner = users.map_or(0, Users::root);
        let made = match &self.place {
            Where::Nowhere => return Ok(()),
            Where::Root(place) => files::make_in_root(root, place, owner),
            Where::Memory { of, rest } | Where::Volume { of, rest } => {
                let (Some(mount), Some(place)) = (mounts.get(*of), given(*of)) else { return Ok(()) };
                let options = mount.options().iter().flatten();
                let is_read_only = options.clone().any(|option| option == "ro" || option == "rro");
                // The host's root, where that is how the mount shows the container's.
                let owner = if mount.uid_mappings().is_some() { 0 } else { owner };
                let found = files::open_below(&place, rest, files::Create::Nothing).map(drop);
                match found {
                    Err(SubPathFault::Refused(libc::ENOENT)) if is_read_only => Err(SubPathFault::Refused(libc::EROFS)),
                    Err(SubPathFault::Refused(libc::ENOENT)) => {
                        files::mount_point(&place, rest, Kind::Folder, owner).map(drop)
                    }
                    // A link that leads out of the volume leads somewhere in the container, as far as it can.
                    _ => Ok(()),
                }
            }
        };
        made.map_err(|fault| {
            let object = format!("working directory {}", self.path.display());
            match fault {
                SubPathFault::Refused(libc::EROFS) => {
                    let cause =
                        "isn't in its volume, which is mounted read-only; make it there before, or mount it writable";
                    Failure::new(Stage::RootFs, object, cause)
                }
                SubPathFault::Refused(errno) => {
                    Failure::io(Stage::RootFs, object, std::io::Error::from_raw_os_error(errno))
                }
                SubPathFault::Escapes => Failure::new(Stage::RootFs, object, "has a \"..\" in it"),
            }
        })
    }
}
