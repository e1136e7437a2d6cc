//! Templates that a controller had, by their numbers (R13.6, R13.14).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::event::Template;

/// A revision that can be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision {
    /// As `rollout history` shows it.
    pub number: u64,
    /// What it was.
    pub template: Template,
}

/// Why there is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoRefusal {
    /// The Deployment is paused.
    Paused,
    /// There is no such revision, or no earlier one.
    Unknown,
    /// It is what there is already.
    Current,
}

/// The template of this revision; `None`: of the second highest number.
pub(crate) fn way_back(all: &[Revision], to: Option<u64>, current: Template) -> Result<Template, UndoRefusal> {
    let mut sorted: Vec<&Revision> = all.iter().collect();
    sorted.sort_unstable();
    let found = match to {
        Some(number) => sorted.into_iter().find(|one| one.number == number),
        None => sorted.into_iter().rev().nth(1),
    };
    let template = found.ok_or(UndoRefusal::Unknown)?.template;
    if template == current { Err(UndoRefusal::Current) } else { Ok(template) }
}

/// The revisions of a controller whose pods don't belong to one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History(Vec<Revision>);

impl History {
    /// Gives this template the highest number, unless it has that; says whether it is another one than before.
    pub fn add(&mut self, template: Template) -> bool {
        let newest = self.0.iter().max().copied();
        if newest.is_some_and(|newest| newest.template == template) {
            return false;
        }
        self.0.retain(|one| one.template != template);
        self.0.push(Revision { number: newest.map_or(1, |newest| newest.number + 1), template });
        true
    }

    /// The oldest first.
    pub fn all(&self) -> &[Revision] {
        &self.0
    }

    /// The highest number.
    pub fn newest(&self) -> u64 {
        self.0.last().map_or(0, |newest| newest.number)
    }

    /// Forgets the oldest until no more than so many are left of those that nothing needs.
    pub fn keep(&mut self, limit: Option<u32>, is_needed: impl Fn(Template) -> bool) {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return };
        let idle = self.0.iter().filter(|one| !is_needed(one.template)).count();
        let mut over = idle.saturating_sub(limit);
        self.0.retain(|one| {
            let goes = over > 0 && !is_needed(one.template);
            over -= usize::from(goes);
            !goes
        });
    }
}
