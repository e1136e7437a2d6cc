//! `barepod cp`: files from this box into a running container, and back.
//!
//! The supervisor hands over the container's root; the rest is this process's and a copy's of it (`runtime/transfer`).

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sys::signal::Signal;

use super::args::{CopyPlace, CpArgs, Global};
use super::door::{Door, Taken};
use super::error::CliError;
use super::exit_code::Exit;
use super::inside::Inside;
use crate::control::{Answer, ControlError, Obstacle, Request, RootOwner};
use crate::runtime::signals::read_instead;
use crate::runtime::transfer::{Copied, Direction, Owner, Transfer, transfer};

/// Copies, and gives the exit code.
pub fn cp(args: &CpArgs, global: &Global) -> Result<Exit, CliError> {
    let (pod, direction, from, to) = match (&args.source, &args.target) {
        (CopyPlace::Box(from), CopyPlace::Pod { pod, path }) => (pod, Direction::In, from, path),
        (CopyPlace::Pod { pod, path }, CopyPlace::Box(to)) => (pod, Direction::Out, path, to),
        (CopyPlace::Box(_), CopyPlace::Box(_)) => {
            return Err(CliError::Usage(
                "neither place is in a pod: write one of them as POD:PATH or NAMESPACE/POD:PATH",
            ));
        }
        (CopyPlace::Pod { .. }, CopyPlace::Pod { .. }) => {
            return Err(CliError::Usage("both places are in pods: copy to a folder of this box first, and from there"));
        }
    };
    Inside::find(global, pod, args.container.as_deref())?.copy(args, direction, from, to)
}

impl Inside {
    fn copy(&self, args: &CpArgs, direction: Direction, from: &Path, to: &Path) -> Result<Exit, CliError> {
        let (user, descriptors) = self.root()?;
        let [users, root] = &descriptors[..] else {
            return Err(ControlError::Protocol("it has sent something else than a container's root".into()).into());
        };
        let owner = match (args.archive, direction) {
            (true, _) => Owner::Kept,
            (false, Direction::In) => Owner::Given(user.uid, user.gid),
            (false, Direction::Out) => Owner::Maker,
        };
        let (users, root) = (users.as_fd(), root.as_fd());
        let what = Transfer { user: users, root, direction, from: from.to_owned(), to: to.to_owned(), owner };
        let signals = read_instead(&SIGNALS).map_err(|errno| CliError::Signals(errno.into()))?;
        let got = Cell::new(None);
        let interrupts = || {
            if let Ok(Some(info)) = signals.read_signal() {
                got.set(u8::try_from(info.ssi_signo).ok());
            }
            got.get().is_some()
        };
        let done = transfer(&what, signals.as_fd(), &interrupts, &mut |one| {
            tell!("warning: {} is left out: {}", one.path, one.what);
        });
        // It may be told by the other process before it was looked for here.
        let _ = interrupts();
        match (done, got.get()) {
            (Ok(copied), _) => self.told(&copied),
            (Err(_), Some(signal)) => {
                tell!("note: interrupted; what was copied before stays");
                Ok(Exit::Pod(128_u8.saturating_add(signal)))
            }
            (Err(cause), _) => Err(CliError::Copy { pod: self.name.clone(), container: self.container.clone(), cause }),
        }
    }

    fn told(&self, copied: &Copied) -> Result<Exit, CliError> {
        if copied.not_given > 0 {
            tell!("warning: {} of what was copied can't be given to its owner from here", copied.not_given);
        }
        match &copied.unread {
            None => Ok(Exit::Success),
            Some((first, count)) => {
                Err(CliError::NotAllCopied { left_out: *count, path: first.path.clone(), why: first.what.clone() })
            }
        }
    }

    /// The container's user, and descriptors of its user namespace and its root.
    fn root(&self) -> Result<(RootOwner, Vec<OwnedFd>), CliError> {
        let opened =
            Door::open(&self.found).and_then(|mut door| door.take(Request::Root { container: self.container.clone() }));
        match opened {
            Ok(Taken::Here(text, descriptors)) => {
                let user = serde_json::from_slice(&text).map_err(|cause| ControlError::Protocol(cause.to_string()))?;
                Ok((user, descriptors))
            }
            Ok(Taken::Else(Answer::Ended(_) | Answer::NotRun { obstacle: Obstacle::NotRunning, .. })) => {
                Err(self.not_running())
            }
            Ok(Taken::Else(Answer::NotRun { message, .. })) => {
                Err(CliError::NotReached { pod: self.name.clone(), why: message })
            }
            Ok(Taken::Else(other)) => Err(ControlError::Protocol(format!("{other:?}")).into()),
            Err(CliError::Control(ControlError::Lost | ControlError::Io { .. })) if !self.found.runs_on() => {
                Err(self.not_running())
            }
            Err(error) => Err(error),
        }
    }
}

/// What ends this command: nothing is left half done.
const SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
