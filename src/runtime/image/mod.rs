//! What `image:` names -> root file system, default config, users: the facts that `plan` builds a container's config on.
//!
//! Everything behind a path here was written by somebody else. Reading it can't hang (no FIFO or device is read), can't
//! eat memory (sizes are limited) and, below the root file system, can't leave it (`inside`). Whether the config makes
//! sense for a pod is not looked at here: `plan` knows that.
//!
//! Symbolic links: the path of the bundle, `root.path` and config.json itself are the user's and may be links anywhere
//! on the host, as for any OCI runtime. Links *below* the root file system are the image's and are resolved inside it.
mod bundle;
mod error;
mod inside;
mod local;
mod opened;
mod pinned;
mod search;
mod stored;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

pub use error::{Defect, FieldCause, ImageError, Trouble};
pub use local::LocalFileSystems;
pub use pinned::{Unpinned, unpinned};
pub use search::{Found, Question, Refusal, Search, UnknownKeys, Want, helper_main_if_asked};
pub use stored::{Lease, check_logins, check_name, import, lease, name, policy, pull, repair, resolved};

pub use crate::images::progress::PullProgress;
pub use crate::images::store::Place;
use crate::images::trust::Policy;
use crate::plan::{ImageFacts, ImageSource};
pub use opened::Image;

/// Finds an image in a folder of this box and reads its config. Never writes.
///
/// # Errors
/// Where there is none; [`ImageError::NotThere`] of one that the box's store may have.
pub fn open(source: &ImageSource) -> Result<Image, ImageError> {
    open_if(source, None, &|_| true)
}

/// The box's store, and what of it may be used; `None`: all of it.
#[derive(Clone, Copy)]
struct InStore<'a> {
    store: &'a Place,
    policy: Option<&'a Policy>,
}

/// As [`open`], also in the box's store, but looks only at what `may_look` allows.
fn open_if(
    source: &ImageSource,
    store: Option<InStore<'_>>,
    may_look: &dyn Fn(&Path) -> bool,
) -> Result<Image, ImageError> {
    let id = source.id();
    let at_hand = |path: &Path| match may_look(path) {
        true => Ok(()),
        false => Err(ImageError::NotAtHand { image: id.clone(), path: path.to_owned() }),
    };
    match source {
        ImageSource::Rootfs(path) => {
            at_hand(path)?;
            Ok(Image::of_folder(source, folder(&id, path)?))
        }
        ImageSource::Bundle(path) => {
            at_hand(path)?;
            let bundle::Loaded { spec: base, rootfs, stop_signal, text: config } =
                bundle::load(&id, &folder(&id, path)?, &at_hand)?;
            Ok(Image { bundle: path.clone(), stop_signal, base, config, ..Image::of_folder(source, rootfs) })
        }
        ImageSource::Stored(stored) => {
            let Some(InStore { store, policy }) = store else { return Err(ImageError::NotThere { image: id }) };
            // Where the store is, all of it is; what isn't there yet is at hand as well.
            [&store.dir].into_iter().chain(&store.read_only).try_for_each(|dir| at_hand(dir))?;
            stored::open(stored, store, policy)
        }
    }
}

/// What is known of an image before it is there: of a bundle nothing, of a plain root file system that it says nothing.
#[must_use]
pub fn foreseen(source: &ImageSource) -> Option<ImageFacts> {
    let ImageSource::Rootfs(path) = source else { return None };
    Some(Image::of_folder(source, path.clone()).facts_of_config())
}

/// The real path of the folder that `image:` names.
fn folder(image: &str, path: &Path) -> Result<PathBuf, ImageError> {
    let missing = |cause| ImageError::Missing { image: image.to_owned(), path: path.to_owned(), cause };
    let real = fs::canonicalize(path).map_err(missing)?;
    if !fs::metadata(&real).map_err(missing)?.is_dir() {
        return Err(ImageError::NotADirectory { image: image.to_owned(), path: path.to_owned() });
    }
    Ok(real)
}
