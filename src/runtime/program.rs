//! Executing a program inside a container, as its init and as an exec: where it is looked for, and why it can't be run.

use std::ffi::{CString, NulError};
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where programs are looked for when a process has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is at a program's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Found {
    Nothing,
    Folder,
    File,
}

/// Why a program wasn't executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No folder of `PATH` has it.
    NotInPath {
        /// `args[0]`
        program: String,
    },
    /// The kernel refused.
    Refused {
        /// Its path in the container.
        program: String,
        /// execve's errno.
        errno: i32,
        /// What is at that path.
        found: Found,
    },
}

impl Refusal {
    /// Whether there is nothing at the program's path; else there is something that can't be executed.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::NotInPath { .. } => true,
            Self::Refused { found, .. } => *found == Found::Nothing,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (program, errno, found) = match self {
            Self::NotInPath { program } => return write!(f, "{program}: executable file not found in $PATH"),
            Self::Refused { program, errno, found } => (program, *errno, found),
        };
        write!(f, "{program}: {} (execve)", words(errno))?;
        f.write_str(match (errno, found) {
            (libc::EACCES, Found::Folder) => "; it is a directory",
            (libc::EACCES, Found::File) => "; the file in the container is not executable",
            (libc::ENOENT, Found::Nothing) => "; the container has no such file",
            (libc::ENOENT, Found::File) => {
                "; the container lacks its interpreter: what its #! line names, or the dynamic loader"
            }
            (libc::E2BIG, _) => {
                "; a variable or argument has more than 128 KiB, or all together have more than a quarter of the stack's limit"
            }
            (libc::ENOEXEC, _) => "; it is neither a program for this machine nor a script with a #! line",
            _ => "",
        })
    }
}

/// Makes a folder this process' working directory. EPERM also for one that can't be named from the root of this process: it is
/// outside (CVE-2024-21626), and the kernel says `(unreachable)` then.
pub(crate) fn enter(directory: &Path) -> rustix::io::Result<()> {
    rustix::process::chdir(directory)?;
    match rustix::process::getcwd(Vec::new()) {
        Ok(path) if path.as_bytes().first() == Some(&b'/') => Ok(()),
        _ => Err(rustix::io::Errno::PERM),
    }
}

/// An errno in the style of the messages: lower case, no number.
pub(crate) fn words(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What is executed, ready for the kernel: [`Self::execute`] does nothing that a seccomp filter might forbid before the
/// execve itself.
pub(crate) struct Program {
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// Where it may be, in this order.
    candidates: Vec<String>,
}

impl Program {
    /// `environment`: `NAME=value`, of which the last PATH counts. Fails where there is a NUL byte in a text.
    pub(crate) fn new(arguments: &[String], environment: &[String]) -> Result<Self, NulError> {
        let texts =
            |list: &[String]| list.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<Vec<_>, _>>();
        let name = arguments.first().cloned().unwrap_or_default();
        let path = environment.iter().rev().find_map(|variable| variable.strip_prefix("PATH="));
        let candidates = if name.contains('/') {
            vec![name.clone()]
        } else {
            let folders = path.unwrap_or(DEFAULT_PATH).split(':');
            folders
                .map(|folder| if folder.is_empty() { format!("./{name}") } else { format!("{folder}/{name}") })
                .collect()
        };
        Ok(Self { arguments: texts(arguments)?, environment: texts(environment)?, candidates, name })
    }

    /// As execvpe(3), but for text files without a #! line, which are an error. Returns only when it fails.
    pub(crate) fn execute(self) -> Refusal {
        let mut best = Refusal::NotInPath { program: self.name.clone() };
        if self.name.is_empty() {
            return best;
        }
        for path in &self.candidates {
            match self.try_one(path) {
                Refusal::Refused { errno: libc::ENOENT | libc::ENOTDIR, found: Found::Nothing, .. }
                    if !self.name.contains('/') => {}
                // Like a shell: something unusable is remembered, the search goes on.
                refused @ Refusal::Refused { errno: libc::EACCES, .. } => best = refused,
                refused => return refused,
            }
        }
        best
    }

    fn try_one(&self, path: &str) -> Refusal {
        let errno = match CString::new(path) {
            Err(_) => libc::EINVAL,
            Ok(c_path) => match nix::unistd::execve(&c_path, &self.arguments, &self.environment) {
                Err(errno) => errno as i32,
                Ok(never) => match never {},
            },
        };
        let found = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Found::Folder,
            Ok(_) => Found::File,
            Err(_) => Found::Nothing,
        };
        Refusal::Refused { program: path.to_owned(), errno, found }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let refused = |errno, found| Refusal::Refused { program: "/srv/app".into(), errno, found };
        let cases = [
            (
                refused(libc::EACCES, Found::File),
                "/srv/app: permission denied (execve); the file in the container is not executable",
            ),
            (refused(libc::EACCES, Found::Folder), "/srv/app: permission denied (execve); it is a directory"),
            (
                refused(libc::ENOENT, Found::Nothing),
                "/srv/app: no such file or directory (execve); the container has no such file",
            ),
            (Refusal::NotInPath { program: "app".into() }, "app: executable file not found in $PATH"),
        ];
        for (refusal, text) in cases {
            assert_eq!(refusal.to_string(), text);
        }
    }

    /// execvp(3): the last PATH, an empty part is the working directory, a slash means no search.
    #[test]
    fn where_a_program_is_looked_for() {
        let cases = [
            ("app", vec!["PATH=/a", "PATH=/b::/c"], vec!["/b/app", "./app", "/c/app"]),
            ("./app", vec!["PATH=/a"], vec!["./app"]),
            ("app", vec!["PATHS=/a"], DEFAULT_PATH.split(':').collect::<Vec<_>>()),
        ];
        for (name, environment, expected) in cases {
            let environment: Vec<String> = environment.into_iter().map(str::to_owned).collect();
            let program = Program::new(&[name.to_owned()], &environment).unwrap();
            let same = program.candidates.iter().zip(&expected).all(|(found, wanted)| found.starts_with(wanted));
            assert!(same && program.candidates.len() == expected.len(), "{name}: {:?}", program.candidates);
        }
    }
}
