//! The hooks of a bundle that run outside of libcontainer's create: poststart and poststop (runtime-spec 1.2, config.md,
//! "POSIX-platform Hooks"). In a helper process, in a cgroup beside the container's: a hook that hangs hangs nobody else,
//! and dies with the container or the pod.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use oci_spec::runtime::{ContainerState, Hook, Hooks, Spec, StateBuilder};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};

use super::ExitStatus;
use super::running::Place;
use crate::runtime::spawn::{self, Child, PidNamespace, Spawn, Tie};

/// Its `argv[0]`.
pub(super) const NAME: &str = "barepod:hooks";

/// How long a poststop hook may take that says nothing about it: nobody can kill it, as its container is gone, and
/// everything ends (R5.16).
const POSTSTOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What hooks need to know of their container, and which there are.
#[derive(Clone, Debug)]
pub(super) struct Later {
    hooks: Hooks,
    version: String,
    annotations: std::collections::HashMap<String, String>,
    /// The bundle's folder.
    bundle: PathBuf,
}

/// When hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Point {
    /// The program runs. The first that fails ends it.
    Poststart,
    /// The container is gone. All of them run, whatever becomes of the others.
    Poststop,
}

#[derive(Serialize, Deserialize)]
struct Request {
    point: Point,
    hooks: Vec<Hook>,
    state: String,
    bundle: PathBuf,
}

/// Hooks under way.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    report: File,
    text: Vec<u8>,
    point: Point,
}

impl Later {
    /// `None` where the config has neither.
    pub(super) fn of(spec: &Spec, bundle: PathBuf) -> Option<Self> {
        let hooks = spec.hooks().as_ref()?;
        let given = |list: &Option<Vec<Hook>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if !given(hooks.poststart()) && !given(hooks.poststop()) {
            return None;
        }
        Some(Self {
            hooks: hooks.clone(),
            // What the state complies with, not what the bundle was written for; libcontainer says the same to its hooks.
            version: oci_spec::runtime::VERSION.to_owned(),
            annotations: spec.annotations().clone().unwrap_or_default(),
            bundle,
        })
    }

    fn at(&self, point: Point) -> Vec<Hook> {
        let list = match point {
            Point::Poststart => self.hooks.poststart(),
            Point::Poststop => self.hooks.poststop(),
        };
        list.clone().unwrap_or_default()
    }

    /// Starts those of this point; `None`: there are none.
    pub(super) fn begin(&self, point: Point, place: &Place, pid: Option<i32>) -> Option<Result<Running, String>> {
        let hooks = self.at(point);
        (!hooks.is_empty()).then(|| self.try_begin(point, hooks, place, pid))
    }

    fn try_begin(&self, point: Point, hooks: Vec<Hook>, place: &Place, pid: Option<i32>) -> Result<Running, String> {
        let status = match point {
            Point::Poststart => ContainerState::Running,
            Point::Poststop => ContainerState::Stopped,
        };
        let mut state = StateBuilder::default()
            .version(self.version.clone())
            .id(place.id.clone())
            .status(status)
            .bundle(self.bundle.clone())
            .annotations(self.annotations.clone());
        if let Some(pid) = pid {
            state = state.pid(pid);
        }
        let state = state.build().map_err(|error| error.to_string())?;
        let state = serde_json::to_string(&state).map_err(|error| error.to_string())?;
        let request = Request { point, hooks, state, bundle: self.bundle.clone() };
        let started = || {
            let (report, end) = spawn::pipe()?;
            let request = spawn::request(&request)?;
            let cgroup = place.hierarchies.track(&place.hook_cgroup(point)).map_err(std::io::Error::other)?;
            let fds = [request.as_raw_fd(), end.as_raw_fd()];
            let what = Spawn {
                name: NAME,
                cgroup: cgroup.as_deref(),
                fds: &fds,
                pid_namespace: PidNamespace::Same,
                tie: Tie::DiesWithParent,
            };
            Ok(Running { child: spawn::spawn(&what)?, report, text: Vec::new(), point })
        };
        started().map_err(|cause: std::io::Error| format!("{}: helper process: {cause}", point.field()))
    }
}

impl Point {
    fn field(self) -> &'static str {
        match self {
            Point::Poststart => "hooks.poststart",
            Point::Poststop => "hooks.poststop",
        }
    }
}

impl Running {
    /// To be polled for reading.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// What went wrong; `None`: they still run.
    pub(super) fn outcome(&mut self) -> Option<Vec<String>> {
        if !spawn::has_ended(&self.child.pidfd) {
            return None;
        }
        let _ = self.report.read_to_end(&mut self.text);
        let end = spawn::reap(&self.child.pidfd).ok().flatten().unwrap_or(ExitStatus::Unknown);
        let failures = serde_json::from_slice(&self.text);
        let died = || vec![format!("{}: their process ended before they were done: {end:?}", self.point.field())];
        Some(failures.unwrap_or_else(|_| died()))
    }

    /// Lets them go on unwatched, until their pod ends.
    pub(super) fn leave(self) {
        spawn::leave_stray(self.child.pid);
    }
}

/// The helper's main function.
pub(super) fn run() -> ! {
    spawn::serve(NAME, |request: Request| run_all(&request))
}

fn run_all(request: &Request) -> Vec<String> {
    let mut failures = Vec::new();
    for (at, hook) in request.hooks.iter().enumerate() {
        if let Err(cause) = run_one(hook, request) {
            failures.push(format!("{}[{at}] ({}): {cause}", request.point.field(), hook.path().display()));
            if request.point == Point::Poststart {
                break;
            }
        }
    }
    failures
}

fn run_one(hook: &Hook, request: &Request) -> Result<(), String> {
    let text = |cause: std::io::Error| cause.to_string();
    // A file, not a pipe: a hook that doesn't read it holds up nobody.
    let mut state = spawn::empty_request().map_err(text)?;
    state.write_all(request.state.as_bytes()).and_then(|()| state.rewind()).map_err(text)?;
    let mut command = Command::new(hook.path());
    let mut args = hook.args().iter().flatten();
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    let pairs = hook.env().iter().flatten().filter_map(|pair| pair.split_once('='));
    command.args(args).env_clear().envs(pairs).current_dir(&request.bundle);
    command.stdin(Stdio::from(state)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(text)?;
    let given = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let timeout = match request.point {
        Point::Poststart => given,
        Point::Poststop => Some(given.unwrap_or(POSTSTOP_TIMEOUT)),
    };
    let pidfd = spawn::open_pidfd(child.id().cast_signed()).map_err(text)?;
    if let Some(timeout) = timeout
        && !ends_within(pidfd.as_fd(), timeout)
    {
        let _ = spawn::signal(&pidfd, libc::SIGKILL);
        let _ = child.wait();
        return Err(format!("didn't end within its timeout of {} s", timeout.as_secs()));
    }
    let status = child.wait().map_err(text)?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn ends_within(pidfd: BorrowedFd<'_>, timeout: Duration) -> bool {
    let end = std::time::Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        let wait = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], Some(&wait)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            // It is killed then; it could not be watched.
            Err(_) => return false,
        }
    }
}
