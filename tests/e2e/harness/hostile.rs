//! For attacks: something of the host's that is worth taking, and pods that run or are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::{Case, Run, wait};

/// A folder of the host's that nobody in a container may see or change.
pub fn treasure(case: &Case) -> PathBuf {
    let folder = case.dir().join("treasure");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(folder.join("gold"), "gold\n").unwrap();
    folder
}

/// Nobody has.
#[track_caller]
pub fn untouched(treasure: &Path) {
    let names: Vec<_> = fs::read_dir(treasure).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["gold"]);
    assert_eq!(fs::read_to_string(treasure.join("gold")).unwrap(), "gold\n");
}

/// Waits until the pod is over or its main container is refused, and ends it.
pub fn over(case: &Case, run: &mut Run<'_>) {
    wait("an end or a refusal", || {
        let reason = case.container("main")["state"]["waiting"]["reason"].as_str().unwrap_or_default().to_owned();
        run.has_ended()
            || ["CreateContainerError", "CreateContainerConfigError", "RunContainerError"].contains(&reason.as_str())
    });
    if !run.has_ended() {
        run.signal(Signal::TERM);
    }
    assert_ne!(run.end(), 2, "an attack on a manifest that is refused is none: {}", run.stderr());
}
