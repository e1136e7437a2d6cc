//! When a service manager is told something ([`Service`]). Nothing is decided here.

use std::time::Duration;

use barepod_engine::status::PodStatus;
use k8s_openapi::api::core::v1;

use super::service::Service;
use super::{Supervisor, now};

impl Supervisor<'_> {
    /// The service manager's alarm went off.
    pub(super) fn service_is_due(&mut self) {
        self.with_service(Service::go_on);
    }

    /// The pod has this status now.
    pub(super) fn tell_service(&mut self, pod: &v1::Pod, status: &PodStatus) {
        // Few pods are somebody's service, and each status of all others comes here.
        if self.pod.service.is_none() {
            return;
        }
        let left = self.time_until_end(status);
        self.with_service(|service| service.tell(pod, left));
    }

    /// The pod has ended, and with this code.
    pub(super) fn tell_service_of_end(&mut self, exit_code: u8) {
        self.with_service(|service| service.tell_of_end(exit_code));
    }

    /// How long the pod's end may take that has begun.
    fn time_until_end(&self, status: &PodStatus) -> Option<Duration> {
        let awaited = self.engine.awaited(now().monotonic);
        let left = awaited.iter().map(|one| one.left).max();
        left.or_else(|| status.deletion.as_ref().map(|_| Duration::ZERO))
    }

    fn with_service(&mut self, tell: impl FnOnce(&mut Service) -> rustix::io::Result<()>) {
        if let Some(Err(errno)) = self.pod.service.as_mut().map(tell) {
            self.audience.warn(&format!("timerfd_settime: {errno}; the service manager isn't told all any more"));
        }
    }
}
