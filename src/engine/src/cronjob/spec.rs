//! A CronJob, as far as its controller goes. Defaults are the API server's and filled in by who makes it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::Suspension;

/// `spec` of a `batch/v1` CronJob, but for `schedule` and `timeZone`, which are a [`Schedule`](super::Schedule), and the Jobs' template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronSpec {
    /// What a Job that still runs means to the next one.
    pub concurrency: Concurrency,
    /// How late a Job may begin; `None`: any time after.
    pub starting_deadline: Option<Duration>,
    /// Whether no Jobs begin.
    pub suspension: Suspension,
    /// How many complete Jobs are kept.
    pub successful_kept: u32,
    /// How many failed Jobs are kept.
    pub failed_kept: u32,
}

/// `concurrencyPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Concurrency {
    Allow,
    Forbid,
    Replace,
}
