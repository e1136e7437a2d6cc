//! What a cgroup uses and may use, read from its files. Nothing is written, and what can't be read is not guessed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::settings::{PIDS, V1_MEMORY};
use super::{Hierarchies, below};
use crate::plan::{Bytes, CgroupVersion, Counters, MilliCpu, Stall};

/// From here on v1's limit of memory is none: it counts pages in a signed number of bytes.
const V1_UNLIMITED: u64 = 1 << 62;

impl Hierarchies {
    /// What is counted of a cgroup now; `None`: there is no such cgroup.
    pub(crate) fn counters(&self, cgroup: &Path) -> Option<Counters> {
        let identity = fs::metadata(self.tracking(cgroup)).ok()?.ino();
        let of = |controller| Folder(self.controller_folder(controller, cgroup));
        let unified = Folder(self.unified.as_ref().map(|root| below(root, cgroup)));
        let counted = match self.version {
            CgroupVersion::V1 => of_v1(&of, &unified),
            CgroupVersion::V2 => of_v2(&unified),
            CgroupVersion::None => Counters::default(),
        };
        let pids = of("pids");
        Some(Counters {
            identity,
            tasks: pids.number("pids.current"),
            tasks_limit: pids.number(PIDS),
            // Every cgroup of v2 has them where the kernel counts them, also on hybrid boxes.
            cpu_stall: unified.stall("cpu.pressure"),
            memory_stall: unified.stall("memory.pressure"),
            io_stall: unified.stall("io.pressure"),
            ..counted
        })
    }
}

fn of_v1(of: &impl Fn(&'static str) -> Folder, unified: &Folder) -> Counters {
    let (cpu, memory, disks) = (of("cpu"), of("memory"), of("blkio"));
    let usage = of("cpuacct").number("cpuacct.usage").map(Duration::from_nanos);
    let quota = cpu.number::<u64>("cpu.cfs_quota_us").zip(cpu.number("cpu.cfs_period_us"));
    let blkio = ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"];
    let moved = blkio.iter().find_map(|file| disks.text(file));
    Counters {
        // The first knows no such controller where only v2 counts it.
        cpu: usage.or_else(|| cpu_of_v2(unified)),
        cpu_limit: quota.and_then(|(quota, period)| rate(quota, period)),
        working_set: working_set(&memory, "memory.usage_in_bytes", "total_inactive_file"),
        memory_limit: memory.number(V1_MEMORY).filter(|limit| *limit < V1_UNLIMITED).map(Bytes),
        read: moved.as_deref().map(|text| moved_on_v1(text, "Read")),
        written: moved.as_deref().map(|text| moved_on_v1(text, "Write")),
        ..Counters::default()
    }
}

fn of_v2(folder: &Folder) -> Counters {
    let cpu_max = folder.text("cpu.max");
    let quota = cpu_max.as_deref().and_then(|text| text.trim().split_once(' '));
    let moved = folder.text("io.stat");
    Counters {
        cpu: cpu_of_v2(folder),
        // "max" is no number.
        cpu_limit: quota.and_then(|(quota, period)| rate(quota.parse().ok()?, period.parse().ok()?)),
        working_set: working_set(folder, "memory.current", "inactive_file"),
        memory_limit: folder.number("memory.max").map(Bytes),
        read: moved.as_deref().map(|text| moved_on_v2(text, "rbytes=")),
        written: moved.as_deref().map(|text| moved_on_v2(text, "wbytes=")),
        ..Counters::default()
    }
}

/// Counted in every cgroup of v2, whatever its controllers.
fn cpu_of_v2(folder: &Folder) -> Option<Duration> {
    folder.keyed("cpu.stat", "usage_usec").map(Duration::from_micros)
}

fn rate(quota: u64, period: u64) -> Option<MilliCpu> {
    quota.saturating_mul(1000).checked_div(period).map(MilliCpu)
}

fn working_set(folder: &Folder, usage: &str, inactive: &str) -> Option<Bytes> {
    let inactive = folder.keyed("memory.stat", inactive)?;
    folder.number(usage).map(|usage: u64| Bytes(usage.saturating_sub(inactive)))
}

/// Of all disks: `8:0 Read 4096`.
fn moved_on_v1(text: &str, direction: &str) -> Bytes {
    let of_disk = |line: &str| {
        let mut words = line.split_whitespace();
        let is_it = words.next().is_some_and(|disk| disk.contains(':')) && words.next() == Some(direction);
        words.next().filter(|_| is_it)?.parse::<u64>().ok()
    };
    Bytes(text.lines().filter_map(of_disk).sum())
}

/// Of all disks: `8:0 rbytes=4096 wbytes=0 rios=1 ...`.
fn moved_on_v2(text: &str, key: &str) -> Bytes {
    let words = text.split_whitespace();
    Bytes(words.filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok()).sum())
}

/// A cgroup's folder in the hierarchy that has what is asked for; `None`: no hierarchy has it.
struct Folder(Option<PathBuf>);

impl Folder {
    /// What a file says; `None`: it isn't there, or the kernel doesn't say it (EOPNOTSUPP of PSI that is switched off).
    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.as_ref()?.join(file)).ok()
    }

    fn number<T: FromStr>(&self, file: &str) -> Option<T> {
        self.text(file)?.trim().parse().ok()
    }

    /// The number behind a word at the beginning of a line.
    fn keyed(&self, file: &str, key: &str) -> Option<u64> {
        let text = self.text(file)?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
    }

    fn stall(&self, file: &str) -> Option<Stall> {
        let text = self.text(file)?;
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        let average = some.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
        average.parse().ok().map(Stall)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "counters_tests.rs"]
mod tests;
