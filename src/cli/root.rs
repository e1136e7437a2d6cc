//! Where pods are kept: `--root`, or the system's folders, or the user's.

use std::path::{Path, PathBuf};

use super::args::Global;
use super::error::CliError;
use super::user::is_user;
use crate::store::layout::{self, Layout};
use crate::store::trust;

/// What `--root` is where it isn't given.
const ROOT: &str = "BAREPOD_ROOT";

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
