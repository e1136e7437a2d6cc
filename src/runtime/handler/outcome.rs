//! How a request went, and what of an answer is told.

use serde::{Deserialize, Serialize};

/// How much is read of an answer's body and shown of it, in bytes (R6.10, R6.11).
pub(super) const BODY: u64 = 10 * 1024;
/// See [`BODY`].
const SHOWN: usize = 1024;

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Well.
    Success,
    /// Well, but oddly.
    Warning(String),
    /// Not as wanted; also: no connection.
    Failure(String),
    /// It could not be tried.
    Error(String),
}

/// What of an answer's body is shown.
pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).trim_end().to_owned()
}
