//! Why a container couldn't be made, as the processes below the helper say it: the container's init, the bundle's hooks,
//! libcontainer. Each has the same file in memory open and writes lines to it; the helper reads them where making the
//! container has failed.
//!
//! Steps of our own say it as data ([`Causes::tell`]). libcontainer's errors lose their causes on the way from the container's
//! init to its caller: only the text of the outermost one travels. What it logs has them, so the log's errors are kept too.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Seek, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::failure::Failure;

/// How many bytes of them are looked at.
const MOST: u64 = 1 << 20;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Failure(Failure),
    Complaint(Complaint),
}

/// An error of libcontainer's log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Complaint {
    pub(super) message: String,
    /// Its other fields, as `Debug` has them.
    pub(super) fields: BTreeMap<String, String>,
}

/// The file. All who have it share its position: each line is behind the one before.
#[derive(Clone, Debug)]
pub(super) struct Causes(Arc<File>);

impl Causes {
    /// An empty one, which libcontainer's errors in this process and its children to come are written to; once per process.
    pub(super) fn keep() -> io::Result<Self> {
        // Programs that these processes execute have it as well: the one before the bundle's hooks (`early_hooks`), which
        // hands it on to nobody. libcontainer closes it before the container's own program is executed.
        let causes = Self(Arc::new(rustix::fs::memfd_create("causes", MemfdFlags::empty())?.into()));
        tracing::subscriber::set_global_default(Keeper(causes.clone())).map_err(io::Error::other)?;
        Ok(causes)
    }

    /// Its number, by which a program that one of these processes executes has it.
    pub(super) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// In such a program, which hands it on to nobody.
    #[allow(unsafe_code)]
    pub(super) fn inherited(number: RawFd) -> Self {
        // SAFETY: who executed this program left it open under this number, and nobody else in this process uses it.
        let file = unsafe { OwnedFd::from_raw_fd(number) };
        let _ = rustix::io::fcntl_setfd(&file, FdFlags::CLOEXEC);
        Self(Arc::new(file.into()))
    }

    /// Says why a step of our own has failed.
    pub(super) fn tell(&self, failure: &Failure) {
        self.add(&Line::Failure(failure.clone()));
    }

    fn add(&self, line: &Line) {
        let Ok(mut line) = serde_json::to_vec(line) else { return };
        line.push(b'\n');
        // Without it the helper knows less, and says what it knows.
        let _ = (&*self.0).write_all(&line);
    }

    /// The first failure of our own steps, or what libcontainer has said, in its order.
    pub(super) fn read(&self) -> Result<Vec<Complaint>, Failure> {
        let mut file = &*self.0;
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.take(MOST).read_to_string(&mut text));
        let lines = read.map_or("", |_| text.as_str()).lines().filter_map(|line| serde_json::from_str(line).ok());
        let mut complaints = Vec::new();
        for line in lines {
            match line {
                Line::Failure(failure) => return Err(failure),
                Line::Complaint(complaint) => complaints.push(complaint),
            }
        }
        Ok(complaints)
    }
}

struct Keeper(Causes);

impl Subscriber for Keeper {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() == Level::ERROR
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::ERROR)
    }

    fn event(&self, event: &Event<'_>) {
        let mut complaint = Complaint::default();
        event.record(&mut complaint);
        self.0.add(&Line::Complaint(complaint));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Visit for Complaint {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.insert(field.name().to_owned(), text);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::runtime::container::failure::Stage;

    /// What libcontainer says of a failure of ours, around and after it, is none of its causes.
    #[test]
    fn our_own_failure_is_the_cause() {
        let causes = Causes(Arc::new(tempfile::tempfile().unwrap()));
        let complain = |message: &str| {
            causes.add(&Line::Complaint(Complaint { message: message.to_owned(), ..Complaint::default() }));
        };
        complain("first");
        complain("second");
        let said: Vec<String> = causes.read().unwrap().into_iter().map(|one| one.message).collect();
        assert_eq!(said, ["first", "second"]);
        let ours = Failure::io(Stage::Oci, "process.cwd /x", rustix::io::Errno::NOTDIR);
        causes.tell(&ours);
        complain("third");
        causes.tell(&Failure::new(Stage::Oci, "", "another"));
        assert_eq!(causes.read().unwrap_err(), ours);
    }
}
