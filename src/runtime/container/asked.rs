//! What the kernel says of the type and the options of a new file system: asked by a context that nothing is made of
//! (fsopen(2)), before the pod is started and where a mount has failed. Only the kernel that runs knows what it takes.

use std::fs;
use std::os::fd::OwnedFd;

use oci_spec::runtime::Mount;
use rustix::io::Errno;
use rustix::mount::{FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsopen};

use super::options;
use crate::plan::{Rights, binds};

/// File systems in memory, whose options name nothing that may come to be there, and what people may ask of them; empty:
/// nothing.
const IN_MEMORY: [(&str, &str); 7] = [
    ("tmpfs", "size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=, huge=, mpol=, inode32, inode64 (tmpfs(5))"),
    ("ramfs", "mode="),
    ("proc", "hidepid=, gid=, subset=pid (proc(5))"),
    ("sysfs", ""),
    ("mqueue", ""),
    ("devpts", "newinstance, ptmxmode=, mode=, uid=, gid=, max="),
    ("hugetlbfs", "pagesize=, size=, min_size=, nr_inodes=, mode=, uid=, gid="),
];

/// What of a bundle's mounts this kernel will never take: the mount's place in the list, the field, why not. What it can't
/// be asked (rights, a system call filter) may be right.
#[must_use]
pub fn refused_mount(mounts: &[Mount], rights: Rights) -> Option<(usize, &'static str, String)> {
    let new = mounts.iter().enumerate().filter(|(_, mount)| !binds(mount));
    new.filter_map(|(at, mount)| refused(mount, rights).map(|(field, why)| (at, field, why))).next()
}

/// The same of one mount: the field, why not.
pub(super) fn refused(mount: &Mount, rights: Rights) -> Option<(&'static str, String)> {
    let kind = mount.typ().as_deref()?;
    // libcontainer makes them of what the box has.
    if matches!(kind, "cgroup" | "cgroup2") {
        return None;
    }
    let context = match fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC) {
        Err(Errno::NODEV) if is_unknown(kind) => return Some(("type", unknown(kind))),
        Err(_) => return None,
        Ok(context) => context,
    };
    let (_, known) = IN_MEMORY.iter().find(|(name, _)| *name == kind)?;
    // Its owners are other numbers where the container has users of its own.
    let is_owner = |option: &String| option.starts_with("uid=") || option.starts_with("gid=");
    let all = options::of_file_system(mount).ok()?;
    let asked = all.iter().filter(|option| !option.is_empty() && (rights == Rights::Box || !is_owner(option)));
    asked.filter_map(|option| refused_option(&context, option, kind, known)).next().map(|why| ("options", why))
}

fn refused_option(context: &OwnedFd, option: &str, kind: &str, known: &str) -> Option<String> {
    let set = match option.split_once('=') {
        Some((name, value)) => fsconfig_set_string(context, name, value),
        None => fsconfig_set_flag(context, option),
    };
    match set {
        Err(Errno::INVAL) => Some(in_words(option, kind, known, &said(context).unwrap_or_default())),
        // Not a word on the option: it has to be tried.
        _ => None,
    }
}

fn in_words(option: &str, kind: &str, known: &str, said: &str) -> String {
    let has = if known.is_empty() { String::new() } else { format!(", but {known}") };
    if said.contains("Unknown parameter") {
        return format!("{option:?}: {kind} has no such option{has}; what every mount has is in docs/oci.md");
    }
    let told = said.strip_prefix(kind).map_or(said, |rest| rest.trim_start_matches(':').trim());
    let told = if told.is_empty() { String::new() } else { format!(" (the kernel says: {told})") };
    format!("{option:?}: {kind} takes no such value{told}")
}

/// Why a new file system couldn't be made, with what the kernel has to say beyond its number.
pub(super) fn with_kernels_reason(mount: &Mount, cause: String) -> String {
    let kind = mount.typ().as_deref().unwrap_or_default();
    if is_unknown(kind) {
        return unknown(kind);
    }
    if let Some(("options", why)) = refused(mount, Rights::Box) {
        return format!("options: {why}");
    }
    match kernels_reason(mount) {
        Some(reason) => format!("{cause}; the kernel says: {reason}"),
        None => cause,
    }
}

fn unknown(kind: &str) -> String {
    format!("unknown file system type {kind:?}; this kernel has those of /proc/filesystems, and of its modules")
}

/// Whether the kernel doesn't know it, also not after the attempt to open it (which loads the file system's module, if
/// there is one). libcontainer makes "cgroup" what the box has.
fn is_unknown(kind: &str) -> bool {
    let Ok(known) = fs::read_to_string("/proc/filesystems") else { return false };
    kind != "cgroup" && !known.lines().any(|line| line.rsplit('\t').next() == Some(kind))
}

/// What the kernel has to say of a mount's making: asked once more, as libcontainer doesn't read it (fsopen(2)).
fn kernels_reason(mount: &Mount) -> Option<String> {
    let context = fsopen(mount.typ().as_deref()?, FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    let source = mount.source().as_ref()?.to_str()?;
    let _ = configure(&context, source, &options::of_file_system(mount).ok()?);
    said(&context)
}

/// Makes the file system of this source and these options, as of mount(8).
pub(super) fn configure(context: &OwnedFd, source: &str, options: &[String]) -> rustix::io::Result<()> {
    fsconfig_set_string(context, "source", source)?;
    for option in options.iter().filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some((name, value)) => fsconfig_set_string(context, name, value)?,
            None => fsconfig_set_flag(context, option.as_str())?,
        }
    }
    fsconfig_create(context)
}

/// The next message in a context's log.
fn said(context: &OwnedFd) -> Option<String> {
    let mut text = [0; 1024];
    let length = rustix::io::read(context, &mut text).ok()?;
    let line = String::from_utf8_lossy(&text[..length]).trim().to_owned();
    // "e tmpfs: Unknown parameter 'x'": the letter is how bad it is.
    Some(line.split_once(' ').map_or(line.clone(), |(_, words)| words.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Without root the kernel can't be asked, and nothing is refused.
    #[test]
    fn the_kernel_knows_its_options() {
        let is_root = rustix::process::geteuid().is_root();
        for (kind, options, told) in [
            ("tmpfs", vec!["size=1m", "mode=1777", "ro", "nosuid", "sync", "rprivate"], None),
            ("tmpfs", vec!["bogus"], Some("options \"bogus\": tmpfs has no such option, but size=, ")),
            ("tmpfs", vec!["bogus=1"], Some("options \"bogus=1\": tmpfs has no such option, but size=, ")),
            ("tmpfs", vec!["size=lots"], Some("options \"size=lots\": tmpfs takes no such value")),
            ("proc", vec!["hidepid=2"], None),
            ("sysfs", vec!["size=1"], Some("options \"size=1\": sysfs has no such option; what every mount has")),
            ("nosuchfs", vec!["size=1"], Some("type unknown file system type \"nosuchfs\"")),
            ("cgroup", vec!["ro"], None),
            ("bind", vec!["ro"], None),
        ] {
            let mount = json!({"destination": "/x", "type": kind, "source": "x", "options": options});
            let mounts: Vec<Mount> =
                serde_json::from_value(json!([{"destination": "/y", "type": "tmpfs"}, mount])).unwrap();
            let found = refused_mount(&mounts, Rights::Box).map(|(at, field, why)| (at, format!("{field} {why}")));
            match told.filter(|_| is_root) {
                None => assert_eq!(found, None, "{kind} {options:?}"),
                Some(told) => {
                    let (at, found) = found.unwrap();
                    assert_eq!(at, 1);
                    assert!(found.starts_with(told), "{kind} {options:?}: {found}");
                }
            }
        }
    }
}
