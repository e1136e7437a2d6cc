//! What options mean for the plan of a pod.

use std::collections::BTreeMap;
use std::path::PathBuf;

use barepod_engine::spec::Backoff;

use super::args::{BackoffArgs, MemoryReservationPolicy, RunArgs, SecurityArgs, SwapBehavior};
use super::error::CliError;
use crate::plan::memory_qos::{MemoryQos, MemoryReservation, MemorySwap};
use crate::plan::{Bytes, CgroupVersion, NodeFacts, SeccompDefault, SecurityOptions};
use crate::store::layout::Layout;

/// R4.2: the back-off starts over after this long, or twice the longest delay where that was set.
const RESET: std::time::Duration = std::time::Duration::from_secs(600);
const DEFAULT_BACKOFF_MAX: std::time::Duration = std::time::Duration::from_secs(300);

/// R4.6.
pub(super) fn backoff(args: &BackoffArgs) -> Result<Backoff, CliError> {
    let (initial, max) = (args.backoff_initial, args.backoff_max);
    if initial > max {
        return Err(CliError::Usage("--backoff-initial must not be longer than --backoff-max"));
    }
    let reset_after = if max == DEFAULT_BACKOFF_MAX { RESET } else { max * 2 };
    Ok(Backoff { initial, max, reset_after })
}

pub(super) fn memory_qos(args: &RunArgs, node: &NodeFacts) -> Result<MemoryQos, CliError> {
    let reservation = match args.memory_reservation_policy {
        MemoryReservationPolicy::None => MemoryReservation::None,
        MemoryReservationPolicy::TieredReservation => MemoryReservation::Tiered,
    };
    let swap = match (node.swap, args.memory_swap) {
        (None, _) => MemorySwap::Unaccounted,
        (_, SwapBehavior::NoSwap) => MemorySwap::None,
        (Some(total), SwapBehavior::LimitedSwap) => MemorySwap::Limited(Bytes(total)),
        (_, SwapBehavior::UnlimitedSwap) => MemorySwap::Unlimited,
    };
    let qos = MemoryQos { throttling_factor: args.memory_throttling_factor, reservation, swap };
    if qos.is_wanted() && node.cgroups != CgroupVersion::V2 {
        let why = "--memory-throttling-factor and --memory-reservation-policy need cgroup v2, with all controllers";
        return Err(CliError::Usage(why));
    }
    Ok(qos)
}

/// `--volume`, with absolute paths.
pub(super) fn claims(given: &[(String, PathBuf)]) -> Result<BTreeMap<String, PathBuf>, CliError> {
    let mut claims = BTreeMap::new();
    for (claim, path) in given {
        let absolute = std::path::absolute(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        if claims.insert(claim.clone(), absolute).is_some() {
            return Err(CliError::Usage("--volume names a claim twice"));
        }
    }
    Ok(claims)
}

pub(super) fn security(args: &SecurityArgs, layout: &Layout) -> SecurityOptions {
    let root = args.seccomp_profile_root.clone().unwrap_or_else(|| layout.seccomp_profiles());
    SecurityOptions {
        seccomp_default: if args.seccomp_default { SeccompDefault::RuntimeDefault } else { SeccompDefault::Unconfined },
        // Relative to where we are now: the supervisor may be elsewhere.
        seccomp_profile_root: std::path::absolute(&root).unwrap_or(root),
        allowed_unsafe_sysctls: args.allowed_unsafe_sysctls.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// R4.6, R4.2: where the longest delay isn't the kubelet's, twice that resets.
    #[test]
    fn the_back_off_that_is_asked_for() {
        let asked = |initial, max| {
            let (backoff_initial, backoff_max) = (Duration::from_secs(initial), Duration::from_secs(max));
            backoff(&BackoffArgs { backoff_initial, backoff_max })
        };
        for (initial, max, reset_after) in [(10, 300, 600), (1, 60, 120), (5, 5, 10)] {
            let backoff = asked(initial, max).unwrap();
            let seconds = [backoff.initial, backoff.max, backoff.reset_after].map(|length| length.as_secs());
            assert_eq!(seconds, [initial, max, reset_after]);
        }
        assert!(asked(61, 60).is_err());
    }
}
