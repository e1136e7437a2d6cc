//! `run --exit-code-file`: who ended the run, for programs that must tell a container's 2 or 125 from barepod's.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::report::ending::Ending;
use crate::runtime::random;

const OPTION: &str = "--exit-code-file";

/// A file that is written once, when all is over.
pub struct ExitCodeFile {
    path: PathBuf,
    /// What it is called while it is being written: a name that no other run has, though that may have the same path.
    half: PathBuf,
}

impl ExitCodeFile {
    /// Before anything else. A file of an earlier run goes: whoever finds one has this run's.
    ///
    /// # Errors
    /// Where no such file could be written at the end.
    pub fn prepare(path: &Path) -> Result<Self, CliError> {
        // Relative to where we are now.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let fail = |source| CliError::ExitCodeFile { path: path.to_owned(), source };
        let file = Self { half: half(&absolute), path: absolute };
        match fs::metadata(&file.path) {
            Ok(found) if found.is_dir() => return Err(fail(io::ErrorKind::IsADirectory.into())),
            Ok(found) if found.is_file() => fs::remove_file(&file.path).map_err(fail)?,
            // A pipe or a device is written to as it is.
            Ok(_) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        // Whether there can be one is known now, not when the pod has run for hours.
        create(&file.half).and_then(|_| fs::remove_file(&file.half)).map_err(fail)?;
        Ok(file)
    }

    /// For a command line that can't be understood: what it names all the same, so that an earlier run's file isn't taken
    /// for this one's. `None`: it names none, or it isn't `run`.
    pub fn of_arguments(args: &[OsString]) -> Option<PathBuf> {
        let mut args = args.iter().skip(1).skip_while(|arg| *arg != "run").take_while(|arg| *arg != "--");
        while let Some(arg) = args.next() {
            if arg == OPTION {
                return args.next().filter(|path| !path.as_encoded_bytes().starts_with(b"-")).map(PathBuf::from);
            }
            let path = arg.to_str().and_then(|arg| arg.strip_prefix(OPTION)?.strip_prefix('='));
            if let Some(path) = path.filter(|path| !path.is_empty()) {
                return Some(path.into());
            }
        }
        None
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// As open(2), write(2) and rename(2).
    pub fn write(&self, ending: &Ending) -> io::Result<()> {
        let mut text = serde_json::to_string(ending)?;
        text.push('\n');
        if fs::metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            return OpenOptions::new().write(true).open(&self.path)?.write_all(text.as_bytes());
        }
        create(&self.half)?.write_all(text.as_bytes())?;
        fs::rename(&self.half, &self.path)
    }
}

/// Not by the process's id: the supervisor of each ordinary user's pod is the first of its own pid namespace.
fn half(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:08x}.tmp", random::number()));
    path.with_file_name(name)
}

fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_old_file_goes_and_a_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        fs::write(&path, "old").unwrap();
        let file = ExitCodeFile::prepare(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        file.write(&Ending::of_error(125, "why")).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"exitCode\":125,\"source\":\"barepod\",\"message\":\"why\"}\n"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// They may be pods of ordinary users, whose processes all have the same id.
    #[test]
    fn two_runs_with_one_path_write_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        let [one, other] = [(); 2].map(|()| ExitCodeFile::prepare(&path).unwrap());
        create(&one.half).unwrap();
        other.write(&Ending::of_error(125, "other")).unwrap();
        assert!(one.half.exists());
    }

    #[test]
    fn it_is_found_in_a_line_that_is_not_understood() {
        for (line, found) in [
            ("barepod run --exit-code-file /x --bogus p.yaml", Some("/x")),
            ("barepod --root /r run --exit-code-file=/x --bogus p.yaml", Some("/x")),
            ("barepod run --exit-code-file --bogus p.yaml", None),
            ("barepod run --exit-code-file", None),
            ("barepod run --exit-code-file= p.yaml", None),
            ("barepod run p.yaml -- --exit-code-file /x", None),
            ("barepod logs --exit-code-file /x", None),
        ] {
            let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(ExitCodeFile::of_arguments(&args).as_deref(), found.map(Path::new), "{line}");
        }
    }

    /// As root a rename would put a file in the place of /dev/null.
    #[test]
    fn a_device_stays_one() {
        let file = ExitCodeFile::prepare(Path::new("/dev/null")).unwrap();
        file.write(&Ending::of_error(2, "")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_place_that_can_not_be_is_known_at_once() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/such"), "/proc/exit".into()] {
            assert!(ExitCodeFile::prepare(&path).is_err(), "{}", path.display());
        }
    }
}
