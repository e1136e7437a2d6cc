//! Blobs, read as they come: a connection that breaks or stalls is made anew from where it broke.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;

use ureq::http::HeaderMap;
use ureq::{Body, BodyReader};

use super::address::Address;
use super::error::{Asked, Cause, RegistryError, explain};
use super::exchange::{Exchange, Method, Question};
use super::repository::Repository;
use super::retry::Patience;
use super::verified::Verified;
use crate::images::digest::Digest;

/// So much must have come before a connection may break as often as at the begin.
const PROGRESS: u64 = 1 << 20;

/// Where a blob is.
pub(super) enum Place {
    Registry {
        digest: Digest,
    },
    /// Where its manifest says.
    Elsewhere {
        at: Address,
    },
}

/// A blob, or a part of one, on its way. Its errors while it is read have a [`RegistryError`] in them.
pub struct Blob {
    exchange: Arc<Exchange>,
    of: Repository,
    place: Place,
    /// What is yet to come.
    left: Range<u64>,
    /// Of the whole blob.
    size: u64,
    /// `None`: there is no connection.
    body: Option<BodyReader<'static>>,
    /// Whether it was said how long it is.
    has_length: bool,
    /// Whether the rest may be asked for alone.
    has_parts: bool,
    host: String,
    patience: Patience,
    /// With an outage.
    outage: Patience,
    /// Bytes since something failed last.
    progress: u64,
}

impl Blob {
    /// Asks for it, so that who can't have it knows at once.
    pub(super) fn begin(
        exchange: Arc<Exchange>,
        of: Repository,
        place: Place,
        left: Range<u64>,
        size: u64,
    ) -> Result<Self, RegistryError> {
        let retries = exchange.options.retries;
        let (patience, outage) = (Patience::new(retries), Patience::of_outages(retries));
        let host = of.host().to_owned();
        let mut blob = Self {
            exchange,
            of,
            place,
            left,
            size,
            body: None,
            has_length: false,
            has_parts: true,
            host,
            patience,
            outage,
            progress: 0,
        };
        while blob.body.is_none() && !blob.left.is_empty() {
            if let Err(cause) = blob.open() {
                blob.bear(cause)?;
            }
        }
        Ok(blob)
    }

    /// The same, with an error at its end where it hasn't this digest.
    #[must_use]
    pub fn verified(self, digest: Digest) -> Verified<Self> {
        Verified::new(self, digest)
    }

    /// What a read of it has failed with.
    pub(super) fn failed(&self, cause: io::Error) -> RegistryError {
        cause.downcast().unwrap_or_else(|other| self.error(self.explain(other)))
    }

    fn error(&self, cause: Cause) -> RegistryError {
        let asked = match &self.place {
            Place::Registry { digest } => Asked::Blob(digest.clone()),
            Place::Elsewhere { at } => Asked::Elsewhere(at.to_string()),
        };
        RegistryError { repository: self.of.name(), asked, cause: Box::new(cause) }
    }

    /// Takes a failure, and waits; an error where that is no use.
    fn bear(&mut self, cause: Cause) -> Result<(), RegistryError> {
        self.body = None;
        if self.progress >= PROGRESS {
            self.patience.renew();
        }
        self.progress = 0;
        let waited = match cause.unreached().is_some_and(|host| self.exchange.has_reached(host)) {
            true => self.outage.wait(None),
            false => cause.may_pass() && self.patience.wait(cause.asked_wait()),
        };
        if waited {
            return Ok(());
        }
        Err(self.error(cause))
    }

    /// Asks for what is yet to come; where that isn't sent as a part, for all of it.
    fn open(&mut self) -> Result<(), Cause> {
        match self.ask() {
            Err(Cause::NoParts { .. }) if self.has_parts && self.left.end == self.size => {
                self.has_parts = false;
                self.ask()
            }
            done => done,
        }
    }

    fn ask(&mut self) -> Result<(), Cause> {
        let (at, is_registrys) = match &self.place {
            Place::Registry { digest } => (self.exchange.address(&self.of, &format!("blobs/{digest}"))?, true),
            Place::Elsewhere { at } => (at.clone(), false),
        };
        self.host.clone_from(&at.authority);
        let is_whole = self.left == (0..self.size);
        let range = (!is_whole && self.has_parts)
            .then(|| format!("bytes={}-{}", self.left.start, self.left.end.saturating_sub(1)));
        let response = self.exchange.ask(&Question {
            of: &self.of,
            at,
            method: Method::Get,
            accept: None,
            range,
            is_registrys,
        })?;
        let is_part = response.status().as_u16() == 206;
        let (head, body) = response.into_parts();
        let skipped = self.begins_at(&head.headers, is_part)?;
        self.has_length = head.headers.contains_key("content-length");
        let mut reader = reader(body);
        if skipped > 0 {
            let found =
                io::copy(&mut (&mut reader).take(skipped), &mut io::sink()).map_err(|cause| self.explain(cause))?;
            if found < skipped {
                return Err(self.cut());
            }
        }
        self.body = Some(reader);
        self.outage.renew();
        Ok(())
    }

    /// How much of what now comes is there already; an error where it isn't what was asked for.
    fn begins_at(&self, headers: &HeaderMap, is_part: bool) -> Result<u64, Cause> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let length: Option<u64> = text("content-length").and_then(|text| text.trim().parse().ok());
        let (skipped, wanted) = match (is_part, text("content-range").and_then(content_range)) {
            // A registry may send less than was asked for.
            (true, Some((start, end, total)))
                if (start..end) == self.left && total.is_none_or(|total| total == self.size) =>
            {
                (0, end - start)
            }
            (true, _) => return Err(Cause::NoParts { host: self.host.clone() }),
            // All of it, though a part was asked for.
            (false, _) if self.left.end < self.size => return Err(Cause::NoParts { host: self.host.clone() }),
            (false, _) => (self.left.start, self.size),
        };
        match length {
            Some(said) if said != wanted && is_part => Err(Cause::NoParts { host: self.host.clone() }),
            Some(said) if said != wanted => Err(Cause::Length { host: self.host.clone(), said, wanted }),
            _ => Ok(skipped),
        }
    }

    fn explain(&self, cause: io::Error) -> Cause {
        explain(cause.into(), &self.host, None, self.exchange.options.stall)
    }

    fn cut(&self) -> Cause {
        Cause::Broken { host: self.host.clone(), cause: "it ended early".to_owned() }
    }

    /// All has come. A whole blob must be over then; what follows a part is nobody's business. A connection whose answer was read to its
    /// end is good for the next.
    fn finish(&mut self) -> io::Result<usize> {
        let Some(mut body) = self.body.take() else { return Ok(0) };
        if self.left.end < self.size && !self.has_length {
            return Ok(0);
        }
        match body.read(&mut [0]) {
            Ok(1..) if self.left.end == self.size => {
                let cause = Cause::TooLong { host: self.host.clone(), wanted: self.size };
                self.bear(cause).map(|()| 0).map_err(io::Error::other)
            }
            _ => Ok(0),
        }
    }
}

/// Without a limit of its own: what is expected is counted.
fn reader(body: Body) -> BodyReader<'static> {
    body.into_with_config().limit(u64::MAX).reader()
}

/// `bytes 5-9/10`: where it begins, what is the first byte behind it, and how much there is in all, where that is known.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    Some((start.parse().ok()?, last.checked_add(1)?, total.parse().ok()))
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.left.is_empty() {
                return self.finish();
            }
            let room = buffer.len().min(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
            let cause = match &mut self.body {
                None => self.open().err(),
                Some(body) => match body.read(&mut buffer[..room]) {
                    Ok(0) => Some(self.cut()),
                    Ok(length) => {
                        self.left.start += length as u64;
                        self.progress += length as u64;
                        return Ok(length);
                    }
                    Err(cause) if cause.kind() == ErrorKind::Interrupted => None,
                    Err(cause) => Some(self.explain(cause)),
                },
            };
            if let Some(cause) = cause {
                self.bear(cause).map_err(io::Error::other)?;
            }
        }
    }
}
