//! What the kernel counts of a cgroup.

use std::time::Duration;

use super::amounts::{Bytes, MilliCpu};

/// What a cgroup and those below it use at one moment, and may use. `None`: that isn't counted here; of a limit also: there is
/// none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// Tells the cgroup from a later one of the same name.
    pub identity: u64,
    /// CPU time so far.
    pub cpu: Option<Duration>,
    /// CPU time per second.
    pub cpu_limit: Option<MilliCpu>,
    /// Memory without the part of the page cache that would go first, as the kubelet and cAdvisor count the working set.
    pub working_set: Option<Bytes>,
    /// Memory, page cache included.
    pub memory_limit: Option<Bytes>,
    /// Processes and their threads.
    pub tasks: Option<u64>,
    /// Likewise.
    pub tasks_limit: Option<u64>,
    /// Read from disks so far.
    pub read: Option<Bytes>,
    /// Written to disks so far.
    pub written: Option<Bytes>,
    /// Waiting for a CPU.
    pub cpu_stall: Option<Stall>,
    /// Waiting for memory.
    pub memory_stall: Option<Stall>,
    /// Waiting for disks.
    pub io_stall: Option<Stall>,
}

/// In what part of the last ten seconds at least one task waited (PSI, `some avg10`), in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Stall(pub f64);
