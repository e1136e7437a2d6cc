//! The list of the store's images.

use crate::cli::error::CliError;
use crate::images::catalogue::{CatalogueError, Mended};
use crate::images::store::Store;

/// Writes it anew where it is damaged, and says so: without it nothing of the store can be read.
pub(super) fn mend(store: &Store) -> Result<(), CliError> {
    let failed = |cause: CatalogueError| CliError::Image { image: "the store".to_owned(), cause: cause.to_string() };
    let Some(Mended { names, is_all, damaged }) = store.catalogue.mend_index().map_err(failed)? else {
        return Ok(());
    };
    let kept = damaged.map_or_else(String::new, |path| format!("; the damaged one is now {}", path.display()));
    tell!("note: the list of images was damaged, and is written anew; it has {names}{kept}");
    if !is_all {
        tell!(
            "warning: more names may have been in it: pull those images again before `barepod image rm` or `prune`, which remove what has no name"
        );
    }
    Ok(())
}
