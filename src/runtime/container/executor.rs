//! The last step inside the container: finds the program and executes it. Exists because libcontainer's own executor
//! checks the program while the container is created and loses the reason; ours says through a pipe that closes on
//! exec exactly when the program runs, or why it doesn't.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};

use libcontainer::oci_spec::runtime::{LinuxCapabilities, Spec};
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};

use super::failure::{Found, StartFailure};
use crate::runtime::capabilities::Sets;
use crate::runtime::seccomp;

/// What comes first through the pipe: everything before the execve went well.
pub(super) const ABOUT_TO_EXEC: u8 = b'x';

/// Executes the container's program; `pipe` is open in this process and closes on exec.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) pipe: RawFd,
    pub(super) confinement: Option<Confinement>,
}

/// The seccomp filter, and what must be done around it. Put on here rather than by libcontainer, which compiles it anew
/// for each container (20 ms), and would go on under it for a while, so that a profile had to allow what it needs.
#[derive(Clone)]
pub(super) struct Confinement {
    pub(super) filter: seccomp::Program,
    /// The container's capabilities, where libcontainer has left them all: without no_new_privs it takes
    /// CAP_SYS_ADMIN to put a filter on.
    pub(super) capabilities: Option<LinuxCapabilities>,
    pub(super) moment: Moment,
}

/// When the filter is put on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Right before the execve.
    Exec,
    /// As soon as the container is made: startContainer hooks run in it and are held by it as well.
    Hooks,
}

impl Confinement {
    fn apply(&self) -> Result<(), String> {
        let Some(capabilities) = &self.capabilities else { return self.filter() };
        let sets = Sets::new(Some(capabilities)).map_err(|error| error.to_string())?;
        sets.drop_bounding().map_err(|error| error.to_string())?;
        self.filter()?;
        sets.apply().map_err(|error| error.to_string())
    }

    fn filter(&self) -> Result<(), String> {
        self.filter.apply().map_err(|cause| format!("seccomp: {cause}"))
    }
}

impl Executor for Program {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        // A program that can't run is a failed start, not a failed creation (StartError).
        match &self.confinement {
            Some(confinement) if confinement.moment == Moment::Hooks => {
                confinement.apply().map_err(ExecutorValidationError::ArgValidationError)
            }
            _ => Ok(()),
        }
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        // SAFETY: the helper opened it, left it open for us by design, and nobody else in this process uses it.
        let mut pipe = unsafe { File::from_raw_fd(self.pipe) };
        if let Some(confinement) = &self.confinement
            && confinement.moment == Moment::Exec
        {
            confinement.apply().map_err(ExecutorError::Other)?;
        }
        let _ = pipe.write_all(&[ABOUT_TO_EXEC]);
        let arguments = spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
        let failure = execute(&arguments);
        let text = serde_json::to_vec(&failure).unwrap_or_default();
        let _ = pipe.write_all(&text);
        Err(ExecutorError::Other(failure.to_string()))
    }
}

/// Returns only when it fails. As execvp(3), but for text files without a #! line, which are an error.
fn execute(arguments: &[String]) -> StartFailure {
    let program = arguments.first().cloned().unwrap_or_default();
    let c_arguments: Vec<CString> = arguments.iter().filter_map(|text| CString::new(text.as_bytes()).ok()).collect();
    if program.contains('/') {
        return try_one(&program, &c_arguments);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut best = StartFailure::NotInPath { program: program.clone() };
    for folder in path.split(':') {
        let folder = if folder.is_empty() { "." } else { folder };
        match try_one(&format!("{folder}/{program}"), &c_arguments) {
            StartFailure::Refused { errno: libc::ENOENT | libc::ENOTDIR, found: Found::Nothing, .. } => {}
            // Like a shell: something unusable is remembered, the search goes on.
            refused @ StartFailure::Refused { errno: libc::EACCES, .. } => best = refused,
            refused => return refused,
        }
    }
    best
}

fn try_one(path: &str, arguments: &[CString]) -> StartFailure {
    let refused = |errno| {
        let found = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Found::Folder,
            Ok(_) => Found::File,
            Err(_) => Found::Nothing,
        };
        StartFailure::Refused { program: path.to_owned(), errno, found }
    };
    let Ok(c_path) = CString::new(path) else { return refused(libc::EINVAL) };
    match nix::unistd::execv(&c_path, arguments) {
        Err(errno) => refused(errno as i32),
        Ok(never) => match never {},
    }
}
