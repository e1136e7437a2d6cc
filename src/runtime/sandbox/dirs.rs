//! Where a pod's things are on the box.

use std::path::PathBuf;

/// Where a pod's things are on the box.
#[derive(Clone, Debug)]
pub struct SandboxDirs {
    /// `<root>/pods/<namespace>_<name>`: small files.
    pub state: PathBuf,
    /// On a disk: emptyDirs and upper layers.
    pub data: PathBuf,
}

impl SandboxDirs {
    /// All that goes when the pod has ended: attempts, the sandbox's files, volumes, upper layers.
    pub fn to_sweep(&self) -> [PathBuf; 4] {
        [
            self.state.join("containers"),
            self.state.join("sandbox"),
            self.data.join("containers"),
            self.data.join("volumes"),
        ]
    }
}
