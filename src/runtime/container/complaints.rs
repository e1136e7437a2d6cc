//! What libcontainer says when it fails. Its errors lose their causes on the way from the container's init to its caller
//! (only the outermost one's words travel); what it logs has them. So the log's errors are kept, in a file in memory that
//! is the init's as well, and looked at where the making of a container has failed.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Seek, Write as _};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// How many bytes of them are looked at.
const MOST: u64 = 1 << 20;

/// One error of the log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Complaint {
    pub(super) message: String,
    /// Its other fields, as `Debug` has them.
    pub(super) fields: BTreeMap<String, String>,
}

/// Begins to keep those of this process and of its children to come in a file, which is also returned; once per process.
pub(super) fn keep(file: File) -> io::Result<File> {
    let kept = file.try_clone()?;
    tracing::subscriber::set_global_default(Keeper(kept)).map_err(io::Error::other)?;
    Ok(file)
}

/// In the order in which they were made, whoever made them.
pub(super) fn read(mut file: &File) -> Vec<Complaint> {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(MOST).read_to_string(&mut text));
    read.map_or_else(|_| Vec::new(), |_| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

struct Keeper(File);

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
        let Ok(mut line) = serde_json::to_vec(&complaint) else { return };
        line.push(b'\n');
        // All who have the file share its position: each line is behind the one before.
        let _ = (&self.0).write_all(&line);
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
