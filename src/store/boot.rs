//! Which boot of the box this is, and which pid namespace: pids and start times mean something within one of each only.

use std::sync::OnceLock;

/// `/proc/sys/kernel/random/boot_id` (random(4)); empty where it can't be read.
pub fn current() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        text.trim().to_owned()
    })
}

/// This process's pid namespace, as the kernel names it (namespaces(7)); empty where that can't be read.
pub fn pid_namespace() -> &'static str {
    static NAMESPACE: OnceLock<String> = OnceLock::new();
    NAMESPACE.get_or_init(|| {
        let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        link.display().to_string()
    })
}
