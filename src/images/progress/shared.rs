//! How far a pull is, told to other processes by a file: whoever pulls for a pod shows nothing itself.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{LayerProgress, Progress, Stage};

/// Between two states of a file.
const EVERY: Duration = Duration::from_millis(100);
/// What names of these files begin with.
const PREFIX: &str = "pull-";
/// Of a file that isn't whole yet.
const UNFINISHED: &str = "new";

/// How far one pull is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// What is pulled.
    pub image: String,
    /// As [`Progress::layers`].
    pub layers: Vec<LayerProgress>,
    /// How long it has taken so far.
    pub took: Duration,
}

impl Progress {
    /// Does what moves these counters, and has a file say meanwhile how far they are. The file stays.
    pub fn shared<T>(&self, path: &Path, image: &str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        // Whoever can't be told waits all the same.
        meanwhile(EVERY, || _ = self.now(image, begun).write(path), work)
    }

    /// How far it is.
    #[must_use]
    pub fn now(&self, image: &str, begun: Instant) -> PullProgress {
        PullProgress { image: image.to_owned(), layers: self.layers(), took: begun.elapsed() }
    }
}

/// Does something, and tells of it by a thread of its own each time that so long has passed.
pub fn meanwhile<T>(every: Duration, mut tell: impl FnMut() + Send, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (over, is_over) = channel::<()>();
        scope.spawn(move || {
            while is_over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                tell();
            }
        });
        let done = work();
        drop(over);
        done
    })
}

impl PullProgress {
    /// The file for a pull of this number, of those whose files are in a folder.
    #[must_use]
    pub fn file(folder: &Path, number: u16) -> PathBuf {
        folder.join(format!("{PREFIX}{number}"))
    }

    /// Of all pulls whose files are in a folder, in the order of their numbers.
    #[must_use]
    pub fn all(folder: &Path) -> Vec<Self> {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix(PREFIX)?.parse::<u16>().ok();
        let mut numbers: Vec<u16> = names.filter_map(number).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| Self::read(&Self::file(folder, number))).collect()
    }

    /// What a file says; `None`: nothing.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let (took, image) = lines.next()?.split_once(' ')?;
        let layer = |line: &str| {
            let mut words = line.split(' ');
            let stage = *Stage::ALL.get(words.next()?.parse::<usize>().ok()?)?;
            let (come, size) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(LayerProgress { digest: words.next()?.parse().ok()?, size, come, stage })
        };
        let layers = lines.map(layer).collect::<Option<Vec<_>>>()?;
        Some(Self { image: image.to_owned(), layers, took: Duration::from_millis(took.parse().ok()?) })
    }

    /// Whoever reads it has this one or the one before.
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = format!("{} {}\n", self.took.as_millis(), self.image);
        for LayerProgress { digest, size, come, stage } in &self.layers {
            let _ = writeln!(text, "{} {come} {size} {digest}", *stage as u8);
        }
        let unfinished = path.with_extension(UNFINISHED);
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::images::digest::Digest;

    #[test]
    fn others_read_how_far_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = PullProgress::file(dir.path(), 3);
        assert_eq!((PullProgress::read(&path), PullProgress::all(dir.path())), (None, vec![]));
        let progress = Progress::default();
        let digests = [Digest::of(b"a"), Digest::of(b"b")];
        progress.shared(&path, "reg.example/a b:1", || {
            let begun = Instant::now();
            let said = |wanted: &dyn Fn(&PullProgress) -> bool| {
                while !PullProgress::read(&path).is_some_and(|found| wanted(&found)) {
                    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", PullProgress::read(&path));
                    std::thread::yield_now();
                }
            };
            said(&|found| found.image == "reg.example/a b:1" && found.layers.is_empty());
            progress.begin(digests.iter().zip([5, 0]));
            progress.reach(1, Stage::There);
            progress.counted(0, &b"12345"[..]).read_exact(&mut [0; 3]).unwrap();
            said(&|found| found.layers == progress.layers() && found.took >= EVERY);
        });
        let all = PullProgress::all(dir.path());
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].layers[0].come, all[0].layers[1].stage), (3, Stage::There));
        // What isn't whole, or not one of these, is none.
        for (name, text) in [("pull-1", "1 a\n9 1 1 x\n"), ("pull-2", ""), ("pull-x", "1 a\n"), ("other", "1 a\n")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        assert_eq!(PullProgress::all(dir.path()), all);
    }
}
