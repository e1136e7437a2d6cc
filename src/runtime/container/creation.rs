//! A container being made: starts the helper and collects its answer, without waiting for it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::PipeFlags;

use super::attempt::{AttemptDirs, Place};
use super::failure::{ContainerError, Failure, Stage};
use super::helper::{self, Report, Request};
use super::oci_hooks::Later;
use super::removal::Removal;
use super::running::Container;
use super::start::Start;
use super::stdio::Ends;
use crate::plan::{CgroupVersion, ContainerPlan, Label};
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::seccomp::Filter;
use crate::runtime::spawn::{self, Child, Environment, ExitStatus, Spawn};
use crate::runtime::{files, record};

/// How far a creation is.
#[derive(Debug)]
pub enum Progress {
    /// Nothing new; poll again.
    Pending,
    /// Made, not started. The creation is over.
    Created(Box<Container>),
    /// Not made; what there is of it is still to be removed. The creation is over.
    Failed(ContainerError, Box<Removal>),
}

/// A container being made: first a helper that waits to hear what to make, so that it is there as soon as it is known.
#[derive(Debug)]
pub struct Creation {
    place: Place,
    helper: Child,
    request: File,
    filter: File,
    /// A byte in it: the request is complete. Its end without one: there won't be any.
    go: OwnedFd,
    /// A socket: a terminal comes with the report.
    report: OwnedFd,
    start: File,
    /// `None`: it is to come.
    ends: Option<Ends>,
    over: bool,
}

impl Creation {
    /// Starts the helper. Well under a millisecond, and what is left then can be prepared beside the helper's own start.
    pub fn begin(label: &Label, dirs: &AttemptDirs, hierarchies: &Hierarchies) -> Result<Self, ContainerError> {
        let place = place(label, dirs, hierarchies);
        Self::try_begin(&place).map_err(|failure| {
            place.clear();
            ContainerError::Create { container: label.name.clone(), failure }
        })
    }

    fn try_begin(place: &Place) -> Result<Self, Failure> {
        let failed = |object: &str, cause: io::Error| Failure::io(Stage::Helper, object, cause);
        let pipes = || Ok((spawn::pipe()?, rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?));
        let ((start, start_end), (go_end, go)) = pipes().map_err(|cause| failed("pipe", cause))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (report, report_end) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|errno| failed("socketpair", errno.into()))?;
        let memory = || spawn::empty_request().map_err(|cause| failed("memfd_create", cause));
        let (request, filter) = (memory()?, memory()?);
        let folder =
            place.hierarchies.track(place.birth()).map_err(|cause| Failure::new(Stage::Helper, "cgroup", cause))?;
        let what = Spawn {
            name: helper::NAME,
            cgroup: folder.as_deref(),
            fds: &[
                request.as_raw_fd(),
                go_end.as_raw_fd(),
                report_end.as_raw_fd(),
                start_end.as_raw_fd(),
                filter.as_raw_fd(),
            ],
            new_pid_namespace: false,
            dies_with_parent: true,
            environment: Environment::Empty,
        };
        let helper = spawn::spawn(&what).map_err(|cause| failed("start", cause))?;
        let place = place.clone();
        Ok(Self { place, helper, request, filter, go, report, start, ends: None, over: false })
    }

    /// Tells the helper what to make; to be done once. After an error the creation is to be aborted. The filter is that
    /// of `linux.seccomp`, which the plan's config is not to have any more: it would be compiled anew.
    pub fn order(&mut self, plan: &ContainerPlan, filter: Option<&Filter>) -> Result<(), ContainerError> {
        let container = || plan.name.clone();
        self.try_order(plan, filter).map_err(|failure| ContainerError::Create { container: container(), failure })
    }

    fn try_order(&mut self, plan: &ContainerPlan, filter: Option<&Filter>) -> Result<(), Failure> {
        self.place.hooks = Later::of(&plan.spec, plan.bundle.clone());
        let dirs = &self.place.dirs;
        for folder in [&dirs.state, &dirs.data] {
            files::make_folders(folder, 0o711).map_err(|cause| Failure::io(Stage::Prepare, folder.display(), cause))?;
        }
        self.ends = Ends::make(plan.streams, &dirs.state)?;
        let failed = |cause: io::Error| Failure::io(Stage::Helper, "write the request", cause);
        if let Some(filter) = filter {
            filter.write_to(&mut self.filter).map_err(failed)?;
        }
        let (state, data) = (dirs.state.clone(), dirs.data.clone());
        let request = Request { plan: plan.clone(), state, data, filtered: filter.is_some() };
        spawn::write_request(&mut self.request, &request).map_err(failed)?;
        match rustix::io::write(&self.go, b"!") {
            // A helper that is gone already is seen and told of by `advance`.
            Ok(_) | Err(rustix::io::Errno::PIPE) => Ok(()),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// To be polled for reading.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// To be polled for reading as well: a helper that dies says nothing.
    pub fn helper_pidfd(&self) -> BorrowedFd<'_> {
        self.helper.pidfd.as_fd()
    }

    /// Takes the next step if there is one. Not to be called again once it answered anything but `Pending`.
    pub fn advance(mut self) -> (Option<Self>, Progress) {
        // Looked at before the report is read: what a helper wrote before it died is read for sure.
        let helper_ended = spawn::has_ended(&self.helper.pidfd);
        let (report, descriptors) = match record::receive(&self.report, helper::LONGEST) {
            Ok(report) => report.unwrap_or_default(),
            Err(Errno::AGAIN) if !helper_ended => return (Some(self), Progress::Pending),
            Err(Errno::AGAIN) => Default::default(),
            Err(errno) => {
                return (None, self.failed(Failure::io(Stage::Helper, "read its answer", errno)));
            }
        };
        let progress = match serde_json::from_slice(&report) {
            Ok(Report::Created { pid, warnings }) => self.created(pid, warnings, descriptors),
            Ok(Report::Failed(failure)) => self.failed(failure),
            Err(_) => {
                let end = spawn::reap(&self.helper.pidfd).ok().flatten().unwrap_or(ExitStatus::Unknown);
                self.failed(Failure::new(Stage::Helper, "ended without an answer", format!("{end:?}")))
            }
        };
        (None, progress)
    }

    fn created(&mut self, pid: i32, warnings: Vec<String>, descriptors: Vec<OwnedFd>) -> Progress {
        let made = spawn::open_pidfd(pid).and_then(|pidfd| {
            let ends = self.ends.take().map_or_else(|| Ends::of_terminal(descriptors), Ok)?;
            Ok((pidfd, Start::new(self.start.try_clone()?), ends))
        });
        match made {
            Ok((pidfd, start, ends)) => {
                self.over = true;
                Progress::Created(Box::new(Container::new(
                    self.place.clone(),
                    pid,
                    pidfd,
                    self.helper.pid,
                    start,
                    ends,
                    warnings,
                )))
            }
            Err(cause) => self.failed(Failure::io(Stage::Helper, format!("pidfd of {pid}"), cause)),
        }
    }

    fn failed(&mut self, mut failure: Failure) -> Progress {
        // Whoever died of it, helper or container, what came back says nothing of it.
        if self.place.cgroups().any(|cgroup| self.place.hierarchies.oom_kills(cgroup) > 0) {
            failure.cause.push_str("; the kernel's OOM killer came: is the memory limit too low?");
        }
        let removal = Box::new(self.end());
        Progress::Failed(ContainerError::Create { container: self.place.name.clone(), failure }, removal)
    }

    /// Kills everything of a creation that isn't wanted any more. What it has made is to be removed, and what
    /// earlier hooks have set up taken down by poststop hooks (runtime-spec 1.2, runtime.md, lifecycle, steps 3 to 5).
    pub fn abort(mut self) -> Removal {
        self.end()
    }

    fn end(&mut self) -> Removal {
        self.over = true;
        // The helper first: a process that it is forking is either there for the kill that follows, or never.
        let _ = spawn::signal(&self.helper.pidfd, libc::SIGKILL);
        // The container's init is a child of this process too. One that died by itself shows only in the pid file.
        let noted: Option<i32> =
            fs::read_to_string(self.place.dirs.state.join(helper::PID)).ok().and_then(|text| text.trim().parse().ok());
        let mut pids: Vec<i32> = self.members().chain(noted).chain([self.helper.pid]).collect();
        self.place.kill();
        // Where there is no cgroup to kill it by. Nobody but a running child of this process gets the signal.
        if let Some(init) = noted.and_then(|pid| spawn::open_pidfd(pid).ok())
            && matches!(spawn::reap(&init), Ok(None))
        {
            let _ = spawn::signal(&init, libc::SIGKILL);
        }
        pids.extend(self.members());
        pids.sort_unstable();
        pids.dedup();
        for pid in pids {
            spawn::reap_later(pid);
        }
        Removal::of(self.place.clone())
    }

    /// For reaping: one that isn't seen now is reaped with the sandbox's end.
    fn members(&self) -> impl Iterator<Item = i32> {
        self.place.cgroups().flat_map(|cgroup| self.place.hierarchies.members(cgroup).unwrap_or_default())
    }
}

/// Kills only: what it has made is left to the sandbox's removal or a sweep.
impl Drop for Creation {
    fn drop(&mut self) {
        if !self.over {
            self.end();
        }
    }
}

fn place(label: &Label, dirs: &AttemptDirs, hierarchies: &Hierarchies) -> Place {
    let cgroup = label.cgroup.clone();
    // Where v2 has the controllers, libcontainer limits the container's cgroup before the helper is done: a small
    // limit would hit the helper. So there it has a cgroup of its own beside it.
    let helper_cgroup = (hierarchies.version() == CgroupVersion::V2).then(|| {
        let parent = cgroup.parent().unwrap_or(Path::new("/"));
        parent.join(format!("_create-{}", label.id))
    });
    Place {
        name: label.name.clone(),
        id: label.id.clone(),
        dirs: dirs.clone(),
        hierarchies: hierarchies.clone(),
        cgroup,
        helper_cgroup,
        hooks: None,
    }
}
