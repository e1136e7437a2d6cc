//! The hooks of a bundle that run while its container is made and started: prestart, createRuntime, createContainer and
//! startContainer (runtime-spec 1.2, config.md, "POSIX-platform Hooks"). libcontainer would give the last two the state of a
//! container without a process that is still being created, and says of none why it failed. So the container's init runs the
//! startContainer hooks itself, just before its program; and for each of the others libcontainer runs this binary, which runs
//! the hook.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{ContainerState, Hook, Spec, State};

use super::causes::Causes;
use super::failure::{Failure, Stage};
use super::hook::{self, Surroundings};

/// The `argv[0]` of this binary before a hook that libcontainer runs.
pub(super) const NAME: &str = "barepod:hook";

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

/// Puts this binary before each hook that libcontainer runs (prestart, createRuntime, createContainer): it completes the state
/// of createContainer hooks, runs the hook, and says as data why one fails. libcontainer says neither which one it was nor why
/// it couldn't be executed. The box's files are still there when they run, so that the container's init finds this binary.
pub(super) fn run_by_us(spec: &mut Spec, causes: &Causes) {
    let causes = causes.number();
    let Some(hooks) = spec.hooks_mut().as_mut() else { return };
    #[allow(deprecated)]
    let prestart = hooks.prestart_mut();
    wrap(prestart, "prestart", causes);
    wrap(hooks.create_runtime_mut(), "createRuntime", causes);
    wrap(hooks.create_container_mut(), CREATE_CONTAINER, causes);
}

const CREATE_CONTAINER: &str = "createContainer";

fn wrap(hooks: &mut Option<Vec<Hook>>, point: &str, causes: RawFd) {
    for (at, hook) in hooks.iter_mut().flatten().enumerate() {
        let path = hook.path().display().to_string();
        let name = hook.args().iter().flatten().next().cloned().unwrap_or_else(|| path.clone());
        let timeout = hook.timeout().map(|seconds| seconds.to_string()).unwrap_or_default();
        let ours = [NAME.to_owned(), causes.to_string(), point.to_owned(), at.to_string(), timeout, path, name];
        let rest = hook.args().iter().flatten().skip(1).cloned();
        let args = ours.into_iter().chain(rest).collect();
        hook.set_args(Some(args)).set_path(PathBuf::from("/proc/self/exe")).set_timeout(None);
    }
}

/// A hook as [`wrap`] puts it into this binary's arguments. Its variables are this process' own.
struct Wrapped {
    /// The number of the open file.
    causes: RawFd,
    point: String,
    at: String,
    hook: Hook,
}

impl Wrapped {
    /// `None`: nobody has called this binary as `wrap` does.
    fn of(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let causes = arguments.next()?.parse().ok()?;
        let (point, at, timeout) = (arguments.next()?, arguments.next()?, arguments.next()?);
        let mut hook = Hook::default();
        hook.set_path(arguments.next()?.into()).set_args(Some(arguments.collect())).set_timeout(timeout.parse().ok());
        Some(Self { causes, point, at, hook })
    }

    fn run(&self) -> Result<(), String> {
        let stdin = complete_state(&self.point).map_err(|cause| format!("its state: {cause}"))?;
        let environment: Vec<String> = std::env::vars_os()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.to_str()?)))
            .collect();
        hook::run(&self.hook, Surroundings { stdin, folder: None, environment: &environment, timeout: None })
    }
}

/// What this binary does as such a hook. libcontainer's state is on its stdin.
pub(super) fn run_wrapped() -> ! {
    let Some(wrapped) = Wrapped::of(std::env::args().skip(1)) else { std::process::exit(1) };
    let causes = Causes::inherited(wrapped.causes);
    let Err(cause) = wrapped.run() else { std::process::exit(0) };
    let Wrapped { point, at, hook, .. } = &wrapped;
    causes.tell(&Failure::new(Stage::Oci, format!("hooks.{point}[{at}] ({})", hook.path().display()), cause));
    std::process::exit(1)
}

/// The state that the hook reads: libcontainer's, for createContainer with the pid as the container sees it. This process is
/// then a child of the container's init, in its pid namespace.
fn complete_state(point: &str) -> io::Result<File> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut state: State = serde_json::from_str(&text)?;
    if point == CREATE_CONTAINER {
        state.set_pid(Some(std::os::unix::process::parent_id().cast_signed()));
    }
    hook::stdin(hook::text(&state).map_err(io::Error::other)?.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a hook is comes through this binary's arguments as it was.
    #[test]
    fn a_hook_goes_through_our_arguments() {
        for given in [
            json!({"path": "/bin/a"}),
            json!({"path": "/bin/a", "args": ["name", "-x", ""], "timeout": 7}),
            json!({"path": "/bin/a", "args": []}),
        ] {
            let hook: Hook = serde_json::from_value(given).unwrap();
            let mut wrapped = Some(vec![hook.clone(), hook.clone()]);
            wrap(&mut wrapped, "prestart", 9);
            let wrapped = wrapped.unwrap().remove(1);
            assert_eq!((wrapped.path().as_path(), wrapped.timeout()), (Path::new("/proc/self/exe"), None));
            let arguments = wrapped.args().clone().unwrap();
            assert_eq!(arguments[0], NAME);
            let found = Wrapped::of(arguments.into_iter().skip(1)).unwrap();
            assert_eq!((found.causes, found.point.as_str(), found.at.as_str()), (9, "prestart", "1"));
            assert_eq!((found.hook.path(), found.hook.timeout()), (hook.path(), hook.timeout()));
            let named =
                hook.args().clone().filter(|args| !args.is_empty()).unwrap_or_else(|| vec!["/bin/a".to_owned()]);
            assert_eq!(found.hook.args().as_ref(), Some(&named));
        }
    }
}
