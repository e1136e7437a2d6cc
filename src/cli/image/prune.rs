//! `barepod image prune`.

use std::time::Duration;

use crate::cli::args::ImagePruneArgs;
use crate::cli::error::CliError;
use crate::cli::exit_code::Exit;
use crate::cli::output::print;
use crate::images::collect::Collected;
use crate::images::disk::Marks;
use crate::images::store::{Store, StoreError};
use crate::runtime::image::Place;

/// The kubelet's imageMinimumGCAge: what was used a moment ago may be used again in a moment.
const YOUNG: Duration = Duration::from_secs(2 * 60);

pub(super) fn prune(args: &ImagePruneArgs, dir: &Place) -> Result<Exit, CliError> {
    let store = Store::of(dir);
    let gone = if args.disk_use {
        let marks = Marks { high: args.high_threshold, low: args.low_threshold };
        if marks.low >= marks.high {
            return Err(CliError::Usage("--low-threshold must be lower than --high-threshold, which is 85 by default"));
        }
        let age = args.until.unwrap_or(YOUNG);
        store.prune_to(marks, age).map_err(of_store)?.map(|done| told(done, marks)).unwrap_or_default()
    } else {
        let gone = match (args.until, args.all) {
            (Some(age), _) => store.prune_unused(age).map_err(of_store)?,
            (None, true) => store.prune().map_err(of_store)?,
            (None, false) => Vec::new(),
        };
        sweep(&store)?;
        gone
    };
    let there = store.catalogue.list().map_err(|cause| of_store(cause.into()))?;
    let (below, own): (Vec<_>, Vec<_>) = there.iter().partition(|entry| entry.read_only.is_some());
    if args.all || args.until.is_some() || args.disk_use {
        if !below.is_empty() {
            tell!("note: images of stores that are never changed stay: {}", below.len());
        }
        if gone.is_empty() {
            tell!("note: no image was removed");
        }
    } else {
        let unused = own.iter().filter(|entry| !store.catalogue.seems_used(&entry.manifest)).count();
        if unused > 0 {
            tell!("note: images that have a name stay, of which no pod uses {unused}; --all removes those");
        }
    }
    print(&gone.iter().map(|name| format!("{name}\n")).collect::<String>())
}

fn of_store(cause: StoreError) -> CliError {
    CliError::Image { image: "the store".to_owned(), cause: cause.to_string() }
}

/// Removes what no name leads to and no pod uses.
pub(super) fn sweep(store: &Store) -> Result<(), CliError> {
    if !store.sweep().map_err(of_store)? {
        tell!(
            "note: an image is being pulled, and nothing is removed beside that; `barepod image prune` removes it later"
        );
    }
    Ok(())
}

/// Says what is left to be said. Gives the names that are gone.
fn told(done: Collected, marks: Marks) -> Vec<String> {
    let Collected { names, disk, is_enough, is_busy } = done;
    let inodes = match disk.inodes.percent() {
        0 => String::new(),
        percent => format!(", and {percent}% of its inodes"),
    };
    let full = format!("{}% of the disk that has the images are used{inodes}", disk.bytes.percent());
    if is_busy {
        tell!("note: an image is being pulled, and nothing is removed beside that; {full}");
    } else if !is_enough {
        tell!(
            "note: {full}, which is above {}%: what images there are is used by pods, or was used a short time ago, and \
             the rest of the disk has other things",
            marks.low
        );
    }
    names
}
