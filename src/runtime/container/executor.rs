//! The last step inside the container: finds the program and executes it. Exists because libcontainer's own executor
//! checks the program while the container is created and loses the reason; ours says through a pipe that closes on
//! exec exactly when the program runs, or why it doesn't.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};

use super::failure::StartFailure;
use crate::runtime::program::{Found, Program, Refusal};

/// What comes first through the pipe: everything before the execve went well.
pub(super) const ABOUT_TO_EXEC: u8 = b'x';

/// Executes the container's program; `pipe` is open in this process and closes on exec.
#[derive(Clone)]
pub(super) struct LastStep {
    pub(super) pipe: RawFd,
}

impl Executor for LastStep {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        // A program that can't run is a failed start, not a failed creation (StartError).
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        // SAFETY: the helper opened it, left it open for us by design, and nobody else in this process uses it.
        let mut pipe = unsafe { File::from_raw_fd(self.pipe) };
        let _ = pipe.write_all(&[ABOUT_TO_EXEC]);
        let arguments = spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
        // libcontainer has made the process' variables this process' own. Those that aren't text are none of the config's.
        let environment: Vec<String> = std::env::vars_os()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.to_str()?)))
            .collect();
        let name = arguments.first().cloned().unwrap_or_default();
        let refusal = match Program::new(&arguments, &environment) {
            Ok(program) => program.execute(),
            Err(_) => Refusal::Refused { program: name, errno: libc::EINVAL, found: Found::Nothing },
        };
        let failure = StartFailure::Program(refusal);
        let text = serde_json::to_vec(&failure).unwrap_or_default();
        let _ = pipe.write_all(&text);
        Err(ExecutorError::Other(failure.to_string()))
    }
}
