//! The reading side: which pods there are and what is known of them. Takes no lock, writes nothing.
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;
use serde::de::DeserializeOwned;

use super::error::{Error, io_error};
use super::events::{self, EventLine};
use super::identity;
use super::layout::Layout;
pub(super) use super::layout::{POD, STATE};
use super::ledger::{Ledger, Stage, Supervisor};
use super::lock::{self, PodLock};
use super::{atomic, supervisor_log};
use crate::{control, manifest};

pub(super) const ATTEMPT: &str = "attempt.json";

/// Whether somebody looks after a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// A supervisor lives.
    Running,
    /// It ended and was cleaned up.
    Ended,
    /// It ended, and something of it could not be removed.
    Left,
    /// Its supervisor died; what it made may still be there.
    Lost,
}

/// Whether a pod has ended, by its status: nothing of its containers is left then, and its phase never changes (R8.1).
pub fn has_ended(pod: &v1::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Likewise of the pod whose state is in `dir`. `false` where that can't be read.
pub(super) fn has_ended_in(dir: &Path) -> bool {
    load_pod(dir).ok().flatten().is_some_and(|pod| has_ended(&pod))
}

fn load_pod(dir: &Path) -> Result<Option<v1::Pod>, Error> {
    atomic::load_by(dir, POD, manifest::from_json)
}

/// A pod's state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
}

impl Found {
    /// Whether it is looked after at this moment. Its ledger says who does; the lock, whether one does of whom the ledger
    /// can't say it (its pid is one of another pid namespace), or who hasn't written one yet.
    pub fn life(&self) -> Result<Life, Error> {
        // The lock before the ledger: a pod that ends in between then reads as ended, never as lost.
        let held = PodLock::is_held(&self.dir)?;
        let ledger = match self.ledger() {
            // Whoever holds the lock knows better.
            Err(_) if held => return Ok(Life::Running),
            ledger => ledger?,
        };
        let Some(ledger) = ledger else { return Ok(if held { Life::Running } else { Life::Lost }) };
        Ok(match (ledger.stage, ledger.supervisor()) {
            (Stage::Ended, _) => Life::Ended,
            (Stage::Left, _) => Life::Left,
            (Stage::Live, Supervisor::Alive) => Life::Running,
            (Stage::Live, Supervisor::Ended) => Life::Lost,
            (Stage::Live, Supervisor::Unknown) if held || self.lives_without_a_lock()? => Life::Running,
            (Stage::Live, Supervisor::Unknown) => Life::Lost,
        })
    }

    /// Whether the lock's file is gone (a cleaner of old files, a restored copy) and somebody listens on the pod's socket.
    fn lives_without_a_lock(&self) -> Result<bool, Error> {
        let lock = self.dir.join(lock::FILE);
        Ok(!lock.try_exists().map_err(io_error(&lock, "stat"))? && is_listening(&self.dir)?)
    }

    /// Whether it is looked after, for one who asks until it isn't: where it is, the answer takes a moment.
    pub fn runs_on(&self) -> bool {
        let runs = self.life().is_ok_and(|life| life == Life::Running);
        if runs {
            lock::pause();
        }
        runs
    }

    /// Whether the pod has ended, so that a supervisor that still lives is about to go.
    pub fn has_ended(&self) -> bool {
        has_ended_in(&self.dir)
    }

    /// Its ledger; `None` where its `run` died before it wrote one, and so before it made anything.
    pub fn ledger(&self) -> Result<Option<Ledger>, Error> {
        Ledger::load(&self.dir)
    }

    /// `pod.json`; `None` before it is first written.
    pub fn pod(&self) -> Result<Option<v1::Pod>, Error> {
        load_pod(&self.dir)
    }

    /// `state.json`, what was saved of engine and supervisor; `None` before it is first written.
    pub fn state<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        atomic::load(&self.dir, STATE)
    }

    /// Where the supervisor of a detached pod says what it has to say, and at most so many of the last lines of that; `None`:
    /// the pod was never detached.
    pub fn supervisor_log(&self, lines: usize) -> Result<Option<(PathBuf, Vec<String>)>, Error> {
        let read = |path: &Path| match atomic::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(path, "read")(error)),
        };
        let path = self.dir.join(supervisor_log::FILE);
        let Some(new) = read(&path)? else { return Ok(None) };
        let old = read(&self.dir.join(supervisor_log::OLD))?.unwrap_or_default();
        Ok(Some((path, supervisor_log::last_lines(&old, &new, lines))))
    }

    /// Its events, equal ones merged.
    pub fn events(&self) -> Result<Vec<EventLine>, Error> {
        events::read(&self.dir)
    }
}

/// Whether somebody listens on the socket in a pod's folder.
pub(super) fn is_listening(dir: &Path) -> Result<bool, Error> {
    control::is_listening(dir).map_err(io_error(&dir.join(control::SOCKET), "connect"))
}

/// All pods by namespace and name.
pub fn list(layout: &Layout) -> Result<Vec<Found>, Error> {
    let all = identity::list(&layout.pods_dir())?.into_iter();
    Ok(all.map(|(namespace, name, dir)| Found { namespace, name, dir }).collect())
}

/// The pod that `NAME` or `NAMESPACE/NAME` means; a NAME that exists once is found in whatever namespace.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::Ambiguous`] with all that fit.
pub fn find(layout: &Layout, wanted: &str) -> Result<Found, Error> {
    let mut fit = list(layout)?;
    match wanted.split_once('/') {
        Some((namespace, name)) => fit.retain(|pod| pod.namespace == namespace && pod.name == name),
        None => fit.retain(|pod| pod.name == wanted),
    }
    match fit.len() {
        0 => Err(Error::NotFound(wanted.into())),
        1 => Ok(fit.remove(0)),
        _ => Err(Error::Ambiguous {
            name: wanted.into(),
            pods: fit.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect(),
        }),
    }
}
