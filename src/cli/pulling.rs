//! How far pulls are: a bar for each layer where standard error is a terminal, elsewhere a line for what takes its time.

mod picture;

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::screen::{Screen, Stream, is_terminal};
use crate::images::progress::{Progress, PullProgress};

pub use picture::{bytes, picture};

/// Between two pictures.
const REDRAW: Duration = Duration::from_millis(100);
/// A pull that is quicker needs no words.
const SILENCE: Duration = Duration::from_secs(1);

/// Shows on standard error how far a pull is while it goes on. Nothing of it is left on a terminal afterwards.
pub fn shown<T>(name: &str, progress: &Progress, pull: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (over, is_over) = channel::<()>();
        scope.spawn(move || {
            let (mut screen, begun) = (Screen::on(Stream::Stderr), Instant::now());
            if !screen.is_terminal() {
                if is_over.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
                    tell!("{name}: pulling");
                }
                return;
            }
            while is_over.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                let now = PullProgress { image: name.to_owned(), layers: progress.layers(), took: begun.elapsed() };
                // Whoever can't be shown it waits all the same.
                let _ = screen.show(&picture(&[now], screen.size()));
            }
            let _ = screen.clear();
        });
        let pulled = pull();
        drop(over);
        pulled
    })
}

/// Shows, where standard error is a terminal, how far the pulls of a pod in the background are while something of it is waited for;
/// `dir`: its state folder.
pub fn shown_of_a_pod<T>(dir: &Path, wait: impl FnOnce() -> T) -> T {
    if !is_terminal(Stream::Stderr) {
        return wait();
    }
    std::thread::scope(|scope| {
        let (over, is_over) = channel::<()>();
        scope.spawn(move || {
            let mut screen = Screen::on(Stream::Stderr);
            while is_over.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                let pulls = PullProgress::all(dir);
                let _ = if pulls.is_empty() { screen.clear() } else { screen.show(&picture(&pulls, screen.size())) };
            }
            let _ = screen.clear();
        });
        let waited = wait();
        drop(over);
        waited
    })
}
