//! Who watches the pod run: the supervisor tells it what happens, `cli` finds the words.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use barepod_engine::Awaited;
use barepod_engine::action::EventRecord;
use barepod_engine::event::Exit;
use barepod_engine::spec::ContainerIndex;
use barepod_engine::status::PodStatus;

use crate::log::{Stream, Tag};
use crate::runtime::image::PullProgress;

/// What a container was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalSent {
    /// Its stop signal.
    Stop,
    /// SIGKILL.
    Kill,
}

/// Whom the end of a pod waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Those that have been told to stop.
    pub containers: Vec<ContainerIndex>,
    /// What is left until the last of them is killed; zero: all of them have been.
    pub left: Duration,
    /// The whole grace period.
    pub grace: Duration,
}

impl Wait {
    /// `None`: for nobody.
    pub(super) fn of(awaited: &[Awaited]) -> Option<Self> {
        Some(Self {
            containers: awaited.iter().map(|one| one.container).collect(),
            left: awaited.iter().map(|one| one.left).max()?,
            grace: awaited.first()?.grace,
        })
    }
}

/// Where it is shown how far pulls are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullsShown {
    Nowhere,
    /// By the audience.
    Here,
    /// By another process, which reads of it in the pod's state folder ([`PullProgress::all`]).
    Elsewhere,
}

/// Receives what containers print and what happens to them, in the order in which it happens. No call
/// but `ended` blocks.
pub trait Audience {
    /// Whether lines of a container are shown at all; what has no reader isn't cut into lines for it. It stays as it is.
    fn shows(&self, container: ContainerIndex) -> bool;
    /// A whole line that a container printed, without its newline ([`Tag::Full`]); or a piece of a very long one, or what
    /// its output ends with without one.
    fn line(&mut self, container: ContainerIndex, stream: Stream, line: &[u8], tag: Tag);
    /// A container's process ended after running for `ran` (`None`: it never ran).
    fn exited(&mut self, container: ContainerIndex, exit: Exit, oom: bool, ran: Option<Duration>);
    /// The pod has one more container of this name, behind all others.
    fn container_added(&mut self, name: &str);
    /// Somebody has asked for the pod's end.
    fn asked_to_stop(&mut self);
    /// A container was sent its stop signal, or SIGKILL, because it is to end.
    fn signalled(&mut self, container: ContainerIndex, signal: SignalSent);
    /// The pod ends, and containers have kept it waiting for a while; so many SIGINTs have come.
    fn waits_for_containers(&mut self, wait: &Wait, interrupts: u32);
    /// Whether it wants to know each step.
    fn wants_steps(&self) -> bool;
    /// What the engine was told or asks for.
    fn step(&mut self, text: &str);
    /// Where it is shown how far pulls are. It stays as it is until the sandbox is there.
    fn pulls_shown(&self) -> PullsShown;
    /// How far the pulls are that go on; empty: none does any more. Told again and again where they are shown here.
    fn pulls(&mut self, pulls: &[PullProgress]);
    /// A Kubernetes Event was recorded.
    fn record(&mut self, record: &EventRecord);
    /// The sandbox is there, and a status that says so is on disk. Told with every later status as well.
    fn sandbox_is_there(&mut self);
    /// The pod has ended, on disk too. The last call; it may wait a moment for who reads.
    fn ended(&mut self, status: &PodStatus);
    /// Something that is not the pod's doing went wrong.
    fn warn(&mut self, message: &str);
    /// Passes on what is held back, as far as the receiving side takes it now.
    fn flush(&mut self);
    /// Whether there is room for more lines. Where there isn't, containers' output waits in their pipes, unless the engine says
    /// that it may not.
    fn has_room(&self) -> bool;
    /// The descriptors that `flush` waits for to become writable; empty where nothing is held back.
    fn waits_for(&self) -> Vec<BorrowedFd<'_>>;
}
