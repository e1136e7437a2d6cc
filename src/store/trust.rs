//! Whether a folder that is used because of its name alone belongs to who uses it: what stands in a state folder says what
//! is killed and removed, and where all may make entries (/tmp) somebody else may have been there first.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::error::{Distrust, Error, io_error};

/// Group and others.
const WRITABLE: u32 = 0o022;

/// Nobody but `user` can have put anything into this folder; one that isn't there is none to mistrust. A symbolic link
/// must be the user's as well as what it leads to.
///
/// # Errors
/// [`Error::Untrusted`].
pub fn check(folder: &Path, user: u32) -> Result<(), Error> {
    let untrusted = |why| Err(Error::Untrusted { path: folder.to_owned(), why });
    for found in [folder.symlink_metadata(), folder.metadata()] {
        let found = match found {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            found => found.map_err(io_error(folder, "stat"))?,
        };
        if found.uid() != user {
            return untrusted(Distrust::Owner { owner: found.uid(), user });
        }
        if found.is_symlink() {
            continue;
        }
        if !found.is_dir() {
            return untrusted(Distrust::NotAFolder);
        }
        if found.mode() & WRITABLE != 0 {
            return untrusted(Distrust::Mode(found.mode() & 0o7777));
        }
    }
    Ok(())
}

/// As [`check`], in a folder in which all may make entries: makes it, so that nobody can from then on.
///
/// # Errors
/// As [`check`].
pub fn claim(folder: &Path, user: u32) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io_error(folder, "mkdir")(error)),
        Ok(()) | Err(_) => check(folder, user),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn why(folder: &Path, user: u32) -> Option<Distrust> {
        match check(folder, user) {
            Err(Error::Untrusted { why, .. }) => Some(why),
            checked => {
                checked.unwrap();
                None
            }
        }
    }

    #[test]
    fn only_what_is_the_users_alone_is_trusted() {
        let user = rustix::process::geteuid().as_raw();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(why(&at("none"), user), None);
        claim(&at("own"), user).unwrap();
        claim(&at("own"), user).unwrap();
        assert_eq!(fs::metadata(at("own")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(why(&at("own"), user + 1), Some(Distrust::Owner { owner: user, user: user + 1 }));
        symlink("own", at("link")).unwrap();
        assert_eq!(why(&at("link"), user), None);
        for mode in [0o720, 0o702, 0o1777] {
            fs::set_permissions(at("own"), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(why(&at("own"), user), Some(Distrust::Mode(mode)));
            assert_eq!(why(&at("link"), user), Some(Distrust::Mode(mode)));
        }
        fs::write(at("file"), "").unwrap();
        assert_eq!(why(&at("file"), user), Some(Distrust::NotAFolder));
    }
}
