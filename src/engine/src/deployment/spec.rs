//! A Deployment, as far as its controller goes. Defaults are the API server's and filled in by who makes it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::replica::{Amount, Rounding, Template};

/// `spec` of an `apps/v1` Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSpec {
    /// How many pods there are to be.
    pub replicas: u32,
    /// What they are made from.
    pub template: Template,
    /// How those of another template are replaced.
    pub strategy: Strategy,
    /// `minReadySeconds`.
    pub min_ready: Duration,
    /// `progressDeadlineSeconds`; `None`: no rollout is late.
    pub progress_deadline: Option<Duration>,
    /// `revisionHistoryLimit`; `None`: all are kept.
    pub history_limit: Option<u32>,
    /// `paused`.
    pub rollout: Rollout,
    /// `metadata.generation`.
    pub generation: u64,
}

/// `strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// All old ones end before new ones are made.
    Recreate,
    /// A few at a time.
    RollingUpdate {
        /// How many more than `replicas` there may be.
        max_surge: Amount,
        /// How many fewer than `replicas` may be available.
        max_unavailable: Amount,
    },
}

/// `paused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rollout {
    /// A new template is rolled out.
    Goes,
    /// It isn't, until it goes again.
    Paused,
}

/// For what the sizes of revisions were decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
    pub replicas: u32,
    /// With `maxSurge`.
    pub most: u32,
}

impl DeploymentSpec {
    /// R13.7: how many pods there may be.
    pub(super) fn most(&self) -> u32 {
        let surge = match self.strategy {
            Strategy::Recreate => 0,
            Strategy::RollingUpdate { max_surge, .. } => max_surge.of(self.replicas, Rounding::Up),
        };
        self.replicas.saturating_add(surge)
    }

    /// R13.7: how many must be available. Where there may be neither more nor fewer, it may be one fewer: nothing would move else.
    pub(super) fn least(&self) -> u32 {
        match self.strategy {
            Strategy::Recreate => self.replicas,
            Strategy::RollingUpdate { max_unavailable, .. } => {
                let down = max_unavailable.of(self.replicas, Rounding::Down);
                let stands = down == 0 && self.most() == self.replicas;
                self.replicas.saturating_sub(down.max(u32::from(stands)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R13.7: `maxSurge`, `maxUnavailable`, `replicas`, and how many there are at most and available at least.
    #[test]
    fn bounds_of_a_rollout() {
        use Amount::{Count, Percent};
        for (max_surge, max_unavailable, replicas, most, least) in [
            (Count(0), Count(0), 0, 0, 0),
            (Count(0), Count(0), 10, 10, 9),
            (Count(2), Count(0), 10, 12, 10),
            (Percent(39), Percent(0), 10, 14, 10),
            (Percent(0), Percent(39), 10, 10, 7),
            (Percent(25), Percent(25), 1, 2, 1),
            (Percent(25), Percent(25), 3, 4, 3),
            (Percent(25), Percent(25), 10, 13, 8),
            // A percentage of none is none.
            (Percent(0), Percent(1), 10, 10, 9),
            (Percent(1), Percent(1), 1, 2, 1),
            (Count(0), Count(10), 5, 5, 0),
            (Percent(100), Percent(100), 4, 8, 0),
            (Count(u32::MAX), Count(u32::MAX), 5, u32::MAX, 0),
        ] {
            let template = Template { id: 1, labels: 1 };
            let spec = DeploymentSpec {
                replicas,
                template,
                strategy: Strategy::RollingUpdate { max_surge, max_unavailable },
                min_ready: Duration::ZERO,
                progress_deadline: None,
                history_limit: None,
                rollout: Rollout::Goes,
                generation: 1,
            };
            assert_eq!((spec.most(), spec.least()), (most, least), "{spec:?}");
            let recreate = DeploymentSpec { strategy: Strategy::Recreate, ..spec };
            assert_eq!((recreate.most(), recreate.least()), (replicas, replicas));
        }
    }
}
