//! The exit code of `barepod run`, and whose it is (docs/exit-codes.md).

use super::Engine;
use super::ending::Cause;
use crate::spec::{ContainerIndex, Kind};
use crate::status::{ExitSource, Phase};

/// Of a pod that was not done when its `--timeout` ran out.
pub const TIMED_OUT: u8 = 124;

/// Of a run whose pod succeeded but isn't all gone: barepod's own failure (docs/exit-codes.md).
pub const OWN_FAILURE: u8 = 125;

/// What `barepod run` exits with whose pod ended with this code, where something of it could not be removed: that of a pod that
/// is not all gone is no success.
#[must_use]
pub fn of_left_behind(exit_code: u8) -> u8 {
    if exit_code == 0 { OWN_FAILURE } else { exit_code }
}

/// Where no container has a code.
const FAILED: u8 = 1;

impl Engine {
    /// 0 where the pod succeeded; else the code of a container, or one for the pod as a whole.
    pub(crate) fn exit(&self) -> (u8, ExitSource) {
        if self.terminal == Some(Phase::Succeeded) {
            return (0, ExitSource::Pod);
        }
        let of = |container: ContainerIndex| (self.failure_of(container), ExitSource::Container(container));
        let failed = |kind| {
            let mut of_kind = self.indices().filter(move |&index| self.kind(index) == kind);
            of_kind.find(|&index| self.has_code(index))
        };
        let (main, init) = (failed(Kind::Main), failed(Kind::Init));
        let source = match self.ending.map(|ending| ending.cause) {
            Some(Cause::TimedOut) => return (TIMED_OUT, ExitSource::TimedOut),
            Some(Cause::FailFast { container }) => container.filter(|&index| self.has_code(index)),
            // At its deadline the pod fails, whatever its init was at; so it does when it is evicted.
            Some(Cause::Deadline | Cause::Eviction) => main,
            Some(Cause::Natural | Cause::InitFailed | Cause::Deletion) | None => main.or(init),
        };
        source.map_or((FAILED, ExitSource::Pod), of)
    }

    fn has_code(&self, index: ContainerIndex) -> bool {
        self.container(index).last.as_ref().is_some_and(|last| last.exit_code != 0)
    }

    fn failure_of(&self, index: ContainerIndex) -> u8 {
        let code = self.container(index).last.as_ref().map_or(1, |last| last.exit_code);
        u8::try_from(code).unwrap_or(FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_no_success_and_hides_no_failure() {
        for (code, want) in [(0, 125), (1, 1), (124, 124), (137, 137)] {
            assert_eq!(of_left_behind(code), want);
        }
    }
}
