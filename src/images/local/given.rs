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

/// An image of a layout in a folder, of an archive of one, or of an archive of docker's, whichever it is; `name`: which one, where
/// there are several.
///
/// # Errors
/// Where there is no such image.
pub fn given(path: &Path, name: Option<&str>) -> Result<Given, LocalError> {
    let one = |name: Option<&str>| {
        if path.is_dir() {
            return Layout::folder(path, name).map(of_layout);
        }
        // What docker saves today has a layout as well, without the names.
        match DockerArchive::open(path, name) {
            Err(LocalError::NoImage { .. }) => Layout::archive(path, name).map(of_layout),
            archive => archive.map(|archive| Given { names: archive.names().to_vec(), origin: Box::new(archive) }),
        }
    };
    match (one(None), name) {
        (Err(LocalError::Several { .. }), Some(name)) => one(Some(name)),
        (found, _) => found,
    }
}

fn of_layout(layout: Layout) -> Given {
    Given { names: layout.names(), origin: Box::new(layout) }
}
