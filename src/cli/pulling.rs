//! How far pulls are: a bar for each layer where standard error is a terminal, elsewhere a line for what takes its time.

mod picture;

use std::path::Path;
use std::time::{Duration, Instant};

use super::screen::{Screen, Stream, is_terminal};
use crate::images::progress::{Progress, PullProgress, meanwhile};

pub use picture::{bytes, picture};

/// Between two pictures.
const REDRAW: Duration = Duration::from_millis(100);
/// A pull that is quicker needs no words.
const SILENCE: Duration = Duration::from_secs(1);

/// Shows on standard error how far a pull is while it goes on. Nothing of it is left on a terminal afterwards.
pub fn shown<T>(name: &str, progress: &Progress, pull: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    if is_terminal(Stream::Stderr) {
        return drawn(|| vec![progress.now(name, begun)], pull);
    }
    let mut is_told = false;
    let tell = || {
        if !std::mem::replace(&mut is_told, true) {
            tell!("{name}: pulling");
        }
    };
    meanwhile(SILENCE, tell, pull)
}

/// Shows, where standard error is a terminal, how far the pulls of a pod in the background are while something of it is waited for;
/// `dir`: its state folder.
pub fn shown_of_a_pod<T>(dir: &Path, wait: impl FnOnce() -> T) -> T {
    if is_terminal(Stream::Stderr) { drawn(|| PullProgress::all(dir), wait) } else { wait() }
}

/// Draws on standard error, which is a terminal, while something goes on.
fn drawn<T>(pulls: impl Fn() -> Vec<PullProgress> + Sync, work: impl FnOnce() -> T) -> T {
    let mut screen = Screen::on(Stream::Stderr);
    let draw = || {
        let pulls = pulls();
        // Whoever can't be shown it waits all the same.
        let _ = if pulls.is_empty() { screen.clear() } else { screen.show(&picture(&pulls, screen.size())) };
    };
    let done = meanwhile(REDRAW, draw, work);
    let _ = screen.clear();
    done
}
