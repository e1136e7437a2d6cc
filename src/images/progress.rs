//! How far a pull is: counters that its threads move, and that anybody may read at any time without holding them up.

mod shared;

use std::io::{self, Read};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::digest::Digest;

pub use shared::{PullProgress, meanwhile};

/// What becomes of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not its turn yet, or somebody else brings it.
    Waiting,
    /// It comes in, and is unpacked meanwhile.
    Pulling,
    /// All of it has come; the rest is unpacked and put on the disk.
    Unpacking,
    Done,
    /// It was there before.
    There,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Waiting, Self::Pulling, Self::Unpacking, Self::Done, Self::There];
}

/// How far one layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerProgress {
    pub digest: Digest,
    /// Bytes of it as it is packed, and how many of these have come.
    pub size: u64,
    pub come: u64,
    pub stage: Stage,
}

/// The counters of one pull.
#[derive(Debug, Default)]
pub struct Progress(OnceLock<Vec<Counters>>);

#[derive(Debug)]
struct Counters {
    digest: Digest,
    size: u64,
    come: AtomicU64,
    /// An index into [`Stage::ALL`].
    stage: AtomicU8,
}

impl Progress {
    /// How far its layers are, from the lowest to the highest. Empty until it is known which there are, and where no layer has to
    /// be looked for.
    #[must_use]
    pub fn layers(&self) -> Vec<LayerProgress> {
        let read = |one: &Counters| LayerProgress {
            digest: one.digest.clone(),
            size: one.size,
            come: one.come.load(Ordering::Relaxed).min(one.size),
            stage: Stage::ALL[usize::from(one.stage.load(Ordering::Relaxed)).min(Stage::ALL.len() - 1)],
        };
        self.0.get().into_iter().flatten().map(read).collect()
    }

    /// Now it is known which layers there are: their digests and packed sizes. Only once.
    pub(super) fn begin<'a>(&self, layers: impl Iterator<Item = (&'a Digest, u64)>) {
        self.0.get_or_init(|| {
            let counters = |(digest, size): (&Digest, u64)| Counters {
                digest: digest.clone(),
                size,
                come: AtomicU64::new(0),
                stage: AtomicU8::new(Stage::Waiting as u8),
            };
            layers.map(counters).collect()
        });
    }

    /// A layer, by its place, is so far.
    pub(super) fn reach(&self, layer: usize, stage: Stage) {
        if let Some(one) = self.0.get().and_then(|all| all.get(layer)) {
            one.stage.store(stage as u8, Ordering::Relaxed);
        }
    }

    /// The same bytes, counted while they are read.
    pub(super) fn counted<'a, R: Read + 'a>(&'a self, layer: usize, reader: R) -> Counted<'a, R> {
        self.reach(layer, Stage::Pulling);
        Counted { reader, counters: self.0.get().and_then(|all| all.get(layer)) }
    }
}

/// A layer as it comes in.
pub(super) struct Counted<'a, R> {
    reader: R,
    counters: Option<&'a Counters>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        if let Some(counters) = self.counters {
            let come = counters.come.fetch_add(length as u64, Ordering::Relaxed) + length as u64;
            if come >= counters.size {
                counters.stage.store(Stage::Unpacking as u8, Ordering::Relaxed);
            }
        }
        Ok(length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_counted_as_they_come() {
        let progress = Progress::default();
        assert_eq!(progress.layers(), []);
        let digests = [Digest::of(b"a"), Digest::of(b"b")];
        progress.begin(digests.iter().zip([5, 0]));
        let stages = || progress.layers().iter().map(|one| (one.come, one.stage)).collect::<Vec<_>>();
        assert_eq!(stages(), [(0, Stage::Waiting), (0, Stage::Waiting)]);
        let mut reader = progress.counted(0, &b"12345"[..]);
        progress.reach(1, Stage::There);
        reader.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(stages(), [(3, Stage::Pulling), (0, Stage::There)]);
        reader.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(stages()[0], (5, Stage::Unpacking));
        progress.reach(0, Stage::Done);
        assert_eq!(stages()[0], (5, Stage::Done));
        for (at, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, at);
        }
    }
}
