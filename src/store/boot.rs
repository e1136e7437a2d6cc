//! Which boot of the box this is: pids and start times mean something within one boot only.

use std::sync::OnceLock;

/// `/proc/sys/kernel/random/boot_id` (random(4)); empty where it can't be read.
pub fn current() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        text.trim().to_owned()
    })
}
