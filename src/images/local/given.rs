//! Images that somebody hands over, whatever kind of file they are in.

use std::path::Path;

use super::LocalError;
use super::docker::DockerArchive;
use super::layout::Layout;
use crate::images::origin::Origin;

/// An image that somebody hands over in a file.
pub struct Given {
    pub origin: Box<dyn Origin>,
    /// Names that it has there, whole ones first.
    pub names: Vec<String>,
}

/// The file or folder, and which of its images: what is written behind a colon, as in `image:`. A path that is there as it is has
/// no such part.
#[must_use]
pub fn split(text: &Path) -> (&Path, Option<&str>) {
    let parts = || {
        let whole = text.to_str().filter(|_| !text.exists())?;
        let of_colon =
            |(at, _)| Some((Path::new(&whole[..at]), whole.get(at + 1..).filter(|which| !which.is_empty())?));
        whole.match_indices(':').filter_map(of_colon).find(|(path, _)| path.exists())
    };
    parts().map_or((text, None), |(path, which)| (path, Some(which)))
}

/// An image of a layout in a folder, of an archive of one, or of an archive of docker's, whichever it is. `which`: the one of this
/// name; `name`: one that may help to choose, where there are several.
///
/// # Errors
/// Where there is no such image.
pub fn given(path: &Path, which: Option<&str>, name: Option<&str>) -> Result<Given, LocalError> {
    let one = |name: Option<&str>| {
        if path.is_dir() {
            return Layout::folder(path, name).map(of_layout);
        }
        // What docker saves today has a layout as well, without the names.
        match DockerArchive::open(path, name) {
            Err(LocalError::NoImage { .. } | LocalError::Cut { .. }) => match Layout::archive(path, name) {
                Err(LocalError::NoImage { path, .. }) => Err(LocalError::NoImage {
                    path,
                    missing: "manifest.json or index.json",
                    kind: "archive of docker save, and none of an OCI image layout",
                    reader: None,
                }),
                layout => layout.map(of_layout),
            },
            archive => archive.map(|archive| Given { names: archive.names().to_vec(), origin: Box::new(archive) }),
        }
    };
    match (one(which), name.filter(|_| which.is_none())) {
        (Err(LocalError::Several { .. }), Some(name)) => one(Some(name)),
        (found, _) => found,
    }
}

fn of_layout(layout: Layout) -> Given {
    Given { names: layout.names(), origin: Box::new(layout) }
}
