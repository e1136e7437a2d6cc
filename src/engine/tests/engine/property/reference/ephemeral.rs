//! Containers that are added while the pod runs (R2.9, R3.11).

use super::*;

impl One {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Gone,
            fate: Fate::Try(Instant::default()),
            attempt: 0,
            created: false,
            done: false,
            ran: false,
            code: None,
            ended: None,
            unmade: false,
            delay: Duration::ZERO,
            raised: None,
            pull: None,
            pulling: false,
            had_image: false,
            early: Early::No,
            image_signal: None,
            started: Instant::default(),
            post_start: PostStart::Past,
            probes: [Prober::default(); 3],
            stop: None,
            killed: false,
            kill_at: None,
            outdated: false,
            pod_shrinks: false,
        }
    }
}

impl Reference {
    /// An ephemeral container.
    pub(super) fn is_extra(&self, i: usize) -> bool {
        self.kind(i) == Kind::Ephemeral
    }

    /// All begin again, and it with them: an ephemeral container only in a new sandbox (R3.11).
    pub(super) fn restarts(&self, i: usize) -> bool {
        if self.is_extra(i) { self.anew } else { self.restarting }
    }

    /// R2.8, R1.1.
    pub(super) fn may_add(&self, name: &str) -> bool {
        self.ending.is_none() && !self.over && self.spec.containers.iter().all(|one| one.name != name)
    }
}
