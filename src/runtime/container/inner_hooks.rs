//! The hooks of a bundle that run in the container's namespaces: createContainer and startContainer (runtime-spec 1.2,
//! config.md, "POSIX-platform Hooks"). libcontainer would give both the state of a container without a process that is
//! still being created. So the container's init runs the startContainer hooks itself, just before its program; and
//! before each createContainer hook libcontainer runs this binary, which completes the state and becomes the hook.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oci_spec::runtime::{ContainerState, Hook, Spec, State};

use super::hook::{self, Surroundings};

/// The `argv[0]` of what completes the state for a createContainer hook.
pub(super) const NAME: &str = "barepod:create-hook";

/// What a shell exits with where it can't execute a program, and where there is none.
pub(super) const NOT_EXECUTED: [i32; 2] = [126, 127];

/// The startContainer hooks, and what they are told.
#[derive(Clone)]
pub(super) struct StartHooks {
    hooks: Vec<Hook>,
    state: State,
}

impl StartHooks {
    /// Takes them out of the config, by which libcontainer runs them no more. `bundle` is where the container is made.
    pub(super) fn take(spec: &mut Spec, id: &str, bundle: &Path) -> Result<Self, String> {
        let hooks = spec.hooks_mut().as_mut().and_then(|hooks| hooks.start_container_mut().take());
        let annotations = spec.annotations().clone().unwrap_or_default();
        let state = hook::state(id, ContainerState::Created, bundle, &annotations)?;
        Ok(Self { hooks: hooks.unwrap_or_default(), state })
    }

    /// In the container's init: what they read, made before a seccomp filter may forbid it.
    pub(super) fn prepare(&self) -> Result<Vec<File>, String> {
        if self.hooks.is_empty() {
            return Ok(Vec::new());
        }
        let mut state = self.state.clone();
        state.set_pid(Some(std::process::id().cast_signed()));
        let text = hook::text(&state)?;
        let files = self.hooks.iter().map(|_| hook::stdin(text.as_bytes())).collect::<io::Result<_>>();
        files.map_err(|cause| format!("hooks.startContainer: their state: {cause}"))
    }

    /// In the container's init: the first that fails is the last.
    pub(super) fn run(&self, prepared: Vec<File>, environment: &[String]) -> Result<(), String> {
        for (at, (hook, stdin)) in self.hooks.iter().zip(prepared).enumerate() {
            let around = Surroundings { stdin, folder: None, environment, timeout: None };
            hook::run(hook, around)
                .map_err(|cause| format!("hooks.startContainer[{at}] ({}): {cause}", hook.path().display()))?;
        }
        Ok(())
    }
}

/// Puts this binary before each createContainer hook. The files of the host are still there when they run, so that the
/// init finds it.
pub(super) fn complete_state_of_create_hooks(spec: &mut Spec) {
    let hooks = spec.hooks_mut().as_mut().and_then(|hooks| hooks.create_container_mut().as_mut());
    for hook in hooks.into_iter().flatten() {
        let path = hook.path().display().to_string();
        let args = hook.args().clone().filter(|args| !args.is_empty()).unwrap_or_else(|| vec![path.clone()]);
        hook.set_args(Some([NAME.to_owned(), path].into_iter().chain(args).collect()));
        hook.set_path(PathBuf::from("/proc/self/exe"));
    }
}

/// What this binary does before a createContainer hook: the hook's path and its `argv` are its arguments, libcontainer's
/// state is on its stdin.
pub(super) fn become_create_hook() -> ! {
    let failure = try_become();
    // There is nobody to read words: who made the container looks what is at the path (`explain`).
    let [not_executable, missing] = NOT_EXECUTED;
    std::process::exit(if failure.kind() == io::ErrorKind::NotFound { missing } else { not_executable })
}

fn try_become() -> io::Error {
    let mut args = std::env::args_os().skip(1);
    let (Some(path), Some(name)) = (args.next(), args.next()) else { return io::ErrorKind::InvalidInput.into() };
    let stdin = match complete_state() {
        Ok(stdin) => stdin,
        Err(cause) => return cause,
    };
    let mut command = Command::new(path);
    command.arg0(name).args(args).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    command.exec()
}

/// With the pid as the container sees it: this process is a child of the container's init, in its pid namespace.
fn complete_state() -> io::Result<File> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut state: State = serde_json::from_str(&text)?;
    state.set_pid(Some(std::os::unix::process::parent_id().cast_signed()));
    hook::stdin(hook::text(&state).map_err(io::Error::other)?.as_bytes())
}
