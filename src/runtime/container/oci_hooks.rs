//! The hooks of a bundle that run outside of libcontainer's create: poststart and poststop (runtime-spec 1.2, config.md,
//! "POSIX-platform Hooks"). In a helper process, in a cgroup beside the container's: a hook that hangs hangs nobody else,
//! and dies with the container or the pod.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use oci_spec::runtime::{ContainerState, Hook, Hooks, Spec};
use serde::{Deserialize, Serialize};

use super::hook::{self, Surroundings};
use crate::runtime::cgroup::CgroupError;
use crate::runtime::spawn::{self, Child, ExitStatus};

/// Its `argv[0]`.
pub(super) const NAME: &str = "barepod:hooks";

/// How long a poststop hook may take that says nothing about it: nobody can kill it, as its container is gone, and
/// everything ends (R5.16).
const POSTSTOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What hooks need to know of their container, and which there are.
#[derive(Clone, Debug)]
pub(super) struct Later {
    hooks: Hooks,
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
        Some(Self { hooks: hooks.clone(), annotations: spec.annotations().clone().unwrap_or_default(), bundle })
    }

    fn at(&self, point: Point) -> Vec<Hook> {
        let list = match point {
            Point::Poststart => self.hooks.poststart(),
            Point::Poststop => self.hooks.poststop(),
        };
        list.clone().unwrap_or_default()
    }

    /// Starts those of this point; `None`: there are none. `id` is the container's, `pid` its process', while it has one;
    /// `cgroup` makes the one that they are to be born in.
    pub(super) fn begin(
        &self,
        point: Point,
        id: &str,
        pid: Option<i32>,
        cgroup: impl FnOnce() -> Result<Option<PathBuf>, CgroupError>,
    ) -> Option<Result<Running, String>> {
        let hooks = self.at(point);
        (!hooks.is_empty()).then(|| {
            let state = self.state(point, id, pid)?;
            let request = Request { point, hooks, state, bundle: self.bundle.clone() };
            start(&request, cgroup).map_err(|cause| format!("{}: helper process: {cause}", point.field()))
        })
    }

    /// As the hooks read it.
    fn state(&self, point: Point, id: &str, pid: Option<i32>) -> Result<String, String> {
        let status = match point {
            Point::Poststart => ContainerState::Running,
            Point::Poststop => ContainerState::Stopped,
        };
        let mut state = hook::state(id, status, &self.bundle, &self.annotations)?;
        state.set_pid(pid);
        hook::text(&state)
    }
}

fn start(request: &Request, cgroup: impl FnOnce() -> Result<Option<PathBuf>, CgroupError>) -> io::Result<Running> {
    let (child, report) = spawn::ask(NAME, request, None, || cgroup().map_err(io::Error::other))?;
    Ok(Running { child, report, point: request.point })
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
        let died = |end: ExitStatus| {
            vec![format!("{}: their process ended before they were done: {end:?}", self.point.field())]
        };
        spawn::take_answer(&self.child, &mut self.report).map(|failures| failures.unwrap_or_else(died))
    }

    /// Lets them go on unwatched, until their pod ends.
    pub(super) fn leave(self) {
        spawn::reap_later(self.child.pid);
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
    let stdin = hook::stdin(request.state.as_bytes()).map_err(|cause| cause.to_string())?;
    let timeout = match request.point {
        Point::Poststart => None,
        Point::Poststop => Some(POSTSTOP_TIMEOUT),
    };
    hook::run(hook, Surroundings { stdin, folder: Some(&request.bundle), environment: &[], timeout })
}
