//! Looking for an image without being held up by it. Its files may be on a file system that somebody else answers for
//! (FUSE, NFS), or not: then a helper process looks, which can be ended. Where what is looked at is in the kernel's
//! caches and on a file system of the kernel's own, no time is lost by a look from here ([`LocalFileSystems`](super::LocalFileSystems)):
//! a helper takes a millisecond.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Image, ImageError, InStore, Trouble, open_if, policy, pull, stored};
use crate::images::catalogue::{Catalogue, Stay};
use crate::images::platform::Platform;
use crate::images::progress::Progress;
use crate::images::store::Place;
use crate::plan::{ImageFacts, ImageSource, Logins};
use crate::runtime::seccomp;
use crate::runtime::spawn::{self, Inquiry};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:image";

/// An image that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// All that a container's config needs to know about it.
    pub facts: ImageFacts,
    /// Keys of its config that no OCI config has (`process.arg`), where they were asked for.
    pub unknown_keys: Vec<String>,
    /// The text of the container's own seccomp profile, where it has one: that may be on such a file system as well.
    pub profile: Option<Result<String, String>>,
    /// Bytes of its layers, packed, where it was pulled now.
    pub size: u64,
    /// Images that had to go to make room for it.
    pub removed: Vec<String>,
    /// What keeps the store from removing it ([`super::lease`]), where it is the store's.
    pub lease: Option<PathBuf>,
}

/// Why none was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of failure it is.
    pub trouble: Trouble,
    /// For people.
    pub message: String,
}

impl From<ImageError> for Refusal {
    fn from(error: ImageError) -> Self {
        Self { trouble: error.trouble(), message: error.message() }
    }
}

/// Whether keys that nobody knows are looked for. Not for every start: it reads the config twice more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownKeys {
    Wanted,
    Unwanted,
}

/// What is to be done about an image that the store doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// Nothing.
    Look,
    /// It is brought, also where the store has one of this name that is older.
    Pull,
}

/// What is looked for, or pulled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    pub source: ImageSource,
    /// Where the box's store is.
    pub store: Place,
    pub want: Want,
    /// For what is pulled.
    pub logins: Logins,
    /// The file that says what is trusted, in the place of this box's.
    pub policy: Option<PathBuf>,
    pub keys: UnknownKeys,
    /// The container's own seccomp profile.
    pub profile: Option<PathBuf>,
    /// The file in which a pull says how far it is.
    pub progress: Option<PathBuf>,
    /// Of an image on which no lease could be had ([`super::lease`]): who removes it, or looks whether that may be done, is waited for.
    pub removed: Option<PathBuf>,
}

/// A search by a helper. Dropping it ends it.
#[derive(Debug)]
pub struct Search {
    inquiry: Inquiry,
    // After the helper, which would make it again.
    _progress: Option<Progressing>,
}

/// The file in which a pull says how far it is.
#[derive(Debug)]
struct Progressing(PathBuf);

impl Drop for Progressing {
    fn drop(&mut self) {
        // A pull may have been too quick for one.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Search {
    /// Begins one.
    ///
    /// # Errors
    /// Where there is no helper process to be had.
    pub fn begin(question: &Question) -> io::Result<Self> {
        let inquiry = Inquiry::begin_outside(NAME, question)?;
        Ok(Self { inquiry, _progress: question.progress.clone().map(Progressing) })
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.inquiry.fd()
    }

    /// What was found; an error where the helper died; `None`: not known yet.
    pub fn outcome(&mut self) -> Option<io::Result<Result<Found, Refusal>>> {
        self.inquiry.outcome()
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        spawn::serve(NAME, answer)
    }
}

fn answer(question: Question) -> Result<Found, Refusal> {
    let Question { source, store, want, logins, policy: given, keys, profile, progress: file, removed } = question;
    // Where nobody can be waited for it is looked for at once.
    let _ = removed.map(|summary| Catalogue::wait_for_lease(&summary));
    let (policy, size, removed) = match &source {
        ImageSource::Bundle(_) | ImageSource::Rootfs(_) => (None, 0, Vec::new()),
        ImageSource::Stored(stored) => match (policy(given.as_deref()), want) {
            (Ok(policy), Want::Look) => (policy, 0, Vec::new()),
            (Ok(policy), Want::Pull) => {
                let progress = Progress::default();
                let here = Platform::here();
                let pull = || pull(stored, &store, &here, &logins, &progress, policy.as_ref(), Stay::AsBefore);
                let (_, pulled) = match file {
                    Some(file) => progress.shared(&file, &stored.to_string(), pull)?,
                    None => pull()?,
                };
                (policy, pulled.size, pulled.removed)
            }
            // What can't be judged is as good as not there: a pull says why.
            (Err(_), Want::Look) => return Err(ImageError::NotThere { image: source.id() }.into()),
            (Err(cause), Want::Pull) => return Err(stored::untrusted(stored, cause).into()),
        },
    };
    let store = InStore { store: &store, policy: policy.as_ref() };
    let image = open_if(&source, Some(store), &|_| true)?;
    complete(image, keys, profile.as_deref()).map(|found| Found { size, removed, ..found })
}

pub(super) fn complete(image: Image, keys: UnknownKeys, profile: Option<&Path>) -> Result<Found, Refusal> {
    let profile = profile.map(|path| seccomp::read_profile(path).map_err(|error| error.to_string()));
    let unknown_keys = match keys {
        UnknownKeys::Wanted => image.unknown_keys(),
        UnknownKeys::Unwanted => Vec::new(),
    };
    let lease = image.lease.clone();
    Ok(Found { facts: image.facts()?, unknown_keys, profile, size: 0, removed: Vec::new(), lease })
}
