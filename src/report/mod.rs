//! What the engine knows, as Kubernetes shows it: v1 status, event lines, tables. A brain: values in, values or text
//! out; it invents no state that the engine doesn't have.

pub mod describe;
pub mod events;
pub mod grace;
mod lost;
pub mod status;
pub mod table;

use barepod_engine::action::{EventRecord, Severity};

use crate::store::events::EventLine;

pub use lost::lost;
pub use status::StatusFacts;
pub use table::sanitize;

/// A Kubernetes Event as a line of `events.jsonl`; `container` is the name of the container it is about.
pub fn event_line(record: &EventRecord, container: Option<&str>) -> EventLine {
    EventLine {
        time: jiff::Timestamp::from_nanosecond(i128::from(record.time.as_unix_nanos()))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        first: None,
        kind: match record.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        }
        .to_owned(),
        reason: format!("{:?}", record.reason),
        container: container.map(str::to_owned),
        message: record.message.clone(),
        count: 1,
    }
}
