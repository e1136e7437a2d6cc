//! What a mount's options mean (runtime-spec, config.md, "Linux mount options"), where this helper makes the mount or its
//! file system. libcontainer reads most of them; those that it leaves out in silence or doesn't know are read here.

use libcontainer::rootfs::utils::parse_mount;
use oci_spec::runtime::Mount;

/// Flags of a new file system, and what takes each back: fsconfig(2) has them by name, libcontainer gives it none.
const OF_FILE_SYSTEMS: [(&str, &str); 4] =
    [("sync", "async"), ("dirsync", ""), ("mand", "nomand"), ("lazytime", "nolazytime")];

/// About messages of the kernel, or what a file system has anyway (ext4, xfs, btrfs) or has no use for.
const WITHOUT_MEANING: [&str; 4] = ["silent", "loud", "iversion", "noiversion"];

/// Attributes of a mount that libcontainer reads as options of a file system.
const FOLLOW: (&str, &str) = ("nosymfollow", "symfollow");

/// Whether a bind mount has an option that libcontainer would leave out.
pub(super) fn is_beyond_libcontainer(mount: &Mount) -> bool {
    mount.options().iter().flatten().any(|option| option == FOLLOW.0 || option == FOLLOW.1)
}

/// What libcontainer's reading of a mount's options is right about: flags of the mount, and of all below it.
pub(super) fn read(mount: &Mount) -> Result<libcontainer::rootfs::utils::MountOptionConfig, String> {
    let ours = |option: &String| {
        let pairs = OF_FILE_SYSTEMS.into_iter().chain([FOLLOW]);
        WITHOUT_MEANING.contains(&option.as_str()) || pairs.into_iter().any(|(on, off)| option == on || option == off)
    };
    let mut rest = mount.clone();
    rest.options_mut().iter_mut().for_each(|options| options.retain(|option| !ours(option)));
    parse_mount(&rest).map_err(|error| error.to_string())
}

/// Whether links on the mount are not to be followed.
pub(super) fn follows_no_links(mount: &Mount) -> bool {
    is_on(mount, FOLLOW)
}

/// What a new file system is to be made with: flags by name and options of its own.
pub(super) fn of_file_system(mount: &Mount) -> Result<Vec<String>, String> {
    let mut all = read(mount)?.data;
    all.extend(OF_FILE_SYSTEMS.iter().filter(|pair| is_on(mount, **pair)).map(|(name, _)| (*name).to_owned()));
    // A disk that can only be read, and the log of one that must not be changed. In memory a mount's own flag does.
    let in_memory = matches!(mount.typ().as_deref(), Some("tmpfs" | "ramfs" | "mqueue" | "overlay"));
    if !in_memory && is_on(mount, ("ro", "rw")) {
        all.push("ro".to_owned());
    }
    Ok(all)
}

/// Which of two that take each other back comes last.
fn is_on(mount: &Mount, (on, off): (&str, &str)) -> bool {
    let mut all = mount.options().iter().flatten().rev();
    all.find(|option| *option == on || (!off.is_empty() && *option == off)).is_some_and(|last| last == on)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Each option of the runtime-spec's table that a new file system may have.
    #[test]
    fn what_a_file_system_is_made_with() {
        for (kind, options, made_with) in [
            ("tmpfs", "sync,dirsync,mand,lazytime", "sync,dirsync,mand,lazytime"),
            ("tmpfs", "sync,async,mand,nomand,lazytime,nolazytime", ""),
            ("tmpfs", "async,sync", "sync"),
            ("tmpfs", "silent,loud,iversion,noiversion,size=1m,nosymfollow,symfollow", "size=1m"),
            ("tmpfs", "ro,nosuid,rnosuid,relatime,rro,private", ""),
            ("tmpfs", "tmpcopyup", "tmpcopyup"),
            ("ext4", "ro,data=journal", "data=journal,ro"),
            ("ext4", "ro,rw", ""),
        ] {
            let options: Vec<&str> = options.split(',').collect();
            let mount = serde_json::json!({"destination": "/x", "type": kind, "source": "x", "options": options});
            let mount: Mount = serde_json::from_value(mount).unwrap();
            assert_eq!(of_file_system(&mount).unwrap().join(","), made_with, "{options:?}");
        }
    }

    #[test]
    fn the_last_word_on_links_counts() {
        for (options, no_links) in
            [(vec!["nosymfollow"], true), (vec!["nosymfollow", "symfollow"], false), (vec!["bind"], false)]
        {
            let mount = serde_json::json!({"destination": "/x", "type": "bind", "source": "/x", "options": options});
            let mount: Mount = serde_json::from_value(mount).unwrap();
            assert_eq!(follows_no_links(&mount), no_links, "{options:?}");
            assert_eq!(is_beyond_libcontainer(&mount), options[0] == "nosymfollow", "{options:?}");
        }
    }
}
