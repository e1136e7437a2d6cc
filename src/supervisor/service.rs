//! What a service manager such as systemd is told (sd_notify(3)): when the pod is ready, how it is, that it ends and how long that
//! may take, and that this loop runs. Nothing is decided here.

use std::io::ErrorKind;
use std::time::Duration;

use k8s_openapi::api::core::v1;

use super::clock::{Alarm, now};
use super::error::SupervisorError;
use super::sources::{Interest, Sources, Token};
use crate::report::table;
use crate::report::wanted::Wanted;
use crate::runtime::service::ServiceManager;

/// How much later than a pod's end should be by its grace it may be (R5.16): the kernel kills, folders are removed, disks are slow.
const MARGIN: Duration = Duration::from_secs(30);

/// Between two tries to tell one that has no room.
const AGAIN: Duration = Duration::from_millis(250);
/// All is well.
const FED: &str = "WATCHDOG=1\n";

/// A service manager, and when to tell it that the pod is ready.
#[derive(Debug)]
pub struct Service {
    manager: ServiceManager,
    ready: Wanted,
    told: Told,
    /// Messages that it had no room for, oldest first. Each stays one: of READY and STOPPING in one message only STOPPING counts.
    unsent: Vec<String>,
    /// For the watchdog, and for what is unsent. From [`Self::begin`] on.
    alarm: Option<Alarm>,
}

/// What it knows.
#[derive(Debug, Default)]
struct Told {
    ready: bool,
    stopping: bool,
    status: String,
}

impl Told {
    /// What there is to be told that it doesn't know. `left`: how long the pod's end may still take; `None`: it doesn't end.
    ///
    /// One that is told STOPPING never believes READY any more, nor READY beside it. So a pod that ends stops as a service only
    /// once it was told READY: another may still become so at its end.
    fn news(&mut self, status: String, is_ready: bool, left: Option<Duration>) -> String {
        let mut lines = String::new();
        if self.status != status {
            lines.push_str(&format!("STATUS={status}\n"));
            self.status = status;
        }
        if left.is_some() && self.ready && !self.stopping {
            lines.push_str("STOPPING=1\n");
            self.stopping = true;
        }
        if is_ready && !self.ready {
            lines.push_str("READY=1\n");
            self.ready = true;
        }
        if let Some(left) = left {
            lines.push_str(&format!("EXTEND_TIMEOUT_USEC={}\n", (left + MARGIN).as_micros()));
        }
        lines
    }
}

impl Service {
    /// Tells `manager` that the pod is ready as soon as its status is as it is wanted.
    pub fn new(manager: ServiceManager, ready: Wanted) -> Self {
        Self { manager, ready, told: Told::default(), unsent: Vec::new(), alarm: None }
    }

    /// From now on its watchdog is fed, where it has one.
    pub(super) fn begin(&mut self, sources: &Sources) -> Result<(), SupervisorError> {
        let alarm = Alarm::new().map_err(|errno| SupervisorError::of("timerfd_create", errno.into()))?;
        sources
            .add(&alarm, Token::Service, Interest::Readable)
            .map_err(|errno| SupervisorError::of("epoll_ctl", errno.into()))?;
        self.alarm = Some(alarm);
        self.go_on().map_err(|errno| SupervisorError::of("timerfd_settime", errno.into()))
    }

    /// The pod has this status. `left`: how long its end may still take; `None`: it doesn't end.
    pub(super) fn tell(&mut self, pod: &v1::Pod, left: Option<Duration>) -> rustix::io::Result<()> {
        // What time would not mend is no condition that is true.
        let is_ready = self.ready.holds(Some(pod)).unwrap_or(false);
        let lines = self.told.news(table::summary(pod), is_ready, left);
        self.send(lines)
    }

    /// The pod has ended. One that succeeded before it was ever ready has nothing that could still be waited for: without that word
    /// its unit would have failed.
    pub(super) fn tell_of_end(&mut self, exit_code: u8) -> rustix::io::Result<()> {
        let lines = self.told.news(self.told.status.clone(), exit_code == 0, Some(Duration::ZERO));
        self.send(lines)
    }

    /// Its alarm went off: the watchdog is to be fed, or what is unsent may be sent.
    pub(super) fn go_on(&mut self) -> rustix::io::Result<()> {
        let Some(alarm) = &mut self.alarm else { return Ok(()) };
        alarm.acknowledge();
        let Some(every) = self.manager.watchdog() else { return self.send(String::new()) };
        alarm.set(Some(now().monotonic.after(every / 2)))?;
        self.send(FED.to_owned())
    }

    /// What it has no room for it is told again soon. One that doesn't listen any more is told nothing: the pod runs all the same.
    fn send(&mut self, lines: String) -> rustix::io::Result<()> {
        if !lines.is_empty() {
            self.unsent.push(lines);
        }
        let full = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        let is_full = |lines: &String| self.manager.tell(lines).is_err_and(full);
        let sent = self.unsent.iter().position(is_full).unwrap_or(self.unsent.len());
        self.unsent.drain(..sent);
        self.unsent.retain(|lines| lines != FED);
        match &mut self.alarm {
            Some(alarm) if !self.unsent.is_empty() => alarm.set(Some(now().monotonic.after(AGAIN))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Option<Duration> = Some(Duration::from_secs(10));
    const NOW: Option<Duration> = Some(Duration::ZERO);

    /// Status, whether that is ready, how long the end may take, and what is told of it; one after the other.
    fn told(news: &[(&str, bool, Option<Duration>, &str)]) {
        let mut told = Told::default();
        for (status, is_ready, left, wanted) in news {
            assert_eq!(told.news((*status).to_owned(), *is_ready, *left), *wanted, "{status} {is_ready}");
        }
    }

    #[test]
    fn each_thing_is_told_once() {
        told(&[
            ("Pending", false, None, "STATUS=Pending\n"),
            ("Pending", false, None, ""),
            ("Running", true, None, "STATUS=Running\nREADY=1\n"),
            ("Running", false, None, ""),
            ("Running", true, None, ""),
            ("Running", true, TEN, "STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\n"),
            ("Failed", true, NOW, "STATUS=Failed\nEXTEND_TIMEOUT_USEC=30000000\n"),
        ]);
    }

    /// STOPPING would win over READY, and over each later one.
    #[test]
    fn one_that_was_never_ready_does_not_stop() {
        told(&[
            ("Running", false, TEN, "STATUS=Running\nEXTEND_TIMEOUT_USEC=40000000\n"),
            ("Succeeded", false, NOW, "STATUS=Succeeded\nEXTEND_TIMEOUT_USEC=30000000\n"),
            ("Succeeded", true, NOW, "READY=1\nEXTEND_TIMEOUT_USEC=30000000\n"),
            ("Succeeded", true, NOW, "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\n"),
        ]);
    }
}
