//! `image:` to where the root file system comes from (docs/images.md).

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::manifest::{FileKind, ImageName};
use crate::plan::error::PlanError;

/// What `image:` names, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageSource {
    /// `bundle:PATH`: config.json and its rootfs.
    Bundle(PathBuf),
    /// `rootfs:PATH`: a plain directory with the default config.
    Rootfs(PathBuf),
    /// Any other: an image that is brought into the box's store first.
    Stored(Stored),
}

/// An image that the box's store has, or gets (containers-transports(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stored {
    /// `docker://NAME` or the bare NAME, as it is written: in a registry.
    Registry(String),
    /// In a file or folder of this box.
    File {
        /// What kind of file.
        kind: FileKind,
        /// Which. Absolute.
        path: PathBuf,
        /// Which of its images; `None`: it has one.
        name: Option<String>,
    },
}

impl fmt::Display for Stored {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(name) => to.write_str(name),
            Self::File { kind, path, name } => {
                write!(to, "{}:{}", kind.transport(), path.display())?;
                name.as_ref().map_or(Ok(()), |name| write!(to, ":{name}"))
            }
        }
    }
}

impl ImageSource {
    /// What `image:` says, with an absolute path. Of a bundle and a root file system it is the `imageID`.
    pub fn id(&self) -> String {
        match self {
            Self::Bundle(path) => format!("bundle:{}", path.display()),
            Self::Rootfs(path) => format!("rootfs:{}", path.display()),
            Self::Stored(stored) => stored.to_string(),
        }
    }
}

/// `bundle:PATH`, `rootfs:PATH` and the other transports, a relative PATH being relative to the manifest's folder; a name without
/// one is a registry's.
pub fn source(field: String, image: &str, manifest_dir: &Path) -> Result<ImageSource, PlanError> {
    if image.is_empty() {
        let advice = "write an image's name, bundle:PATH or rootfs:PATH";
        return Err(PlanError::Required { field, advice });
    }
    // Components are tidied by name (`./web` and `web` are the same), `..` is left to the kernel: it may follow a link.
    let absolute = |path: &str| -> PathBuf { manifest_dir.join(path).components().collect() };
    let invalid = |cause: String| PlanError::Invalid { field: field.clone(), value: image.to_owned(), cause };
    let name = ImageName::read(image).map_err(|wrong| invalid(wrong.to_string()))?;
    if image.contains('\0') {
        return Err(invalid("must have no NUL".to_owned()));
    }
    Ok(match name {
        ImageName::Bundle(path) => ImageSource::Bundle(absolute(path)),
        ImageName::Rootfs(path) => ImageSource::Rootfs(absolute(path)),
        ImageName::File { kind, path, name } => {
            ImageSource::Stored(Stored::File { kind, path: absolute(path), name: name.map(str::to_owned) })
        }
        ImageName::Registry(name) => ImageSource::Stored(Stored::Registry(name.to_owned())),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_beside_the_manifest() {
        let read = |image| source("f".to_owned(), image, Path::new("/m"));
        assert_eq!(read("bundle:./web").unwrap(), ImageSource::Bundle(PathBuf::from("/m/web")));
        assert_eq!(read("rootfs:/srv/x").unwrap(), ImageSource::Rootfs(PathBuf::from("/srv/x")));
        assert_eq!(read("bundle:../x").unwrap(), ImageSource::Bundle(PathBuf::from("/m/../x")));
        for (image, id) in [
            ("nginx:1.27", "nginx:1.27"),
            ("docker://nginx", "nginx"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("oci:dir", "oci:/m/dir"),
            ("oci:dir:a:b", "oci:/m/dir:a:b"),
            ("oci-archive:/x.tar:", "oci-archive:/x.tar"),
            ("docker-archive:x.tar:nginx:1", "docker-archive:/m/x.tar:nginx:1"),
        ] {
            let source = read(image).unwrap();
            assert_eq!(source.id(), id, "{image}");
            assert_eq!(super::source("f".to_owned(), id, Path::new("/")).unwrap(), source, "{image}");
        }
        for image in ["bundle:", "oci:", "oci::tag", "docker-archive:"] {
            assert!(matches!(read(image), Err(PlanError::Invalid { .. })), "{image}");
        }
        assert!(matches!(read(""), Err(PlanError::Required { .. })));
    }
}
