//! The last steps inside the container. At its creation's end: its working directory, its AppArmor profile. At its start: what
//! confines it, its startContainer hooks, its program. Exists because libcontainer's own executor checks the program while the
//! container is created and loses the reason; ours says through a pipe that closes on exec exactly when the program runs, or
//! why it doesn't.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use libcontainer::oci_spec::runtime::{LinuxCapabilities, Spec};
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::{SigHandler, Signal};

use super::causes::Causes;
use super::early_hooks::StartHooks;
use super::failure::{Failure, Stage, StartFailure};
use crate::runtime::capabilities::Sets;
use crate::runtime::program::{self, Found, Program, Refusal};
use crate::runtime::{keyring, lsm, seccomp};

/// What comes first through the pipe: everything before the execve went well.
pub(super) const ABOUT_TO_EXEC: u8 = b'x';

/// Executes the container's program; `pipe` is open in this process and closes on exec.
#[derive(Clone)]
pub(super) struct LastStep {
    pub(super) pipe: RawFd,
    pub(super) confinement: Confinement,
    pub(super) hooks: StartHooks,
    /// See [`lsm::attributes`]; where there is an SELinux label or an AppArmor profile to be chosen.
    pub(super) attributes: Option<Arc<OwnedFd>>,
    pub(super) end_of_creation: EndOfCreation,
    pub(super) causes: Causes,
}

/// The creation's last step: into the working directory, and under which AppArmor profile the program will be executed.
/// libcontainer could do both, and would not say which of them the kernel refused, and why.
#[derive(Clone)]
pub(super) struct EndOfCreation {
    cwd: PathBuf,
    profile: Option<String>,
}

impl EndOfCreation {
    /// Takes them out of the config, by which libcontainer leaves them alone.
    pub(super) fn take(spec: &mut Spec) -> Self {
        let Some(process) = spec.process_mut() else { return Self { cwd: PathBuf::from("/"), profile: None } };
        let step = Self { cwd: process.cwd().clone(), profile: process.apparmor_profile().clone() };
        process.set_cwd(PathBuf::from("/")).set_apparmor_profile(None);
        step
    }

    /// As the container's user, with all rights that the container's init still has.
    fn carry_out(&self, attributes: Option<&OwnedFd>) -> Result<(), Failure> {
        let Self { cwd, profile } = self;
        program::enter(cwd)
            .map_err(|cause| Failure::io(Stage::Oci, format!("process.cwd {}", cwd.display()), cause))?;
        let (Some(profile), Some(attributes)) = (profile, attributes) else { return Ok(()) };
        lsm::choose_profile(attributes, profile).map_err(|cause| {
            let mut failure = Failure::io(Stage::Oci, format!("process.apparmorProfile: {profile:?}"), cause);
            failure.cause.push_str("; has this kernel AppArmor, and the profile been loaded (apparmor_parser)?");
            failure
        })
    }
}

/// The seccomp filter and the capabilities. The filter is put on here rather than by libcontainer, which compiles it anew
/// for each container (20 ms), and would go on under it for a while, so that a profile had to allow what it needs. The
/// capabilities are set here because without no_new_privs it takes CAP_SYS_ADMIN to put a filter on, and because
/// libcontainer gives up the permitted ones first, after which the kernel refuses inheritable ones that aren't among them.
#[derive(Clone)]
pub(super) struct Confinement {
    pub(super) filter: Option<seccomp::Program>,
    pub(super) capabilities: LinuxCapabilities,
}

impl Confinement {
    fn apply(&self) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("process.capabilities: {error}");
        let sets = Sets::new(Some(&self.capabilities)).map_err(|error| failed(&error))?;
        sets.drop_bounding().map_err(|error| failed(&error))?;
        self.filter()?;
        sets.apply().map_err(|error| failed(&error))
    }

    fn filter(&self) -> Result<(), String> {
        let Some(filter) = &self.filter else { return Ok(()) };
        filter.apply().map_err(|cause| format!("seccomp: {cause}"))
    }
}

impl LastStep {
    /// The label first: writing it is more than a filter may allow.
    fn confine(&self, spec: &Spec) -> Result<(), String> {
        let label = spec.process().as_ref().and_then(|process| process.selinux_label().as_ref());
        if let (Some(attributes), Some(label)) = (&self.attributes, label) {
            lsm::choose_label(attributes, label).map_err(|cause| format!("SELinux label {label}: {cause}"))?;
        }
        self.leave_keyring(spec)?;
        self.confinement.apply()
    }

    /// The startContainer hooks are held by the same as the program.
    fn confine_and_run_hooks(&self, spec: &Spec, environment: &[String]) -> Result<(), StartFailure> {
        let prepared = self.hooks.prepare().map_err(|cause| StartFailure::Hook { cause })?;
        self.confine(spec).map_err(|cause| StartFailure::Died { cause })?;
        self.hooks.run(prepared, environment).map_err(|cause| StartFailure::Hook { cause })
    }

    /// Before the filter, which forbids it, and before all that runs in the container.
    fn leave_keyring(&self, spec: &Spec) -> Result<(), String> {
        let label = spec.process().as_ref().and_then(|process| process.selinux_label().as_deref());
        keyring::leave(self.attributes.as_deref().zip(label)).map_err(|cause| format!("session keyring: {cause}"))
    }
}

impl Executor for LastStep {
    /// The creation's last step. A program that can't run is a failed start, not a failed creation (StartError).
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        self.end_of_creation.carry_out(self.attributes.as_deref()).map_err(|failure| {
            self.causes.tell(&failure);
            ExecutorValidationError::ArgValidationError(failure.to_string())
        })
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        // SAFETY: the helper opened it, left it open for us by design, and nobody else in this process uses it.
        let mut pipe = unsafe { File::from_raw_fd(self.pipe) };
        pipes_without_readers(SigHandler::SigDfl);
        let arguments = spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
        // libcontainer has made the process' variables this process' own. Those that aren't text are none of the config's.
        let environment: Vec<String> = std::env::vars_os()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.to_str()?)))
            .collect();
        let name = arguments.first().cloned().unwrap_or_default();
        let program = Program::new(&arguments, &environment);
        if let Err(failure) = self.confine_and_run_hooks(spec, &environment) {
            return Err(give_up(&mut pipe, &[ABOUT_TO_EXEC], &failure));
        }
        let _ = pipe.write_all(&[ABOUT_TO_EXEC]);
        let refusal = match program {
            Ok(program) => program.execute(),
            Err(_) => Refusal::Refused { program: name, errno: libc::EINVAL, found: Found::Nothing },
        };
        Err(give_up(&mut pipe, &[], &StartFailure::Program(refusal)))
    }
}

/// What SIGPIPE does: those that an execve keeps are kept by a container's init as well.
pub(super) fn pipes_without_readers(handler: SigHandler) {
    // SAFETY: neither of the two that are given is a function of ours, which would have to be safe in a handler.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGPIPE, handler) };
}

/// Tells the supervisor why, behind what it has been told.
fn give_up(pipe: &mut File, first: &[u8], failure: &StartFailure) -> ExecutorError {
    let text = serde_json::to_vec(failure).unwrap_or_default();
    let _ = pipe.write_all(&[first, &text].concat());
    ExecutorError::Other(failure.to_string())
}
