//! Whose turn it is with a pod: its lock, waited for where a command has it, or the supervisor of a pod that has ended,
//! refused where a supervisor has a pod that lives.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::Error;
use super::folder::{LOCK_TRIES, make_dir};
use super::ledger::{Ledger, Stage, Supervisor};
use super::lock::{self, PodLock, Taken};
use super::read::{has_ended_in, is_listening};

/// How long a `run` waits for a command that holds the lock.
pub(super) const A_RUN_WAITS: Duration = Duration::from_secs(10);

/// How long a command waits for another that cleans up after the same pod: a large volume takes its time.
pub(super) const A_COMMAND_WAITS: Duration = Duration::from_secs(120);

/// After how long whoever waits says so.
const SILENCE: Duration = Duration::from_secs(1);

/// Told once where another command has to be waited for: its pid, where that is known.
pub type OnWait<'a> = &'a dyn Fn(Option<u32>);

/// Takes the lock of a pod, whose folder is made where there is none. A living supervisor refuses it at once, unless its pod
/// has ended, whose sandbox it still removes: that is waited for, as is a command that looks after the pod, or a child of a
/// dead supervisor that has yet to execute.
pub(super) fn acquire(
    dir: &Path,
    namespace: &str,
    name: &str,
    patience: Duration,
    on_wait: OnWait<'_>,
) -> Result<PodLock, Error> {
    let began = Instant::now();
    let mut told = false;
    let mut gone = 0;
    loop {
        match make_dir(dir, 0o700) {
            // It was there, and was taken away before it could be seen that it is a folder.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists && gone < LOCK_TRIES => {
                gone += 1;
                continue;
            }
            made => made?,
        }
        let (holder, supervisor) = match PodLock::take(dir)? {
            Taken::Mine(lock) => match supervisor(dir, None)? {
                None => return Ok(lock),
                // The lock that it has is of a file that is gone.
                supervisor => (supervisor, supervisor),
            },
            Taken::Held(holder) => (holder, supervisor(dir, holder)?),
            Taken::Gone if gone < LOCK_TRIES => {
                gone += 1;
                continue;
            }
            Taken::Gone => (None, supervisor(dir, None)?),
        };
        let waited = began.elapsed();
        match supervisor {
            Some(_) if waited >= patience || !has_ended_in(dir) => {
                return Err(Error::Running { namespace: namespace.into(), name: name.into(), pid: supervisor });
            }
            None if waited >= patience => {
                return Err(Error::Busy { namespace: namespace.into(), name: name.into(), pid: holder });
            }
            Some(_) | None => {}
        }
        if waited >= SILENCE && !told {
            on_wait(holder);
            told = true;
        }
        lock::pause();
    }
}

/// The pid of the pod's supervisor, if that lives. It is another than this process: who has begun to run the pod asks
/// before it writes its ledger. `holder` has the lock; it speaks for a supervisor of another pid namespace.
///
/// # Errors
/// Where that can't be seen. A ledger that can't be understood names none.
fn supervisor(dir: &Path, holder: Option<u32>) -> Result<Option<u32>, Error> {
    let ledger = match Ledger::load(dir) {
        Err(error) if error.is_about_content() => None,
        ledger => ledger?,
    };
    let Some(ledger) = ledger.filter(|ledger| ledger.stage == Stage::Live) else { return Ok(None) };
    let pid = ledger.supervisor_pid;
    let lives = match ledger.supervisor() {
        Supervisor::Alive => true,
        Supervisor::Ended => false,
        Supervisor::Unknown => holder == Some(pid) || (holder.is_none() && is_listening(dir)?),
    };
    Ok(lives.then_some(pid))
}
