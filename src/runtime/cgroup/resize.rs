//! New limits for cgroups that are in use (KEP-1287): all of them, or none.
//!
//! Not through cgroups-rs or libcontainer: what is to be undone must be known file by file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::limits::{PERIOD, weight};
use super::{CgroupError, Hierarchies, below, error};
use crate::plan::Bytes;
use crate::plan::resize::Place;
use crate::plan::{CgroupLimits, CgroupVersion};

/// One file of a cgroup and its new text.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    controller: &'static str,
    file: &'static str,
    value: String,
}

/// A file that was written, and what it said before.
struct Written {
    path: PathBuf,
    before: String,
}

/// The files of these limits, in the order they are to be written in.
fn settings(version: CgroupVersion, place: Place, limits: &CgroupLimits) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut set = |controller, file, value: Option<String>| {
        settings.extend(value.map(|value| Setting { controller, file, value }));
    };
    match version {
        CgroupVersion::V1 => {
            set("cpu", "cpu.shares", limits.cpu_shares.map(|shares| shares.to_string()));
            // The period first: a quota is checked against it.
            set("cpu", "cpu.cfs_period_us", limits.cpu_quota.map(|_| PERIOD.to_string()));
            set("cpu", "cpu.cfs_quota_us", limits.cpu_quota.map(|quota| quota.to_string()));
            set("memory", "memory.limit_in_bytes", limits.memory.map(|bytes| bytes.to_string()));
            set("memory", TOGETHER, limits.memory.zip(limits.protection.swap).map(together));
        }
        CgroupVersion::V2 => {
            set("cpu", "cpu.weight", limits.cpu_shares.map(|shares| weight_of(place, shares).to_string()));
            set("cpu", "cpu.max", limits.cpu_quota.map(|quota| format!("{quota} {PERIOD}")));
            set("memory", "memory.max", limits.memory.map(|bytes| bytes.to_string()));
            for (file, text) in limits.protection.files() {
                set("memory", file, Some(text));
            }
        }
        // Refused before.
        CgroupVersion::None => {}
    }
    settings
}

/// As each was set when its cgroup was made: a pod's here, linearly as the kubelet does, a container's by libcgroups, which
/// follows the OCI runtimes' newer fit: v1's default of 1024 is v2's default of 100 (github.com/opencontainers/cgroups,
/// pull request 20).
fn weight_of(place: Place, shares: u64) -> u64 {
    match place {
        Place::Pod => weight(shares),
        Place::Container if shares <= 2 => 1,
        Place::Container if shares >= 262_144 => 10_000,
        Place::Container => {
            // Below 2^18, so a double has it exactly.
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            (10_f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
        }
    }
}

/// What v1's limit of memory and swap together says.
fn together((memory, swap): (i64, i64)) -> String {
    let sum = memory.saturating_add(swap);
    if sum == i64::MAX { "-1".to_owned() } else { sum.to_string() }
}

impl Hierarchies {
    /// Writes new limits to cgroups, in this order. After a failure all are as they were.
    pub(crate) fn change(&self, changes: &[(Place, PathBuf, CgroupLimits)]) -> Result<(), CgroupError> {
        if self.version == CgroupVersion::None {
            return Err(CgroupError::NoControllers);
        }
        let mut written = Vec::new();
        for (place, cgroup, limits) in changes {
            for setting in settings(self.version, *place, limits) {
                if let Err(error) = self.write_setting(cgroup, &setting, &mut written) {
                    for Written { path, before } in written.iter().rev() {
                        // What can't be undone either stays: the error is said in any case.
                        let _ = write_at_once(path, before);
                    }
                    return Err(error);
                }
            }
            if *place == Place::Pod && (limits.protection.min, limits.protection.low) != (None, None) {
                self.cover_protection(cgroup)?;
            }
        }
        Ok(())
    }

    fn write_setting(&self, cgroup: &Path, setting: &Setting, written: &mut Vec<Written>) -> Result<(), CgroupError> {
        let missing = || CgroupError::MissingController { what: setting.controller, path: cgroup.to_owned() };
        let folder = self.controller_folder(setting.controller, cgroup).ok_or_else(missing)?;
        // Where nobody counts swap (swapaccount=0) it can't be limited, and isn't.
        let file = folder.join(setting.file);
        if matches!(setting.file, TOGETHER | SWAP) && !file.try_exists().map_err(error("stat", &file))? {
            return Ok(());
        }
        let mut write = |file: &str, value: &str| {
            let path = folder.join(file);
            let before = fs::read_to_string(&path).map_err(error("read", &path))?.trim().to_owned();
            if before != value {
                write_at_once(&path, value).map_err(error("write", &path))?;
                written.push(Written { path, before });
            }
            Ok(())
        };
        if setting.file == "memory.limit_in_bytes" {
            // A bundle may have limited memory and swap together, below what is asked for now.
            let together = fs::read_to_string(folder.join(TOGETHER)).ok().and_then(|text| text.trim().parse().ok());
            let wanted: u64 = setting.value.parse().unwrap_or(u64::MAX);
            if together.is_some_and(|together: u64| together < wanted) {
                write(TOGETHER, "-1")?;
            }
        }
        write(setting.file, &setting.value)
    }

    /// Whether swap can be limited in cgroups below this one. The kernel's own root has no file that tells (v2).
    pub(crate) fn limits_swap(&self, parent: &Path) -> bool {
        let Some(folder) = self.controller_folder("memory", parent) else { return false };
        let file = if self.version == CgroupVersion::V2 { SWAP } else { TOGETHER };
        let below = super::children(&folder).unwrap_or_default();
        let mut near = std::iter::once(folder.clone()).chain(below);
        if near.any(|folder| folder.join(file).exists()) {
            return true;
        }
        let is_off = |text: String| text.split_whitespace().any(|word| word == "swapaccount=0");
        self.version == CgroupVersion::V2
            && !folder.join("cgroup.type").exists()
            && Path::new("/proc/swaps").exists()
            && !fs::read_to_string("/proc/cmdline").is_ok_and(is_off)
    }

    fn controller_folder(&self, controller: &str, cgroup: &Path) -> Option<PathBuf> {
        match self.version {
            CgroupVersion::V1 => self.v1_mount(controller).map(|root| below(root, cgroup)),
            CgroupVersion::V2 => self.unified.as_ref().map(|root| below(root, cgroup)),
            CgroupVersion::None => None,
        }
    }

    /// Memory that a cgroup uses now, page cache included; `None` where nobody counts it.
    pub(crate) fn memory_usage(&self, cgroup: &Path) -> Option<Bytes> {
        let file = match self.version {
            CgroupVersion::V1 => "memory.usage_in_bytes",
            CgroupVersion::V2 => "memory.current",
            CgroupVersion::None => return None,
        };
        let path = self.controller_folder("memory", cgroup)?.join(file);
        fs::read_to_string(path).ok()?.trim().parse().ok().map(Bytes)
    }
}

/// Sets a limit and leaves it to the cgroup's own processes to come down to it, with their next use of memory: without
/// `O_NONBLOCK` whoever writes v2's memory.max or memory.high frees what is above it. v1 and kernels that don't know of that
/// skip the flag.
fn write_at_once(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).custom_flags(libc::O_NONBLOCK).open(path)?.write_all(text.as_bytes())
}

/// v2's limit of swap.
const SWAP: &str = "memory.swap.max";

/// v1's limit of memory and swap together.
const TOGETHER: &str = "memory.memsw.limit_in_bytes";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::MemoryProtection;

    const NONE: MemoryProtection = MemoryProtection { min: None, low: None, high: None, swap: None };
    const LIMITS: CgroupLimits = CgroupLimits {
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        memory: Some(1 << 20),
        protection: NONE,
        pids: None,
    };

    fn texts(version: CgroupVersion, limits: &CgroupLimits) -> Vec<String> {
        settings(version, Place::Pod, limits).iter().map(|one| format!("{}={}", one.file, one.value)).collect()
    }

    /// R9.3
    #[test]
    fn files_of_both_worlds() {
        let v1 =
            ["cpu.shares=512", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000", "memory.limit_in_bytes=1048576"];
        assert_eq!(texts(CgroupVersion::V1, &LIMITS), v1);
        assert_eq!(texts(CgroupVersion::V2, &LIMITS), ["cpu.weight=20", "cpu.max=50000 100000", "memory.max=1048576"]);
        assert!(texts(CgroupVersion::V2, &CgroupLimits::default()).is_empty());
        for (memory, swap, v1, v2) in [
            (Some(100), 0, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=100"][..], "0"),
            (Some(100), 7, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=107"], "7"),
            (Some(100), i64::MAX, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=-1"], "max"),
            (None, 0, &[], "0"),
        ] {
            let protection = MemoryProtection { swap: Some(swap), ..NONE };
            let limits = CgroupLimits { memory, protection, ..CgroupLimits::default() };
            assert_eq!(texts(CgroupVersion::V1, &limits), v1);
            assert!(texts(CgroupVersion::V2, &limits).contains(&format!("memory.swap.max={v2}")));
        }
    }

    /// R9.3: a container's as libcgroups has set it.
    #[test]
    fn weights_are_those_of_the_start() {
        for (shares, pod, container) in [(2, 1, 1), (102, 4, 17), (1024, 39, 100), (262_144, 10_000, 10_000)] {
            assert_eq!((weight_of(Place::Pod, shares), weight_of(Place::Container, shares)), (pod, container));
        }
    }

    /// A v2 hierarchy in a plain folder.
    fn hierarchy(files: &[(&str, &str)]) -> (tempfile::TempDir, Hierarchies) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let hierarchies =
            Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified: Some(root.path().to_owned()) };
        (root, hierarchies)
    }

    #[test]
    fn all_or_nothing() {
        let files = [
            ("p/cpu.weight", "39\n"),
            ("p/cpu.max", "max 100000\n"),
            ("p/memory.max", "max\n"),
            ("p/c/cpu.weight", "39\n"),
        ];
        let (root, hierarchies) = hierarchy(&files);
        let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap().trim().to_owned();
        let pod = (Place::Pod, PathBuf::from("/p"), LIMITS);
        // The container's cpu.max isn't there.
        let error = hierarchies.change(&[pod.clone(), (Place::Container, PathBuf::from("/p/c"), LIMITS)]).unwrap_err();
        assert!(error.to_string().contains("p/c/cpu.max"), "{error}");
        for (name, text) in files {
            assert_eq!(read(name), text.trim(), "{name} is as it was");
        }
        hierarchies.change(&[pod]).unwrap();
        assert_eq!([read("p/cpu.weight"), read("p/cpu.max"), read("p/memory.max")], ["20", "50000 100000", "1048576"]);
    }

    /// A pipe that nobody reads holds up whoever opens it to write, but for those who won't wait.
    #[test]
    fn writing_a_limit_waits_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("memory.max");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(write_at_once(&pipe, "4096").unwrap_err().raw_os_error(), Some(libc::ENXIO));
        let file = dir.path().join("memory.high");
        fs::write(&file, "1048576\n").unwrap();
        write_at_once(&file, "4096").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "4096");
    }

    #[test]
    fn swap_of_a_bundle_gives_way_on_v1() {
        let root = tempfile::tempdir().unwrap();
        let cgroup = root.path().join("c");
        fs::create_dir(&cgroup).unwrap();
        for (name, value) in [("memory.limit_in_bytes", "4096"), (TOGETHER, "8192")] {
            fs::write(cgroup.join(name), value).unwrap();
        }
        let v1 = vec![(vec!["memory".to_owned()], root.path().to_owned())];
        let hierarchies = Hierarchies { version: CgroupVersion::V1, v1, unified: None };
        let memory = |bytes| CgroupLimits { memory: Some(bytes), ..CgroupLimits::default() };
        let change = |bytes| hierarchies.change(&[(Place::Container, PathBuf::from("/c"), memory(bytes))]).unwrap();
        let read = |name: &str| fs::read_to_string(cgroup.join(name)).unwrap();
        change(8192);
        assert_eq!((read("memory.limit_in_bytes").as_str(), read(TOGETHER).as_str()), ("8192", "8192"));
        change(16384);
        assert_eq!((read("memory.limit_in_bytes").as_str(), read(TOGETHER).as_str()), ("16384", "-1"));
        let protection = MemoryProtection { swap: Some(0), ..NONE };
        for bytes in [8192, 32768] {
            let limits = CgroupLimits { protection, ..memory(bytes) };
            hierarchies.change(&[(Place::Container, PathBuf::from("/c"), limits)]).unwrap();
            assert_eq!(read("memory.limit_in_bytes"), read(TOGETHER), "{bytes}");
        }
        assert!(hierarchies.memory_usage(Path::new("/c")).is_none());
    }
}
