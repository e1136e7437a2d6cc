//! Names, as many as a folder may have, in as little memory as they need.

use std::ffi::{CStr, CString};

/// The one that came last goes first.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<u8>);

impl Names {
    pub(super) fn push(&mut self, name: &CStr) {
        self.0.extend_from_slice(name.to_bytes());
        self.0.push(0);
    }

    pub(super) fn pop(&mut self) -> Option<CString> {
        let (_, names) = self.0.split_last()?;
        let begin = names.iter().rposition(|&byte| byte == 0).map_or(0, |at| at + 1);
        let name = CString::new(&names[begin..]).ok();
        self.0.truncate(begin);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        name
    }
}
