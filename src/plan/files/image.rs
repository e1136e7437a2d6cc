//! `image:` to where the root file system comes from (docs/images.md).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::error::PlanError;

/// What `image:` names, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageSource {
    /// `bundle:PATH`: config.json and its rootfs.
    Bundle(PathBuf),
    /// `rootfs:PATH`: a plain directory with the default config.
    Rootfs(PathBuf),
}

impl ImageSource {
    /// `imageID`: what `image:` says, with an absolute path.
    pub fn id(&self) -> String {
        match self {
            Self::Bundle(path) => format!("bundle:{}", path.display()),
            Self::Rootfs(path) => format!("rootfs:{}", path.display()),
        }
    }
}

const ADVICE: &str = "images come later; unpack it and use bundle:PATH or rootfs:PATH";

/// `bundle:PATH` and `rootfs:PATH`, a relative PATH being relative to the manifest's folder.
pub fn source(field: String, image: &str, manifest_dir: &Path) -> Result<ImageSource, PlanError> {
    let (path, make): (&str, fn(PathBuf) -> ImageSource) = if let Some(path) = image.strip_prefix("bundle:") {
        (path, ImageSource::Bundle)
    } else if let Some(path) = image.strip_prefix("rootfs:") {
        (path, ImageSource::Rootfs)
    } else if image.is_empty() {
        return Err(PlanError::Required { field, advice: "write bundle:PATH or rootfs:PATH" });
    } else {
        // A bare reference (`nginx:1.27`) and the transports alike.
        return Err(PlanError::Unsupported { field, value: image.to_owned(), advice: ADVICE });
    };
    if path.is_empty() || path.contains('\0') {
        let cause = "a path must follow the colon".to_owned();
        return Err(PlanError::Invalid { field, value: image.to_owned(), cause });
    }
    // Components are tidied by name (`./web` and `web` are the same), `..` is left to the kernel: it may follow a link.
    let path = manifest_dir.join(path).components().collect();
    Ok(make(path))
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
        for image in ["nginx:1.27", "docker://nginx", "oci:dir:tag"] {
            assert!(matches!(read(image), Err(PlanError::Unsupported { .. })), "{image}");
        }
        assert!(matches!(read("bundle:"), Err(PlanError::Invalid { .. })));
        assert!(matches!(read(""), Err(PlanError::Required { .. })));
    }
}
