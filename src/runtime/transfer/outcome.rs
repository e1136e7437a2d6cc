//! What becomes of a copy, and whose it is.

use std::io;

use serde::{Deserialize, Serialize};

/// Whose copies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever makes them.
    Maker,
    /// This user and group.
    Given(u32, u32),
    /// The source's, by number. Modes keep their bits for setuid, setgid and sticky then too.
    Kept,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Files, links and folders that were made.
    pub made: u64,
    /// How many of them could not be given to whom they were to be.
    pub not_given: u64,
    /// What of the source could not be read, and how many such there were.
    pub unread: Option<(Trouble, u64)>,
}

impl Copied {
    /// What else could not be read.
    pub(super) fn add_unread(&mut self, more: Option<(Trouble, u64)>) {
        self.unread = match (self.unread.take(), more) {
            (Some((first, count)), Some((_, more))) => Some((first, count.saturating_add(more))),
            (one, other) => one.or(other),
        };
    }
}

/// On which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The container's.
    Container,
    /// The box's.
    Box,
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// On which side.
    pub side: Side,
    /// The path, of which nobody knows whether it is harmless.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// Why not all was copied.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TransferError {
    #[error("{}{}: {}", .0.path, if .0.side == Side::Container { " in the container" } else { "" }, .0.what)]
    At(Trouble),
    #[error("interrupted")]
    Interrupted,
    #[error("{call}: {cause}")]
    Io { call: &'static str, cause: io::Error },
    #[error("the process on the container's side died")]
    Died,
}
