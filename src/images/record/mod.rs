//! Records of trees: what a stored layer's tree had when it was complete, to tell later whether it still has.
//!
//! A record is a text. Its first line is a header of a fixed length: version, number of entries, sum of the sizes of files, and
//! the SHA-256 of all other lines. Each of these is an entry, its fields separated by tabs: kind, mode, owner, group, time of
//! the last change; then size and SHA-256 of a file, the target of a link, or the numbers of a device; then the path, and the
//! extended attributes. The tree's own folder has the path `.`. Entries have no order.
//!
//! The record is made of what is on disk, not of what was to be written there: a file system may know times of whole seconds
//! only. What is in the files was hashed while it was written ([`Contents`]). Start reading at [`write()`] and [`verify`].

mod differences;
mod entry;
mod error;
mod read;
mod text;
mod tree;
mod verify;
mod write;

#[cfg(test)]
mod tests;

pub use differences::{Difference, What};
pub use entry::{Entry, Kind, Time};
pub use error::RecordError;
pub use read::{Header, Reader};
pub use verify::verify;
pub use write::{Contents, write};

pub(super) use tree::{Found, See, is_label_of_the_box, see_all};
