//! Shows what the engine knows as Kubernetes does: v1 status, event lines, tables, `describe`. Pure functions: values in, values or
//! text out. Nothing here invents a state that the engine doesn't have.
//!
//! Start reading at [`status`].

pub mod columns;
pub mod describe;
pub mod ending;
pub mod event_table;
pub mod events;
pub mod grace;
pub mod job;
pub mod jsonpath;
mod lost;
pub mod order;
mod page;
pub mod restarted;
mod running;
pub mod status;
pub mod table;
pub mod top;
pub mod unit;
pub mod wanted;

use barepod_engine::action::{EventRecord, Severity};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::store::events::EventLine;

pub use lost::{Loss, explain, lost, unsupervised};
pub use page::sanitize;
pub use running::not_running;
pub use status::StatusFacts;

/// Kubernetes' times have whole seconds.
fn v1_time(unix_seconds: i64) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(unix_seconds).unwrap_or(k8s_openapi::jiff::Timestamp::UNIX_EPOCH))
}

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
