//! The end of a test: what its pods have left is looked for, and after a failure removed.

use std::fs;
use std::process::Command;

use super::{Case, leftovers};

impl Case {
    /// Every pod of the test's, whatever it is called and below whatever root in the case's folder; and what runs of one whose
    /// state the test itself has taken away, which no command can find.
    fn remove_all(&self) {
        // A test that keeps files from being removed may have failed in the midst of that.
        let _ = Command::new("chattr").args(["-R", "-f", "-i"]).arg(self.dir()).output();
        self.remove_known();
        leftovers::end(self);
    }

    fn remove_known(&self) {
        let walk = walkdir::WalkDir::new(self.dir()).max_depth(4).into_iter();
        let within = walk.filter_entry(|entry| entry.path() != self.rootfs()).flatten();
        let folders = within.filter(|entry| entry.file_type().is_dir() && entry.file_name() == "pods");
        for folder in folders.map(walkdir::DirEntry::into_path).collect::<Vec<_>>() {
            let root = folder.parent().unwrap().display().to_string();
            let pods = fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = pods.filter_map(|entry| Some(entry.file_name().to_str()?.replacen('_', "/", 1)));
            for pod in names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>() {
                // Where that fails, what is left is the failure's to tell.
                let _ = self.command_within(&[], &["--root", &root], &["rm", "--force", &pod]).output();
            }
        }
    }
}

/// Every test ends with the search, whether it asks for it or not.
impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // For the one who reads the failure; then the machine is left as it was.
            eprintln!("trace of {}:\n  {}", self.name, self.trace().join("\n  "));
            // What each command of the test said.
            let entries = fs::read_dir(self.dir()).into_iter().flatten().flatten().map(|entry| entry.path());
            for file in entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt")) {
                let text = fs::read(&file).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).chars().take(4000).collect::<String>();
                eprintln!("{}:\n{text}", file.file_name().unwrap_or_default().display());
            }
            self.remove_all();
        } else {
            self.nothing_left();
        }
    }
}
