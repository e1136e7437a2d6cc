//! A line of the file of events.

use serde::{Deserialize, Serialize};

/// One event as users see it (R8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// When it last happened.
    pub time: jiff::Timestamp,
    /// When it first happened; `None` where it happened once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<jiff::Timestamp>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One word.
    pub reason: String,
    /// The container's name; `None`: the pod.
    pub container: Option<String>,
    /// For people.
    pub message: String,
    /// How often it happened.
    pub count: u32,
}

impl EventLine {
    /// When it first happened.
    pub fn first(&self) -> jiff::Timestamp {
        self.first.unwrap_or(self.time)
    }
}
