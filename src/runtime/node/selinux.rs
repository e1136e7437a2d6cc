//! What the kernel and the box's policy say of SELinux.

use std::path::{Path, PathBuf};

use super::error::{NodeError, text_or_empty};
use crate::plan::{ContainerContexts, SeLinux};

/// `statfs` of selinuxfs (linux/magic.h).
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;
/// What every process is called before a policy is loaded.
const NO_POLICY: &str = "kernel";

/// As libselinux' is_selinux_enabled(3): its file system is mounted, and processes have contexts.
///
/// # Errors
/// Where SELinux is there and what it says can't be read.
pub(super) fn facts() -> Result<SeLinux, NodeError> {
    if !rustix::fs::statfs("/sys/fs/selinux").is_ok_and(|found| found.f_type == SELINUX_MAGIC) {
        return Ok(SeLinux::Off);
    }
    let context = text_or_empty(Path::new("/proc/self/attr/current"))?;
    let context = context.trim_end_matches(['\0', '\n']);
    if context.is_empty() || context == NO_POLICY {
        return Ok(SeLinux::Off);
    }
    let contexts = match policy()? {
        Some(folder) => text_or_empty(&folder.join("contexts/lxc_contexts"))?,
        None => String::new(),
    };
    Ok(SeLinux::On { containers: containers(&contexts) })
}

/// Where the policy's files are: /etc/selinux/config names it.
fn policy() -> Result<Option<PathBuf>, NodeError> {
    let config = text_or_empty(Path::new("/etc/selinux/config"))?;
    let name = config.lines().find_map(|line| line.trim().strip_prefix("SELINUXTYPE="));
    Ok(name.map(|name| Path::new("/etc/selinux").join(name.trim().trim_matches('"'))))
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
