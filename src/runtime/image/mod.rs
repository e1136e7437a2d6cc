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
mod search;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

pub use error::{Defect, FieldCause, ImageError, Trouble};
pub use search::{Found, LocalFileSystems, Refusal, Search, UnknownKeys, helper_main_if_asked};

use oci_spec::runtime::{ProcessBuilder, Spec, SpecBuilder, UserBuilder};

use crate::plan::{ImageFacts, ImageSource};

/// Files of a root file system.
const PASSWD: &str = "etc/passwd";
const GROUP: &str = "etc/group";

/// An image that is there. What needs its files to be read comes with [`Image::facts`], once they are needed: from an
/// init container's end to the next one's creation every read would be waited for.
#[derive(Debug)]
pub struct Image {
    /// As [`ImageFacts::id`].
    pub id: String,
    /// As [`ImageFacts::rootfs`].
    pub rootfs: PathBuf,
    /// As [`ImageFacts::stop_signal`].
    pub stop_signal: Option<i32>,
    base: Spec,
    /// What a bundle's config.json says; empty for others.
    config: Vec<u8>,
}

/// Finds an image and reads its config. Never writes.
pub fn open(source: &ImageSource) -> Result<Image, ImageError> {
    open_if(source, &|_| true)
}

/// As [`open`], but looks only at what `may_look` allows.
fn open_if(source: &ImageSource, may_look: &dyn Fn(&Path) -> bool) -> Result<Image, ImageError> {
    let id = source.id();
    let (ImageSource::Bundle(path) | ImageSource::Rootfs(path)) = source;
    let at_hand = |path: &Path| match may_look(path) {
        true => Ok(()),
        false => Err(ImageError::NotAtHand { image: id.clone(), path: path.to_owned() }),
    };
    at_hand(path)?;
    let folder = folder(&id, path)?;
    match source {
        ImageSource::Rootfs(_) => {
            Ok(Image { id, rootfs: folder, stop_signal: None, base: default_config(), config: Vec::new() })
        }
        ImageSource::Bundle(_) => {
            let bundle::Loaded { spec: base, rootfs, stop_signal, text: config } =
                bundle::load(&id, &folder, &at_hand)?;
            Ok(Image { id, rootfs, stop_signal, base, config })
        }
    }
}

impl Image {
    /// Keys of its config that no OCI config has (`process.arg`). Not for every start: it reads the config twice more.
    #[must_use]
    pub fn unknown_keys(&self) -> Vec<String> {
        if self.config.is_empty() {
            return Vec::new();
        }
        bundle::unknown(&self.config, &self.base).unwrap_or_default()
    }

    /// As [`facts`](Self::facts), as far as its config says them: of its users nothing is known.
    #[must_use]
    pub fn facts_of_config(self) -> ImageFacts {
        let Image { id, rootfs, stop_signal, base, config: _ } = self;
        ImageFacts { id, rootfs, base, passwd: String::new(), group: String::new(), stop_signal }
    }

    /// What a container's config needs to know about its image. Reads its users, never writes.
    pub fn facts(self) -> Result<ImageFacts, ImageError> {
        let text = |name: &str| {
            inside::read(&self.rootfs, Path::new(name)).map_err(|cause| ImageError::Inside {
                image: self.id.clone(),
                path: name.into(),
                cause,
            })
        };
        let (passwd, group) = (text(PASSWD)?, text(GROUP)?);
        Ok(ImageFacts { passwd, group, ..self.facts_of_config() })
    }
}

/// What is known of an image before it is there: of a bundle nothing, of a plain root file system that it says nothing.
#[must_use]
pub fn foreseen(source: &ImageSource) -> Option<ImageFacts> {
    let ImageSource::Rootfs(path) = source else { return None };
    let image =
        Image { id: source.id(), rootfs: path.clone(), stop_signal: None, base: default_config(), config: Vec::new() };
    Some(image.facts_of_config())
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

/// The config of a plain root file system says nothing: `plan` fills in what every container has.
fn default_config() -> Spec {
    let user = UserBuilder::default().build().expect("a user has no field that must be given");
    let mut process =
        ProcessBuilder::default().user(user).cwd("/").build().expect("a process has no field that must be given");
    // oci-spec's defaults are a shell, three capabilities and 1024 files: not what a Kubernetes container has.
    process.set_args(None).set_env(None).set_capabilities(None).set_rlimits(None).set_no_new_privileges(None);
    let mut spec = SpecBuilder::default()
        .version("1.2.0")
        .process(process)
        .build()
        .expect("a config has no field that must be given");
    spec.set_root(None).set_mounts(None).set_hostname(None).set_linux(None).set_annotations(None);
    spec
}
