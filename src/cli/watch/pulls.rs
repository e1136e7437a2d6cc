//! How far pulls are: shown on the terminal of standard error below all that is said. It is gone before anything else is said, and once
//! no pull goes on.

use crate::cli::console::Console;
use crate::cli::pulling::picture;
use crate::cli::screen::{Area, Stream, size};
use crate::images::progress::PullProgress;

/// What of pulls is shown.
#[derive(Default)]
pub struct Pulls {
    going_on: Vec<PullProgress>,
    area: Area,
}

impl Pulls {
    /// These go on now, and are so far.
    pub fn go_on(&mut self, pulls: &[PullProgress]) {
        self.going_on = pulls.to_vec();
    }

    /// Whether there is something to be shown that isn't.
    pub fn are_hidden(&self) -> bool {
        self.area.is_empty() && !self.going_on.is_empty()
    }

    /// In the place of what was shown before.
    pub fn show(&mut self, on: &mut Console) {
        if self.going_on.is_empty() {
            return self.hide(on);
        }
        let size = size(Stream::Stderr);
        on.write(self.area.replace(&picture(&self.going_on, size), size).as_bytes());
        on.flush();
    }

    /// Makes room for something else.
    pub fn hide(&mut self, on: &mut Console) {
        // First: it is asked for each line of a container.
        if self.area.is_empty() {
            return;
        }
        let cleared = self.area.clear(size(Stream::Stderr));
        on.write(cleared.unwrap_or_default().as_bytes());
    }
}
