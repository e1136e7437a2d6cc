//! What the kernel and the box's policy say of SELinux.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plan::{ContainerContexts, SeLinux};

/// `statfs` of selinuxfs (linux/magic.h).
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;
/// What every process is called before a policy is loaded.
const NO_POLICY: &str = "kernel";

/// As libselinux' is_selinux_enabled(3): its file system is mounted, and processes have contexts.
pub(super) fn facts() -> SeLinux {
    let mounted = rustix::fs::statfs("/sys/fs/selinux").is_ok_and(|found| found.f_type == SELINUX_MAGIC);
    let context = fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    let context = context.trim_end_matches(['\0', '\n']);
    if !mounted || context.is_empty() || context == NO_POLICY {
        return SeLinux::Off;
    }
    let contexts = policy().and_then(|folder| fs::read_to_string(folder.join("contexts/lxc_contexts")).ok());
    SeLinux::On { containers: contexts.as_deref().and_then(containers) }
}

/// Where the policy's files are: /etc/selinux/config names it.
fn policy() -> Option<PathBuf> {
    let config = fs::read_to_string("/etc/selinux/config").ok()?;
    let name = config.lines().find_map(|line| line.trim().strip_prefix("SELINUXTYPE="))?;
    Some(Path::new("/etc/selinux").join(name.trim().trim_matches('"')))
}

/// `process = "system_u:system_r:container_t:s0"`, and `file` (selinux_lxc_contexts_path(3)).
fn containers(text: &str) -> Option<ContainerContexts> {
    let value = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    Some(ContainerContexts { process: value("process")?, files: value("file")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_read_from_the_policys_file() {
        let text = "process = \"system_u:system_r:container_t:s0\"\n# file = \"x\"\nfile = \"system_u:object_r:container_file_t:s0\"\nro_file=\"y\"\n";
        let found = containers(text).expect("both are there");
        assert_eq!(found.process, "system_u:system_r:container_t:s0");
        assert_eq!(found.files, "system_u:object_r:container_file_t:s0");
        assert_eq!(containers("process = \"x\"\n"), None);
    }
}
