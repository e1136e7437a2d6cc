//! Carries out [`settings`](super::settings): the one place that writes limits to the files of cgroups, for a new pod, a new
//! container, and for a resize, where all of them are written or none (KEP-1287).
//!
//! Numbers and sets of cpus go through cgroups-rs, whose controllers have a setter for each and know its file on either
//! version. What it has no setter for, and what the kernel would wait with, is written here.

use std::error::Error as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cgroups_rs::fs::MaxValue;
use cgroups_rs::fs::cpu::CpuController;
use cgroups_rs::fs::cpuset::CpuSetController;
use cgroups_rs::fs::error::Error;
use cgroups_rs::fs::hugetlb::HugeTlbController;
use cgroups_rs::fs::memory::MemController;
use cgroups_rs::fs::pid::PidController;
use oci_spec::runtime::LinuxResources;

use super::settings::{Absent, PIDS, Setting, V1_MEMORY, WEIGHT, planned, settings};
use super::{CgroupError, Hierarchies, V1_SWAP, V2_SWAP, error, is_absent};
use crate::plan::resize::Place;
use crate::plan::{CgroupLimits, CgroupPlan, CgroupVersion};
use crate::runtime::program::words;

/// A file that was written, and what it said before.
struct Written {
    path: PathBuf,
    before: String,
}

/// A setting that couldn't be carried out.
struct Refused<'a> {
    setting: &'a Setting,
    why: Why,
}

enum Why {
    NoController,
    NoFile(PathBuf),
    Io { path: PathBuf, cause: io::Error },
}

impl Refused<'_> {
    /// Of what barepod itself has planned for a cgroup.
    fn of_plan(self, cgroup: &Path) -> CgroupError {
        let Setting { controller, .. } = *self.setting;
        match self.why {
            Why::NoController => CgroupError::MissingController { what: controller, path: cgroup.to_owned() },
            Why::NoFile(_) if controller == "hugetlb" => {
                CgroupError::MissingController { what: controller, path: cgroup.to_owned() }
            }
            Why::NoFile(path) => error("open", &path)(io::ErrorKind::NotFound.into()),
            Why::Io { path, cause } => error("write", &path)(cause),
        }
    }

    /// Of what a container's config asks for.
    fn of_config(self) -> CgroupError {
        let Setting { controller, file, value, field, .. } = self.setting;
        let cause = match self.why {
            Why::NoController => format!("cgroup {controller} is required, which this box has not"),
            Why::NoFile(_) if field == WEIGHT => "this box has no disk scheduler with weights (bfq)".to_owned(),
            Why::NoFile(_) => format!("the container's cgroup has no {file}"),
            Why::Io { cause, .. } => {
                let cause = cause.raw_os_error().map_or_else(|| cause.to_string(), words);
                format!("{:?}: {cause} ({file})", value.trim())
            }
        };
        CgroupError::Resource { field: format!("linux.resources.{field}"), cause }
    }
}

/// A `pids.max` that is to be set.
#[derive(Debug)]
pub(crate) struct ProcessLimit {
    path: PathBuf,
    file: fs::File,
    setting: Setting,
}

impl ProcessLimit {
    pub(crate) fn set(mut self) -> Result<(), CgroupError> {
        let written = self.file.write_all(self.setting.value.as_bytes());
        written.map_err(|cause| Refused { setting: &self.setting, why: Why::Io { path: self.path, cause } }.of_config())
    }
}

impl Hierarchies {
    /// Limits a pod's new cgroup.
    pub(super) fn limit_pod(&self, plan: &CgroupPlan) -> Result<(), CgroupError> {
        let limits = planned(self.version, &plan.limits, &plan.huge_pages);
        for setting in settings(self.version, Place::Pod, &limits) {
            self.write(&plan.path, &setting, None).map_err(|refused| refused.of_plan(&plan.path))?;
        }
        self.protect(Place::Pod, &plan.path, &plan.limits)
    }

    /// Limits a container's new cgroup as its config says, but for the number of processes (see [`Self::process_limit`]).
    pub(super) fn limit_container(&self, cgroup: &Path, limits: &LinuxResources) -> Result<(), CgroupError> {
        let all = settings(self.version, Place::Container, limits);
        let now = all.iter().filter(|setting| setting.file != PIDS);
        now.into_iter().try_for_each(|setting| self.write(cgroup, setting, None)).map_err(Refused::of_config)
    }

    /// `pids.max`; to be set once the helper's own processes are not among those to come. Opened before the hierarchies
    /// are hidden. `None`: there is no limit.
    pub(crate) fn process_limit(
        &self,
        cgroup: &Path,
        limits: &LinuxResources,
    ) -> Result<Option<ProcessLimit>, CgroupError> {
        let all = settings(self.version, Place::Container, limits);
        let Some(setting) = all.into_iter().find(|setting| setting.controller == "pids" && setting.file == PIDS) else {
            return Ok(None);
        };
        let Some(folder) = self.controller_folder(setting.controller, cgroup) else {
            return Err(Refused { setting: &setting, why: Why::NoController }.of_config());
        };
        let path = folder.join(PIDS);
        match fs::File::options().write(true).open(&path) {
            Ok(file) => Ok(Some(ProcessLimit { path, file, setting })),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Err(Refused { setting: &setting, why: Why::NoFile(path) }.of_config())
            }
            Err(cause) => Err(error("open", &path)(cause)),
        }
    }

    /// Writes new limits to cgroups, in this order. After a failure all are as they were.
    pub(crate) fn change(&self, changes: &[(Place, PathBuf, CgroupLimits)]) -> Result<(), CgroupError> {
        if self.version == CgroupVersion::None {
            return Err(CgroupError::NoControllers);
        }
        let mut written = Vec::new();
        let changed = self.change_all(changes, &mut written);
        if changed.is_err() {
            // What can't be undone either stays: the error is said in any case.
            for Written { path, before } in written.iter().rev() {
                let _ = write_at_once(path, before);
            }
            for (place, cgroup, limits) in changes {
                let _ = self.protect(*place, cgroup, limits);
            }
        }
        changed
    }

    /// As far as it goes; what was written, and what was there before, is in `written`.
    fn change_all(
        &self,
        changes: &[(Place, PathBuf, CgroupLimits)],
        written: &mut Vec<Written>,
    ) -> Result<(), CgroupError> {
        for (place, cgroup, limits) in changes {
            for setting in settings(self.version, *place, &planned(self.version, limits, &[])) {
                self.write(cgroup, &setting, Some(written)).map_err(|refused| refused.of_plan(cgroup))?;
            }
            self.protect(*place, cgroup, limits)?;
        }
        Ok(())
    }

    /// What a pod is to keep of its memory counts as far as its parents ask for it.
    fn protect(&self, place: Place, cgroup: &Path, limits: &CgroupLimits) -> Result<(), CgroupError> {
        let asks = (limits.protection.min, limits.protection.low) != (None, None);
        if place == Place::Pod && asks { self.cover_protection(cgroup) } else { Ok(()) }
    }

    /// Writes one file; with `undo`, remembers what it said.
    fn write<'a>(
        &self,
        cgroup: &Path,
        setting: &'a Setting,
        mut undo: Option<&mut Vec<Written>>,
    ) -> Result<(), Refused<'a>> {
        let refused = |why| Refused { setting, why };
        let Some(folder) = self.controller_folder(setting.controller, cgroup) else {
            return if setting.absent == Absent::Fine { Ok(()) } else { Err(refused(Why::NoController)) };
        };
        let path = folder.join(&setting.file);
        if is_absent(&path) {
            return match &setting.absent {
                Absent::Fine => Ok(()),
                // In a cgroup that is there already, a limit of swap that can't be set wasn't set before.
                Absent::Fault if undo.is_some() && [V1_SWAP, V2_SWAP].contains(&setting.file.as_str()) => Ok(()),
                Absent::Fault => Err(refused(Why::NoFile(path))),
                Absent::Instead(other) => self.write(cgroup, other, undo),
            };
        }
        let mut set = |file: &str, value: &str| {
            let path = folder.join(file);
            let failed = |cause| refused(Why::Io { path: folder.join(file), cause });
            let Some(written) = &mut undo else {
                let done = through_controller(self.version, &folder, file, value);
                return done.unwrap_or_else(|| write_at_once(&path, value)).map_err(failed);
            };
            let before = fs::read_to_string(&path).map_err(failed)?.trim().to_owned();
            if before != value {
                let waits = ["memory.max", "memory.high"].contains(&file);
                let done = (!waits).then(|| through_controller(self.version, &folder, file, value)).flatten();
                done.unwrap_or_else(|| write_at_once(&path, value)).map_err(failed)?;
                written.push(Written { path, before });
            }
            Ok(())
        };
        if setting.file == V1_MEMORY {
            // What limits memory and swap together may be below what is asked for now.
            let both = fs::read_to_string(folder.join(V1_SWAP)).ok().and_then(|text| text.trim().parse().ok());
            let wanted: u64 = setting.value.parse().unwrap_or(u64::MAX);
            if both.is_some_and(|both: u64| both < wanted) {
                set(V1_SWAP, "-1")?;
            }
        }
        set(&setting.file, &setting.value)
    }
}

/// Sets it by cgroups-rs. `None`: it has no setter that would write just this to just that file.
fn through_controller(version: CgroupVersion, folder: &Path, file: &str, value: &str) -> Option<io::Result<()>> {
    let v2 = version == CgroupVersion::V2;
    let at = || (folder.to_owned(), folder.to_owned());
    let cpu = || CpuController::new(at().0, at().1, v2);
    let memory = || MemController::new(at().0, at().1, v2);
    let huge = |size: &str| Some((size.to_owned(), value.parse().ok()?));
    let set = match file {
        "cpu.shares" | "cpu.weight" => cpu().set_shares(value.parse().ok()?),
        "cpu.cfs_period_us" => cpu().set_cfs_period(value.parse().ok()?),
        "cpu.cfs_quota_us" => cpu().set_cfs_quota(value.parse().ok()?),
        "cpu.rt_runtime_us" => cpu().set_rt_runtime(value.parse().ok()?),
        "cpu.rt_period_us" => cpu().set_rt_period_us(value.parse().ok()?),
        "cpuset.cpus" => CpuSetController::new(at().0, at().1, v2).set_cpus(value),
        "cpuset.mems" => CpuSetController::new(at().0, at().1, v2).set_mems(value),
        V1_MEMORY | "memory.max" => memory().set_limit(value.parse().ok()?),
        V1_SWAP | V2_SWAP => memory().set_memswap_limit(value.parse().ok()?),
        "memory.soft_limit_in_bytes" | "memory.low" => memory().set_soft_limit(value.parse().ok()?),
        "memory.swappiness" => memory().set_swappiness(value.parse().ok()?),
        "memory.kmem.limit_in_bytes" => memory().set_kmem_limit(value.parse().ok()?),
        "memory.kmem.tcp.limit_in_bytes" => memory().set_tcp_limit(value.parse().ok()?),
        PIDS => {
            let most = if value == "max" { MaxValue::Max } else { MaxValue::Value(value.parse().ok()?) };
            PidController::new(at().0, at().1, v2).set_pid_max(most)
        }
        _ => {
            let kind = if v2 { ".max" } else { ".limit_in_bytes" };
            let size = file.strip_prefix("hugetlb.")?.strip_suffix(kind)?;
            let (size, limit) = huge(size)?;
            HugeTlbController::new(at().0, at().1, v2).set_limit_in_bytes(&size, limit)
        }
    };
    Some(set.map_err(|error: Error| {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
        cause.map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
    }))
}

/// Sets a limit and leaves it to the cgroup's own processes to come down to it, with their next use of memory: without
/// `O_NONBLOCK` whoever writes v2's memory.max or memory.high frees what is above it. v1 and kernels that don't know of that
/// skip the flag.
fn write_at_once(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).custom_flags(libc::O_NONBLOCK).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "write_tests.rs"]
mod tests;
