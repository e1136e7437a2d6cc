//! Where pods are kept: `--root`, or the system's folders, or the user's.

use std::path::{Path, PathBuf};

use super::args::Global;
use super::error::CliError;
use super::user::is_user;
use crate::images::disk::Marks;
use crate::runtime::image::Place;
use crate::store::layout::{self, Layout};
use crate::store::trust;

/// What `--root` is where it isn't given.
const ROOT: &str = "BAREPOD_ROOT";
/// What `--image-store-ro` is where it isn't given.
const IMAGE_STORE_RO: &str = "BAREPOD_IMAGE_STORE_RO";
/// How full pulls may leave the disk of the images.
const IMAGE_GC: &str = "BAREPOD_IMAGE_GC";

impl Global {
    /// The folders of this command's pods.
    ///
    /// # Errors
    /// Where the default ones are somebody else's.
    pub(super) fn layout(&self) -> Result<Layout, CliError> {
        let Some(root) = self.given_root() else { return default_layout() };
        // The one name that it has, whatever links lead to it: pods are told apart by it.
        Ok(Layout::at(&layout::without_links(&root)))
    }

    /// The folder that was given, by `--root` or the environment.
    pub(super) fn given_root(&self) -> Option<PathBuf> {
        let variable = std::env::var_os(ROOT).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = self.root.clone().or(variable)?;
        // Relative to where we are now: the supervisor's files are found from elsewhere too.
        Some(std::path::absolute(&root).unwrap_or(root))
    }

    /// Where images are: the store of this layout, and those below it.
    ///
    /// # Errors
    /// Where one of these isn't there, or somebody else can change it.
    pub(super) fn images(&self, layout: &Layout) -> Result<Place, CliError> {
        let read_only = self.given_stores().iter().map(|dir| store_below(dir)).collect::<Result<_, _>>()?;
        Ok(Place { dir: layout.images(), read_only, marks: marks()? })
    }

    /// The stores that were given, by `--image-store-ro` or the environment.
    pub(super) fn given_stores(&self) -> Vec<PathBuf> {
        let variable = std::env::var_os(IMAGE_STORE_RO).unwrap_or_default();
        let named = || std::env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty()).collect();
        let given: Vec<PathBuf> = if self.image_store_ro.is_empty() { named() } else { self.image_store_ro.clone() };
        given.into_iter().map(|dir| std::path::absolute(&dir).unwrap_or(dir)).collect()
    }
}

fn marks() -> Result<Option<Marks>, CliError> {
    let given = std::env::var_os(IMAGE_GC).unwrap_or_default();
    match given.to_str() {
        Some("") => Ok(Some(Marks::KUBELETS)),
        Some("off") => Ok(None),
        given => {
            let pair = given.and_then(|text| text.split_once(','));
            let marks = pair.and_then(|(high, low)| Some(Marks { high: high.parse().ok()?, low: low.parse().ok()? }));
            marks.filter(|marks| marks.low < marks.high && marks.high <= 100).map(Some).ok_or(CliError::Usage(
                "BAREPOD_IMAGE_GC is \"off\", or HIGH,LOW in percent, the second lower than the first: \"85,80\" by default",
            ))
        }
    }
}

fn store_below(dir: &Path) -> Result<PathBuf, CliError> {
    let failed = |cause: String| CliError::Image { image: format!("store {}", dir.display()), cause };
    if let Err(cause) = std::fs::metadata(dir.join("layout/index.json")) {
        let cause =
            format!("layout/index.json: {cause}; it is to be a copy of {:?} of a box that has pulled", "images");
        return Err(failed(cause));
    }
    // What is in there is run.
    trust::check(dir, rustix::process::geteuid().as_raw())?;
    Ok(dir.to_owned())
}

/// Where pods are kept by default: the system's folders, or the user's. Nobody else has been able to write there.
///
/// # Errors
/// Where somebody has.
fn default_layout() -> Result<Layout, CliError> {
    let user = rustix::process::geteuid().as_raw();
    let layout = if is_user() { users_layout(user)? } else { Layout::at(Path::new(layout::DEFAULT_ROOT)) };
    for folder in [&layout.root, &layout.data, &layout.logs] {
        trust::check(folder, user)?;
    }
    Ok(layout)
}

fn users_layout(user: u32) -> Result<Layout, CliError> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_RUNTIME_DIR")
        .or_else(|| Some(PathBuf::from(format!("/run/user/{user}"))).filter(|path| path.is_dir()));
    if let Some(state) = &state {
        // Kept after a change of user it is another's, and by the XDG specification it is the user's alone.
        trust::check(state, user)?;
    }
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    let in_tmp = state.is_none();
    let layout = Layout::of_user(user, state, data);
    if in_tmp {
        trust::claim(&layout.root, user)?;
    }
    Ok(layout)
}
