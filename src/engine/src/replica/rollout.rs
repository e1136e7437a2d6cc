//! How far a rollout is (R13.17).

/// What is still waited for, the first of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutProgress {
    /// Nothing is rolled out: pods get the new template when somebody deletes them.
    OnDelete,
    /// It is later than `progressDeadlineSeconds` allows, and goes on all the same.
    Late,
    /// Not as many pods are of the new template as are to be.
    Updating {
        /// How many are.
        updated: u32,
        /// How many are to be.
        wanted: u32,
    },
    /// So many old pods are yet to go.
    OldOnesGo(u32),
    /// Not as many pods are available as are to be.
    NotAvailable {
        /// How many are.
        available: u32,
        /// How many are to be.
        wanted: u32,
    },
    /// Nothing.
    Done,
}

impl RolloutProgress {
    /// By these numbers, where so many are to be of the new template, of so many in all.
    pub(crate) fn of(updated: u32, to_update: u32, replicas: u32, available: u32, wanted: u32) -> Self {
        if updated < to_update {
            Self::Updating { updated, wanted: to_update }
        } else if replicas > wanted {
            Self::OldOnesGo(replicas - wanted)
        } else if available < wanted {
            Self::NotAvailable { available, wanted }
        } else {
            Self::Done
        }
    }
}
