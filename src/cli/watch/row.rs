//! A container, for who watches its pod.

use super::words::StopReason;
use crate::cli::terminal::Prefix;
use crate::supervisor::SignalSent;

/// A container, as far as its lines go.
pub struct Row {
    pub name: String,
    pub out_prefix: Prefix,
    pub err_prefix: Prefix,
    /// Why it is to end, once it is.
    pub stopping: Option<StopReason>,
    /// What it was sent for that.
    pub sent: Option<SignalSent>,
}

impl Row {
    /// The container of this number; `coloured`: standard output, and error.
    pub fn new(name: &str, width: usize, index: usize, [out, err]: [bool; 2]) -> Self {
        let prefix = |coloured| Prefix::new(name, width, index, coloured);
        Self { name: name.to_owned(), out_prefix: prefix(out), err_prefix: prefix(err), stopping: None, sent: None }
    }
}
