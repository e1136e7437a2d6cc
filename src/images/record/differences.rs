//! How a tree is different from its record, in words.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::entry::{Entry, Kind};

/// One thing that isn't as it was recorded.
#[derive(Debug)]
pub struct Difference {
    /// As in [`Entry::path`]; empty where it is about the record itself.
    pub path: Vec<u8>,
    pub what: What,
}

/// What is different.
#[derive(Debug)]
pub enum What {
    /// It is gone, with all that was in it.
    Missing,
    /// It wasn't there.
    Extra,
    Unreadable(io::Error),
    /// It is something else now.
    Kind {
        recorded: &'static str,
        found: &'static str,
    },
    Mode {
        recorded: u32,
        found: u32,
    },
    Owner {
        recorded: (u32, u32),
        found: (u32, u32),
    },
    Modified,
    Size {
        recorded: u64,
        found: u64,
    },
    Content,
    Target,
    Device,
    /// An extended attribute is gone, new, or has another value.
    Attribute(Vec<u8>),
    /// The record is gone or damaged; so nothing is known of the tree.
    Record(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let What::Record(why) = &self.what {
            return to.write_str(why);
        }
        // Names come from images: nothing in them may reach a terminal as it is.
        write!(to, "{}: ", OsStr::from_bytes(&self.path).to_string_lossy().escape_debug())?;
        match &self.what {
            What::Missing => write!(to, "it is missing"),
            What::Extra => write!(to, "it wasn't in the layer"),
            What::Unreadable(cause) => write!(to, "it can't be read: {cause}"),
            What::Kind { recorded, found } => write!(to, "it was {recorded} and is {found}"),
            What::Mode { recorded, found } => write!(to, "its mode was {recorded:04o} and is {found:04o}"),
            What::Owner { recorded: (uid, gid), found: (now_uid, now_gid) } => {
                write!(to, "its owner and group were {uid}:{gid} and are {now_uid}:{now_gid}")
            }
            What::Modified => write!(to, "the time of its last change is another one"),
            What::Size { recorded, found } => write!(to, "it had {recorded} bytes and has {found}"),
            What::Content => write!(to, "its content is another one (SHA-256)"),
            What::Target => write!(to, "the link leads to another place"),
            What::Device => write!(to, "it is another device"),
            What::Attribute(name) => {
                let name = String::from_utf8_lossy(name);
                write!(to, "its extended attribute {} is another one", name.escape_debug())
            }
            What::Record(why) => to.write_str(why),
        }
    }
}

/// Everything in which two entries of one path are different.
pub(super) fn between(recorded: &Entry, found: &Entry) -> Vec<What> {
    let mut all = Vec::new();
    match (&recorded.kind, &found.kind) {
        (Kind::File { size, sha256 }, Kind::File { size: found, sha256: now }) => {
            if size != found {
                all.push(What::Size { recorded: *size, found: *found });
            } else if sha256 != now {
                all.push(What::Content);
            }
        }
        (Kind::Link { target }, Kind::Link { target: found }) if target != found => all.push(What::Target),
        (one, other) if one.letter() != other.letter() => {
            // The rest is no news then.
            return vec![What::Kind { recorded: one.noun(), found: other.noun() }];
        }
        (one, other) if one != other => all.push(What::Device),
        _ => {}
    }
    if recorded.mode != found.mode {
        all.push(What::Mode { recorded: recorded.mode, found: found.mode });
    }
    if (recorded.uid, recorded.gid) != (found.uid, found.gid) {
        all.push(What::Owner { recorded: (recorded.uid, recorded.gid), found: (found.uid, found.gid) });
    }
    if recorded.modified != found.modified {
        all.push(What::Modified);
    }
    let in_both = |pair| recorded.xattrs.contains(pair) && found.xattrs.contains(pair);
    let pairs = recorded.xattrs.iter().chain(&found.xattrs).filter(|pair| !in_both(pair));
    let mut names: Vec<&Vec<u8>> = pairs.map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    all.extend(names.into_iter().map(|name| What::Attribute(name.clone())));
    all
}
