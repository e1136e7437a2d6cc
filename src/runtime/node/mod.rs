//! Facts about this box, read once per pod and handed on as values. Draws no conclusions: that is plan's.

mod error;
mod ids;
mod selinux;
mod users;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::ifaddrs::{InterfaceAddressIterator, getifaddrs};
use nix::net::if_::InterfaceFlags;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceBuilder, LinuxDeviceType};

use crate::plan::Bytes;
use crate::plan::{AppArmor, CgroupObstacle, CgroupVersion, KernelVersion, NamespaceIds, NodeFacts, Rights, Scope};
use crate::plan::{Cpu, CpuSet};
use crate::runtime::cgroup::{CgroupError, Hierarchies};
use crate::runtime::rlimits;

pub use error::NodeError;
use error::text_or_empty;
pub use ids::ids_in_use;

/// Reads the facts. `data` is where pods' data goes, which need not be there yet. Takes well under a millisecond.
pub fn facts(data: &Path) -> Result<NodeFacts, NodeError> {
    check_openat2()?;
    let users = users::ids()?;
    let Usable { cgroups, parent, obstacle, limits_huge_pages, limits_swap } = usable_cgroups(users.as_ref())?;
    let bounding = caps::read(None, CapSet::Bounding)?;
    let permitted = caps::read(None, CapSet::Permitted)?;
    let mut capabilities: Vec<String> = bounding.intersection(&permitted).map(ToString::to_string).collect();
    capabilities.sort();
    // It counts on the box only, not in another user namespace.
    let is_above_limits = users.is_none() && permitted.contains(&Capability::CAP_SYS_RESOURCE);
    Ok(NodeFacts {
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        cgroups,
        cgroup_obstacle: obstacle,
        cgroup_parent: parent,
        memory: meminfo("MemTotal")?,
        swap: if limits_swap { Some(meminfo("SwapTotal")?) } else { None },
        storage: storage(data),
        huge_pages: huge_pages(Path::new("/sys/kernel/mm/hugepages"))?,
        limits_huge_pages,
        cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32),
        can_lower_oom_score: is_above_limits,
        hard_limits: rlimits::most(is_above_limits),
        capabilities,
        resolv_conf: text_or_empty(Path::new("/etc/resolv.conf"))?,
        hosts: text_or_empty(Path::new("/etc/hosts"))?,
        host_ips: host_ips(getifaddrs())?,
        kernel: kernel(rustix::system::uname().release().to_bytes()),
        apparmor: apparmor()?,
        selinux: selinux::facts()?,
        users,
        // The first process of a pid namespace is a supervisor that `rootless::keep` has put there, or the box's init.
        processes: if std::process::id() == 1 { Scope::Pod } else { Scope::Host },
    })
}

/// Whoever forbids it (systemd, old container engines) does so for arguments of its that a filter can't see.
fn check_openat2() -> Result<(), NodeError> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
    match rustix::fs::openat2(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(_) => Ok(()),
        Err(cause) => Err(NodeError::NoOpenat2 { cause: cause.into() }),
    }
}

/// The size of the filesystem that a folder is on, or will be, in bytes.
fn storage(folder: &Path) -> u64 {
    let found = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    found.map_or(0, |found| found.f_blocks.saturating_mul(found.f_frsize))
}

/// Before this process becomes several: leaves a cgroup that is to hold none but those of pods.
///
/// # Errors
/// Where it can't.
pub fn make_room(version: CgroupVersion, parent: &Path) -> Result<(), NodeError> {
    match version {
        CgroupVersion::V2 => Ok(Hierarchies::discover()?.step_aside(parent)?),
        CgroupVersion::V1 | CgroupVersion::None => Ok(()),
    }
}

/// What there is of cgroups for pods.
struct Usable {
    cgroups: CgroupVersion,
    /// The cgroup that pods are made in; empty: there is none.
    parent: PathBuf,
    /// Why there is none, or not the one that is delegated.
    obstacle: Option<CgroupObstacle>,
    limits_huge_pages: bool,
    limits_swap: bool,
}

/// Which cgroups pods of this process may have. An error for the box's root, where no hierarchy is mounted.
fn usable_cgroups(users: Option<&NamespaceIds>) -> Result<Usable, NodeError> {
    let none = |obstacle| Usable {
        cgroups: CgroupVersion::None,
        parent: PathBuf::new(),
        obstacle,
        limits_huge_pages: false,
        limits_swap: false,
    };
    let hierarchies = match Hierarchies::discover() {
        Ok(hierarchies) => hierarchies,
        Err(CgroupError::NoControllers) if users.is_some() => return Ok(none(Some(CgroupObstacle::NotWritable))),
        Err(error) => return Err(error.into()),
    };
    let rights = if users.is_some() { Rights::UserNamespace } else { Rights::Box };
    let (parent, obstacle) = hierarchies.usable_parent(rights)?;
    let Some(parent) = parent else { return Ok(none(obstacle)) };
    Ok(Usable {
        cgroups: hierarchies.version(),
        limits_huge_pages: hierarchies.limits_huge_pages(&parent)?,
        limits_swap: hierarchies.limits_swap(&parent)?,
        parent,
        obstacle,
    })
}

/// What the kernel says of AppArmor. A profile's line is `NAME (MODE)`, and a name may have blanks in it.
fn apparmor() -> Result<AppArmor, NodeError> {
    if !text_or_empty(Path::new("/sys/module/apparmor/parameters/enabled"))?.starts_with('Y') {
        return Ok(AppArmor::Off);
    }
    // An ordinary user may not read them: which are loaded isn't known then.
    let text = fs::read_to_string("/sys/kernel/security/apparmor/profiles").ok();
    let name = |line: &str| line.rsplit_once(" (").map_or(line, |(name, _)| name).to_owned();
    Ok(AppArmor::On { loaded: text.map(|text| text.lines().map(name).collect()) })
}

/// The cpus that pods below `parent` can run on.
///
/// # Errors
/// Where there is no cpuset controller.
pub fn cpus(parent: &Path) -> Result<(CpuSet, Vec<Cpu>), CgroupError> {
    let set = Hierarchies::discover()?.cpuset(parent)?;
    let id = |cpu: u32, name: &str| {
        let text = fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/{name}")).ok()?;
        text.trim().parse::<u32>().ok()
    };
    // Where the kernel doesn't know, each is a core of its own.
    let core = |cpu| (id(cpu, "physical_package_id").unwrap_or(0), id(cpu, "core_id").unwrap_or(cpu));
    let all = set.iter().map(|number| Cpu { number, core: core(number) }).collect();
    Ok((set, all))
}

/// `6.1.0-amd64` is 6.1. A release that says nothing is the oldest there can be.
fn kernel(release: &[u8]) -> KernelVersion {
    let text = String::from_utf8_lossy(release);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn meminfo(name: &'static str) -> Result<u64, NodeError> {
    let path = PathBuf::from("/proc/meminfo");
    let text = fs::read_to_string(&path).map_err(|cause| NodeError::Read { path: path.clone(), cause })?;
    parse_memory(&text, name).ok_or(NodeError::Missing { path, line: name })
}

fn parse_memory(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Page sizes and numbers of pages, those included that the kernel may make when they are wanted
/// (Documentation/admin-guide/mm/hugetlbpage.rst).
fn huge_pages(folder: &Path) -> Result<BTreeMap<Bytes, u64>, NodeError> {
    let failed = |cause| NodeError::Read { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut sizes = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let size =
            name.to_str().and_then(|name| name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok());
        let Some(size) = size else { continue };
        let mut all = 0;
        for file in ["nr_hugepages", "nr_overcommit_hugepages"] {
            all += text_or_empty(&entry.path().join(file))?.trim().parse::<u64>().unwrap_or(0);
        }
        sizes.insert(Bytes(size << 10), all);
    }
    Ok(sizes)
}

/// The box's addresses, the one that faces its default route first. None where the box has only its loopback, or whoever
/// started this process forbids to ask (a unit's `RestrictAddressFamilies=`): pods run all the same.
fn host_ips(all: nix::Result<InterfaceAddressIterator>) -> Result<Vec<String>, NodeError> {
    let all = match all {
        Err(Errno::EAFNOSUPPORT | Errno::EPERM | Errno::EACCES) => return Ok(Vec::new()),
        all => all.map_err(|errno| NodeError::Addresses { cause: errno.into() })?,
    };
    let mut found: Vec<IpAddr> = Vec::new();
    for interface in all {
        if !interface.flags.contains(InterfaceFlags::IFF_UP) || interface.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        let Some(address) = interface.address else { continue };
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) if !v6.ip().is_unicast_link_local() => IpAddr::V6(v6.ip()),
            _ => continue,
        };
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    let main = towards_default_route();
    found.sort_by_key(|ip| (Some(*ip) != main, ip.is_ipv6()));
    Ok(found.iter().map(ToString::to_string).collect())
}

/// Connecting a datagram socket sends nothing: it only asks the routing table. The address is from the
/// documentation range (RFC 5737), so it is reached by the default route wherever there is one.
fn towards_default_route() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The box's device nodes, as they are now (containerd's list).
pub fn devices() -> Vec<LinuxDevice> {
    let mut all = Vec::new();
    collect_devices(Path::new("/dev"), &mut all);
    all
}

fn collect_devices(folder: &Path, all: &mut Vec<LinuxDevice>) {
    /// Not the box's, but somebody's who uses it.
    const OTHERS: [&str; 8] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "hugepages"];
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, Ok(found)) = (entry.path(), entry.metadata()) else { continue };
        let kind = found.file_type();
        if kind.is_dir() && !OTHERS.iter().any(|name| entry.file_name() == *name) {
            collect_devices(&path, all);
            continue;
        }
        let typ = if kind.is_block_device() {
            LinuxDeviceType::B
        } else if kind.is_char_device() {
            LinuxDeviceType::C
        } else {
            continue;
        };
        let device = LinuxDeviceBuilder::default()
            .path(path)
            .typ(typ)
            .major(libc::major(found.rdev()))
            .minor(libc::minor(found.rdev()))
            .file_mode(found.mode() & 0o777)
            .uid(found.uid())
            .gid(found.gid())
            .build();
        all.push(device.expect("all that a device has was given"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(parse_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n", "MemTotal"), Some(16 << 20));
        assert_eq!(parse_memory("MemFree: 1 kB\n", "MemTotal"), None);
    }

    #[test]
    fn huge_pages_by_their_size() {
        let dir = tempfile::tempdir().unwrap();
        for (size, file, number) in [
            ("hugepages-2048kB", "nr_hugepages", "8\n"),
            ("hugepages-2048kB", "nr_overcommit_hugepages", "4\n"),
            ("hugepages-1048576kB", "nr_hugepages", "0\n"),
        ] {
            fs::create_dir_all(dir.path().join(size)).unwrap();
            fs::write(dir.path().join(size).join(file), number).unwrap();
        }
        assert_eq!(huge_pages(dir.path()).unwrap(), [(Bytes(2 << 20), 12), (Bytes(1 << 30), 0)].into());
        assert!(huge_pages(&dir.path().join("none")).unwrap().is_empty());
    }

    /// A box without addresses, and one that can't say at the moment, are two things.
    #[test]
    fn addresses_that_could_not_be_looked_up_are_an_error() {
        let error = host_ips(Err(Errno::EMFILE)).unwrap_err().to_string();
        assert!(error.starts_with("look up the box's addresses (getifaddrs): "), "{error}");
        assert!(host_ips(Err(Errno::EAFNOSUPPORT)).unwrap().is_empty());
        host_ips(getifaddrs()).unwrap();
    }

    #[test]
    fn kernel_versions() {
        for (text, expected) in [("6.1.0-18-amd64", (6, 1)), ("4.4.0", (4, 4)), ("5.15-rc1", (5, 15)), ("x", (0, 0))] {
            assert_eq!(kernel(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn this_box_has_facts() {
        let facts = facts(Path::new("/var/lib/not/made/yet")).unwrap();
        assert!(facts.storage > 0);
        assert!(facts.memory > 0 && facts.cpus > 0 && !facts.hostname.is_empty());
        assert!(facts.cgroup_parent.is_absolute());
    }
}
