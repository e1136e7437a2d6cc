//! One hook of a bundle: started with the container's state on its stdin, watched, and killed when its time is over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oci_spec::runtime::{ContainerState, Hook, State, StateBuilder};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::runtime::program::words;
use crate::runtime::spawn;

/// What a hook has beside its own words.
pub(super) struct Surroundings<'a> {
    /// See [`stdin`].
    pub(super) stdin: File,
    /// Where it starts; `None`: where this process is.
    pub(super) folder: Option<&'a Path>,
    /// Its variables where it names none.
    pub(super) environment: &'a [String],
    /// How long it may take where it doesn't say so itself.
    pub(super) timeout: Option<Duration>,
}

/// A file, not a pipe: a hook that doesn't read it holds up nobody.
pub(super) fn stdin(state: &[u8]) -> io::Result<File> {
    let mut file = spawn::empty_request()?;
    file.write_all(state)?;
    file.rewind()?;
    Ok(file)
}

/// What hooks are told of their container, but for its pid. The version is that of the runtime-spec which the state complies
/// with, not the bundle's; libcontainer says the same to its hooks.
pub(super) fn state(
    id: &str,
    status: ContainerState,
    bundle: &Path,
    annotations: &HashMap<String, String>,
) -> Result<State, String> {
    let state = StateBuilder::default().version(oci_spec::runtime::VERSION).id(id).status(status).bundle(bundle);
    state.annotations(annotations.clone()).build().map_err(|error| error.to_string())
}

/// The state as hooks read it.
pub(super) fn text(state: &State) -> Result<String, String> {
    serde_json::to_string(state).map_err(|error| error.to_string())
}

/// Runs it to its end, which is an error unless it exits with 0.
pub(super) fn run(hook: &Hook, around: Surroundings<'_>) -> Result<(), String> {
    let text = |cause: io::Error| cause.raw_os_error().map_or_else(|| cause.to_string(), words);
    let mut command = Command::new(hook.path());
    let mut args = hook.args().iter().flatten();
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    let variables = hook.env().as_deref().unwrap_or(around.environment);
    command.args(args).env_clear().envs(variables.iter().filter_map(|pair| pair.split_once('=')));
    if let Some(folder) = around.folder {
        command.current_dir(folder);
    }
    command.stdin(Stdio::from(around.stdin)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(text)?;
    let given = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    if let Some(timeout) = given.or(around.timeout) {
        let in_time = spawn::open_pidfd(child.id().cast_signed())
            .map_err(|cause| format!("its timeout can't be kept: pidfd_open: {cause}"))
            .and_then(|pidfd| match ends_within(pidfd.as_fd(), timeout) {
                true => Ok(()),
                false => Err(format!("didn't end within its timeout of {} s", timeout.as_secs())),
            });
        if let Err(cause) = in_time {
            let _ = child.kill();
            let _ = child.wait();
            return Err(cause);
        }
    }
    let status = child.wait().map_err(text)?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn ends_within(pidfd: BorrowedFd<'_>, timeout: Duration) -> bool {
    let end = Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], Some(&wait)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            // It is killed then; it could not be watched.
            Err(_) => return false,
        }
    }
}
