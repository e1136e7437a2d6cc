//! An entry, of its header and what headers before it said of it.

use super::header::{Header, Kind};
use super::pax::Extended;
use crate::images::record::Time;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it is written: it may be absolute, have `..`, or a slash at its end. No byte of it is zero.
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Permissions with set-user-id, set-group-id and sticky bit.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: Time,
    /// Of the whole file; of other things 0.
    pub size: u64,
    /// Of a sparse file: where the pieces of its content are, from the first to the last, and how long each is.
    pub pieces: Option<Vec<(u64, u64)>>,
    /// The target of a link; no byte of it is zero.
    pub link: Vec<u8>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The largest major and minor number of a device (kernel, MAJOR and MINOR of dev_t).
const LARGEST_DEVICE: (u64, u64) = (0xfff, 0xf_ffff);

pub(super) fn of(
    header: &Header,
    mut kind: Kind,
    mut long: Extended,
    pieces: Option<Vec<(u64, u64)>>,
    size: u64,
) -> Result<Entry, &'static str> {
    let id = |long: Option<u64>, short: Option<u64>| {
        // The last one means none (chown(2)).
        let id = long.or(short).ok_or("has an owner or group that isn't a number")?;
        u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or("has an owner or group beyond 32 bits")
    };
    let (uid, gid) = (id(long.uid, header.uid)?, id(long.gid, header.gid)?);
    let name = long.path().unwrap_or_else(|| header.name.clone());
    let link = long.link().unwrap_or_else(|| header.link.clone());
    if name.contains(&0) || link.contains(&0) {
        return Err("has a name with a zero byte");
    }
    // As tars from before POSIX have them.
    if kind == Kind::File && name.ends_with(b"/") {
        kind = Kind::Folder;
    }
    let device = match kind {
        Kind::Character | Kind::Block => {
            let (major, minor) = header.device.ok_or("has device numbers that are none")?;
            if major > LARGEST_DEVICE.0 || minor > LARGEST_DEVICE.1 {
                return Err("has device numbers that Linux doesn't have");
            }
            (major as u32, minor as u32)
        }
        _ => (0, 0),
    };
    let seconds = header.modified.ok_or("has a time that isn't a number")?;
    let modified = long.modified.unwrap_or(Time { seconds, nanoseconds: 0 });
    let xattrs = std::mem::take(&mut long.xattrs);
    Ok(Entry { name, kind, mode: header.mode, uid, gid, modified, size, pieces, link, device, xattrs })
}
