//! Ends what a test has started in the background where the test itself was killed: its own end (`end`) doesn't run then.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the word that all is well, or for the end of who would say it; then removes each pod below the folder, and the
/// folder itself where that worked.
const SCRIPT: &str = r#"
read -r word
[ "$word" != well ] || exit 0
left=0
for pods in $(find "$1" -maxdepth 4 -name rootfs -prune -o -type d -name pods -print); do
  for pod in "$pods"/*_*; do
    [ -d "$pod" ] || continue
    name=${pod##*/}
    "$2" --root "${pods%/pods}" rm --force "${name%%_*}/${name#*_}" || left=1
  done
done
[ "$left" != 0 ] || rm -rf "$1"
"#;

/// A process that outlives the test's.
pub struct Guard(Child);

impl Guard {
    /// Of a folder whose pods have their `pods` at most four levels below it.
    pub fn of(dir: &Path, binary: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard"]).arg(dir).arg(binary).current_dir("/");
        // Whoever ends a test ends its process group, and who reads what it says waits for all who could say more.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Does what it does where the test is killed, to its end.
    pub fn alarm(&mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            let _ = stdin.write_all(b"well\n");
            drop(stdin);
            let _ = self.0.wait();
        }
    }
}
