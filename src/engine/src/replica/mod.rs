//! What controllers of pods have in common: how they are told of pods and ask for them, which pods there are, which of too many go
//! first, and how long a failed try is waited for. It decides nothing of its own; `replica_set`, `deployment` and who else keeps pods
//! use it.

mod amount;
mod conditions;
mod event;
mod history;
mod keep;
mod making;
mod pool;
mod rollout;
mod status;
mod tries;

pub use amount::{Amount, Rounding};
pub(crate) use conditions::Conditions;
pub use event::{Action, Event, IsReady, PodFact, PodNumber, Template};
pub(crate) use history::{History, way_back};
pub use history::{Revision, UndoRefusal};
pub(crate) use keep::Wanted;
pub(crate) use making::Making;
pub use pool::Counts;
pub(crate) use pool::{Pod, Pool, Stage, What};
pub use rollout::RolloutProgress;
pub(crate) use status::Course;
pub use status::{Condition, ConditionKind, Reason, Truth};
pub use tries::PodBackoff;
pub(crate) use tries::{Failures, TRIES};
