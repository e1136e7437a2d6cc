//! How full the disk is that images are on: its bytes, and its inodes, as layers are thousands of small files.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A disk, as statvfs(3) tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Of how many bytes, and how many of them can be used by whoever asks.
    pub bytes: Part,
    /// Likewise inodes; of none where the file system makes them as they are needed.
    pub inodes: Part,
}

/// Something of which there is so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub all: u64,
    pub free: u64,
}

/// How full the disk may be, in percent: from the first on images go, until it is no fuller than the second. The kubelet's
/// imageGCHighThresholdPercent and imageGCLowThresholdPercent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    pub high: u8,
    pub low: u8,
}

impl Marks {
    /// The kubelet's.
    pub const KUBELETS: Self = Self { high: 85, low: 80 };
}

/// What is to be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    pub inodes: u64,
}

impl Part {
    /// Whether this many percent or more are used. As a kubelet counts: what is kept for root is used.
    #[must_use]
    pub fn is_used_by(self, percent: u8) -> bool {
        self.all > 0 && self.hundredfold() >= u128::from(self.all) * u128::from(percent)
    }

    /// Whether more than that is used.
    #[must_use]
    pub fn is_above(self, percent: u8) -> bool {
        self.hundredfold() > u128::from(self.all) * u128::from(percent)
    }

    fn hundredfold(self) -> u128 {
        u128::from(self.all.saturating_sub(self.free)) * 100
    }

    /// How much is used.
    #[must_use]
    pub fn percent(self) -> u8 {
        self.hundredfold().checked_div(self.all.into()).and_then(|percent| percent.try_into().ok()).unwrap_or(0)
    }
}

impl Disk {
    /// The one that has this path.
    ///
    /// # Errors
    /// As statvfs(3).
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        let size = found.f_frsize;
        let bytes = Part { all: found.f_blocks.saturating_mul(size), free: found.f_bavail.saturating_mul(size) };
        Ok(Self { bytes, inodes: Part { all: found.f_files, free: found.f_favail } })
    }

    /// Whether so much is free.
    #[must_use]
    pub fn has(&self, wanted: Room) -> bool {
        self.bytes.free >= wanted.bytes && (self.inodes.all == 0 || self.inodes.free >= wanted.inodes)
    }

    /// The same with so much more free.
    #[must_use]
    pub fn with(self, more: Room) -> Self {
        let add = |part: Part, more| Part { free: part.free.saturating_add(more), ..part };
        Self { bytes: add(self.bytes, more.bytes), inodes: add(self.inodes, more.inodes) }
    }

    /// In words, what is free.
    #[must_use]
    pub fn left(&self) -> String {
        match self.inodes.all {
            0 => format!("{} bytes are", self.bytes.free),
            _ => format!("{} bytes and {} inodes are", self.bytes.free, self.inodes.free),
        }
    }

    /// Whether this many percent or more are used of its bytes, or of its inodes.
    #[must_use]
    pub fn is_used_by(&self, percent: u8) -> bool {
        self.bytes.is_used_by(percent) || self.inodes.is_used_by(percent)
    }

    /// Whether more than that is.
    #[must_use]
    pub fn is_above(&self, percent: u8) -> bool {
        self.bytes.is_above(percent) || self.inodes.is_above(percent)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_used() {
        for (all, free, percent) in
            [(0, 0, 0), (100, 100, 0), (100, 15, 85), (1000, 151, 84), (7, 0, 100), (u64::MAX, 1, 99)]
        {
            let part = Part { all, free };
            assert_eq!(part.percent(), percent, "{part:?}");
            assert_eq!((part.is_used_by(percent), part.is_used_by(percent + 1)), (all > 0, false), "{part:?}");
            assert!(!part.is_above(percent + 1) && (percent == 0 || part.is_above(percent - 1)), "{part:?}");
        }
        let (full, empty) = (Part { all: 10, free: 0 }, Part { all: 10, free: 10 });
        assert!(
            Disk { bytes: empty, inodes: full }.is_used_by(85) && Disk { bytes: full, inodes: empty }.is_used_by(85)
        );
        // File systems without a number of inodes.
        assert!(!Disk { bytes: empty, inodes: Part { all: 0, free: 0 } }.is_used_by(85));
    }

    #[test]
    fn a_disk_is_looked_at() {
        let disk = Disk::of(Path::new("/")).unwrap();
        assert!(disk.bytes.all > disk.bytes.free);
    }
}
