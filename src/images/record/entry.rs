//! One entry of a record.

use rustix::fs::{FileType, Stat};

/// A time of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since 1970.
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// What something is, with what only such things have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File { size: u64, sha256: [u8; 32] },
    Folder,
    Link { target: Vec<u8> },
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
    Socket,
}

impl Kind {
    /// The letter of `ls -l`, but for files.
    pub(super) fn letter(&self) -> u8 {
        match self {
            Self::File { .. } => b'f',
            Self::Folder => b'd',
            Self::Link { .. } => b'l',
            Self::Character { .. } => b'c',
            Self::Block { .. } => b'b',
            Self::Fifo => b'p',
            Self::Socket => b's',
        }
    }

    /// For people.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Folder => "a folder",
            Self::Link { .. } => "a symbolic link",
            // How overlays hide what is in the layers below.
            Self::Character { major: 0, minor: 0 } => "a whiteout",
            Self::Character { .. } => "a character device",
            Self::Block { .. } => "a block device",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
        }
    }
}

/// What a tree has at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the tree, without a slash at either end; `.` is the tree's own folder.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// Permissions with set-user-id, set-group-id and sticky bit.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: Time,
    /// By name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// With what stat(2) says of it; `content` is asked for a file's, `target` for a link's.
    #[allow(clippy::unnecessary_cast, reason = "the types of the fields differ between architectures")]
    pub(super) fn of<E>(
        path: &[u8],
        found: &Stat,
        xattrs: Vec<(Vec<u8>, Vec<u8>)>,
        content: impl FnOnce() -> Result<[u8; 32], E>,
        target: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let (major, minor) = (rustix::fs::major(found.st_rdev), rustix::fs::minor(found.st_rdev));
        let kind = match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link { target: target()? },
            FileType::CharacterDevice => Kind::Character { major, minor },
            FileType::BlockDevice => Kind::Block { major, minor },
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::RegularFile | FileType::Unknown => Kind::File { size: found.st_size as u64, sha256: content()? },
        };
        let modified = Time { seconds: found.st_mtime as i64, nanoseconds: found.st_mtime_nsec as u32 };
        let mode = found.st_mode as u32 & 0o7777;
        Ok(Self { path: path.to_owned(), kind, mode, uid: found.st_uid, gid: found.st_gid, modified, xattrs })
    }
}
