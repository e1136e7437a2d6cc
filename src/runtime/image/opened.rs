//! An image that is there, and what a container's config needs to know of it.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{ProcessBuilder, Spec, SpecBuilder, UserBuilder};

use super::error::ImageError;
use super::{bundle, inside};
use crate::plan::{ImageFacts, ImageSource};

/// Files of a root file system.
pub(super) const PASSWD: &str = "etc/passwd";
pub(super) const GROUP: &str = "etc/group";

/// An image that is there. What needs its files to be read comes with [`Image::facts`], once they are needed: from an
/// init container's end to the next one's creation every read would be waited for.
#[derive(Debug)]
pub struct Image {
    /// As [`ImageFacts::id`].
    pub id: String,
    /// As [`ImageFacts::rootfs`].
    pub rootfs: PathBuf,
    /// As [`ImageFacts::below`].
    pub(super) below: Vec<PathBuf>,
    /// As [`ImageFacts::volumes`].
    pub(super) volumes: Vec<PathBuf>,
    /// As [`ImageFacts::bundle`].
    pub(super) bundle: PathBuf,
    /// As [`ImageFacts::stop_signal`].
    pub stop_signal: Option<i32>,
    pub(super) base: Spec,
    /// As [`ImageFacts::entrypoint`].
    pub(super) entrypoint: usize,
    /// As [`ImageFacts::user`].
    pub(super) user: String,
    /// Texts of /etc/passwd and /etc/group, where they are known already.
    pub(super) accounts: Option<[String; 2]>,
    /// As [`Found::lease`].
    pub(super) lease: Option<PathBuf>,
    /// What a bundle's config.json says; empty for others.
    pub(super) config: Vec<u8>,
}

impl Image {
    /// A plain root file system.
    pub(super) fn of_folder(source: &ImageSource, rootfs: PathBuf) -> Self {
        Self {
            id: source.id(),
            rootfs,
            below: Vec::new(),
            volumes: Vec::new(),
            bundle: "/".into(),
            stop_signal: None,
            base: default_config(),
            entrypoint: 1,
            user: String::new(),
            accounts: None,
            lease: None,
            config: Vec::new(),
        }
    }

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
        let Image { id, rootfs, below, volumes, bundle, stop_signal, base, entrypoint, user, accounts, .. } = self;
        let [passwd, group] = accounts.unwrap_or_default();
        ImageFacts { id, rootfs, below, volumes, bundle, base, entrypoint, user, passwd, group, stop_signal }
    }

    /// What a container's config needs to know about its image. Reads its users, never writes.
    pub fn facts(self) -> Result<ImageFacts, ImageError> {
        if self.accounts.is_some() {
            return Ok(self.facts_of_config());
        }
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

/// The config of a plain root file system says nothing: `plan` fills in what every container has.
pub(super) fn default_config() -> Spec {
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
