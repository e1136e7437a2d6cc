//! A large blob in several parts at once: many registries, and what stands in front of them, give one connection only so much.
//!
//! Each of a few threads fetches every so-manieth part into memory, and waits with it until its turn has come. So what is read is in order,
//! and no more is in memory than a part for each thread and the one that is read.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::blob::{Blob, Place};
use super::error::RegistryError;
use super::exchange::Exchange;
use super::repository::Repository;
use crate::images::digest::Digest;

/// Parts at a time.
const AT_ONCE: u64 = 3;

type Part = Result<Vec<u8>, RegistryError>;

/// A blob that comes in parts.
pub struct Parts {
    /// One of each thread.
    from: Vec<Receiver<Part>>,
    /// How many were taken of these.
    taken: usize,
    /// How many there are.
    count: usize,
    part: io::Cursor<Vec<u8>>,
    share: Share,
    /// What comes in one piece after all.
    rest: Option<Blob>,
}

/// What a thread fetches.
#[derive(Clone)]
struct Share {
    exchange: Arc<Exchange>,
    of: Repository,
    digest: Digest,
    size: u64,
    /// Of a part.
    length: u64,
    /// The first of its parts, and how far it is to the next.
    first: u64,
    step: u64,
}

impl Parts {
    /// Begins with one that is large; `None`: it isn't, or the registry has whole ones only, or the box has no more threads.
    ///
    /// # Errors
    /// Where it can't be had.
    pub(super) fn begin(
        exchange: &Arc<Exchange>,
        of: &Repository,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Self>, RegistryError> {
        let cut = exchange.options.cut;
        if size < cut.large || size <= cut.part {
            return Ok(None);
        }
        let (exchange, of, digest) = (exchange.clone(), of.clone(), digest.clone());
        let share = Share { exchange, of, digest, size, length: cut.part, first: 0, step: AT_ONCE };
        // Who can't have it knows at once.
        let first = match share.blob(0..cut.part) {
            Ok(first) => first,
            Err(error) if error.has_no_parts() => return Ok(None),
            Err(error) => return Err(error),
        };
        let count = size.div_ceil(cut.part);
        let (mut first, mut from) = (Some(first), Vec::new());
        for number in 0..AT_ONCE.min(count) {
            let share = Share { first: number, ..share.clone() };
            // Nothing is kept behind: a thread holds its part until that is taken.
            let (to, parts) = sync_channel(0);
            let begun = first.take();
            // Those that are there already end when nobody wants their parts.
            if std::thread::Builder::new().spawn(move || share.fetch(begun, &to)).is_err() {
                return Ok(None);
            }
            from.push(parts);
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Some(Self { from, taken: 0, count, part: io::Cursor::default(), share, rest: None }))
    }

    /// All that wasn't taken yet, over one connection.
    fn in_one_piece(&mut self) -> Result<Blob, RegistryError> {
        self.from.clear();
        self.share.blob(self.taken as u64 * self.share.length..self.share.size)
    }
}

impl Share {
    fn blob(&self, range: Range<u64>) -> Result<Blob, RegistryError> {
        let place = Place::Registry { digest: self.digest.clone() };
        Blob::begin(self.exchange.clone(), self.of.clone(), place, range, self.size)
    }

    /// Until nobody wants more; `begun`: its first part.
    fn fetch(&self, mut begun: Option<Blob>, to: &SyncSender<Part>) {
        let count = self.size.div_ceil(self.length);
        let mut number = self.first;
        while number < count {
            let part = self.part(begun.take(), number);
            let is_over = part.is_err();
            if to.send(part).is_err() || is_over {
                return;
            }
            number += self.step;
        }
    }

    fn part(&self, begun: Option<Blob>, number: u64) -> Part {
        let start = number * self.length;
        let end = self.size.min(start + self.length);
        let mut blob = match begun {
            Some(blob) => blob,
            None => self.blob(start..end)?,
        };
        let mut bytes = Vec::with_capacity(usize::try_from(end - start).unwrap_or_default());
        match blob.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(cause) => Err(blob.failed(cause)),
        }
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.read(buffer);
            }
            let length = self.part.read(buffer)?;
            if length > 0 || buffer.is_empty() || self.taken == self.count {
                return Ok(length);
            }
            let part = self.from[self.taken % self.from.len()].recv();
            let part = part.map_err(|_| io::Error::other("the thread that fetches it ended without a word"))?;
            match part {
                Ok(part) => {
                    self.part = io::Cursor::new(part);
                    self.taken += 1;
                }
                // What stands in front of a registry may have answered the first.
                Err(error) if error.has_no_parts() => {
                    self.rest = Some(self.in_one_piece().map_err(io::Error::other)?);
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}
