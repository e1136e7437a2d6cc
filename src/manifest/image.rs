//! What `image:` names: the one place that tells its transports apart (containers-transports(5)).

use serde::{Deserialize, Serialize};

/// An image, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageName<'a> {
    /// `bundle:PATH`: an OCI bundle, which is used where it is.
    Bundle(&'a str),
    /// `rootfs:PATH`: a root file system, likewise.
    Rootfs(&'a str),
    /// In a file or folder of the box.
    File {
        /// What kind of file.
        kind: FileKind,
        /// Which.
        path: &'a str,
        /// Which of its images; `None`: it has one.
        name: Option<&'a str>,
    },
    /// `docker://NAME` or the bare NAME, without what is before it: in a registry. Whether it is a good name is for others to find out.
    Registry(&'a str),
}

/// A file or folder that has images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// `oci:DIR[:NAME]`: an OCI image layout.
    Layout,
    /// `oci-archive:FILE[:NAME]`: an OCI image layout in a tar archive.
    OciArchive,
    /// `docker-archive:FILE[:NAME]`: what `docker save` writes.
    DockerArchive,
}

/// Why a text names no image that can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoImageName<'a> {
    /// Nothing is behind a transport that wants a path.
    #[error("must name a path after {0}:")]
    NoPath(&'a str),
    /// Nothing is behind `docker://`.
    #[error("must name an image after docker://")]
    NoName,
    /// A transport that others have.
    #[error("images named by {0}: are not supported")]
    Unsupported(&'a str),
    /// A path alone.
    #[error("a path needs bundle: or rootfs: before it")]
    BarePath,
    /// A transport that nobody has, before a path.
    #[error("no transport of images is named {0}:")]
    Unknown(&'a str),
}

/// Transports that work for containers, beside the bare name of an image in a registry.
pub(super) const TRANSPORTS: [&str; 6] = ["bundle", "rootfs", "oci", "oci-archive", "docker-archive", "docker"];
/// Those that others have.
const OTHERS: [&str; 6] = ["docker-daemon", "dir", "containers-storage", "ostree", "tarball", "sif"];

impl FileKind {
    const ALL: [Self; 3] = [Self::Layout, Self::OciArchive, Self::DockerArchive];

    /// As in `image:`, before the colon.
    #[must_use]
    pub fn transport(self) -> &'static str {
        match self {
            Self::Layout => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        }
    }
}

impl<'a> ImageName<'a> {
    /// Reads it. An empty text is an empty name in a registry.
    ///
    /// # Errors
    /// Where a transport isn't known, or lacks what it wants.
    pub fn read(text: &'a str) -> Result<Self, NoImageName<'a>> {
        if let Some(name) = text.strip_prefix("docker://") {
            return if name.is_empty() { Err(NoImageName::NoName) } else { Ok(Self::Registry(name)) };
        }
        let is_path = |text: &str| text.starts_with(['.', '/', '~']);
        if is_path(text) {
            return Err(NoImageName::BarePath);
        }
        let Some((transport, rest)) = text.split_once(':') else { return Ok(Self::Registry(text)) };
        let is_empty = rest.is_empty() || rest.starts_with(':');
        let kind = FileKind::ALL.into_iter().find(|kind| kind.transport() == transport);
        match (transport, kind) {
            ("bundle" | "rootfs", _) | (_, Some(_)) if is_empty => Err(NoImageName::NoPath(transport)),
            ("bundle", _) => Ok(Self::Bundle(rest)),
            ("rootfs", _) => Ok(Self::Rootfs(rest)),
            (_, Some(kind)) => {
                // As in containers-transports(5): the first colon ends the path.
                let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
                Ok(Self::File { kind, path, name: name.filter(|name| !name.is_empty()) })
            }
            _ if OTHERS.contains(&transport) => Err(NoImageName::Unsupported(transport)),
            _ if is_path(rest) => Err(NoImageName::Unknown(transport)),
            // Its tag, or its registry's port.
            _ => Ok(Self::Registry(text)),
        }
    }

    /// Whether it is a folder that is used where it is, and never brought into the store.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Bundle(_) | Self::Rootfs(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_told_apart() {
        let file = |kind, path, name| Ok(ImageName::File { kind, path, name });
        for (text, wanted) in [
            ("bundle:./web", Ok(ImageName::Bundle("./web"))),
            ("rootfs:/srv/x:y", Ok(ImageName::Rootfs("/srv/x:y"))),
            ("oci:dir", file(FileKind::Layout, "dir", None)),
            ("oci:dir:a:b", file(FileKind::Layout, "dir", Some("a:b"))),
            ("oci-archive:/x.tar:", file(FileKind::OciArchive, "/x.tar", None)),
            ("docker-archive:x.tar:nginx:1", file(FileKind::DockerArchive, "x.tar", Some("nginx:1"))),
            ("nginx", Ok(ImageName::Registry("nginx"))),
            ("", Ok(ImageName::Registry(""))),
            ("docker://nginx:1", Ok(ImageName::Registry("nginx:1"))),
            ("localhost:5000/a/b", Ok(ImageName::Registry("localhost:5000/a/b"))),
            // An image of that name: a well-known one.
            ("docker:27-dind", Ok(ImageName::Registry("docker:27-dind"))),
            ("docker", Ok(ImageName::Registry("docker"))),
            ("bundle:", Err(NoImageName::NoPath("bundle"))),
            ("oci::tag", Err(NoImageName::NoPath("oci"))),
            ("docker-archive:", Err(NoImageName::NoPath("docker-archive"))),
            ("docker://", Err(NoImageName::NoName)),
            ("docker-daemon:x:1", Err(NoImageName::Unsupported("docker-daemon"))),
            ("dir:x", Err(NoImageName::Unsupported("dir"))),
            ("./dir", Err(NoImageName::BarePath)),
            ("/srv/x", Err(NoImageName::BarePath)),
            ("bundel:./web", Err(NoImageName::Unknown("bundel"))),
        ] {
            assert_eq!(ImageName::read(text), wanted, "{text:?}");
        }
    }
}
