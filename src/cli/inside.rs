//! The running container that a command gets into, or why there is none.

use super::args::Global;
use super::error::CliError;
use super::{container, recover};
use crate::report;
use crate::store::read::{Found, Life};

/// A container of a pod that runs and has a supervisor.
pub struct Inside {
    /// The pod.
    pub found: Found,
    /// Its namespace and name.
    pub name: String,
    /// The container's name.
    pub container: String,
}

impl Inside {
    /// The container that is asked for, or the one that is meant where none is; which one is said where that isn't plain.
    ///
    /// # Errors
    /// Where there is no such pod or container, or nothing of the pod runs or nobody supervises it.
    pub fn find(global: &Global, pod: &str, container: Option<&str>) -> Result<Self, CliError> {
        Self::find_saying(global, pod, container, |note| tell!("{note}"))
    }

    /// Likewise; `say` hears which container is meant where that isn't plain.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_saying(
        global: &Global,
        pod: &str,
        container: Option<&str>,
        say: impl FnOnce(&str),
    ) -> Result<Self, CliError> {
        let layout = global.layout()?;
        let found = recover::look(&layout, pod)?;
        let name = recover::full_name(&found);
        let life = recover::life(&found)?;
        if life == Life::Lost {
            return Err(CliError::Unsupervised(name));
        }
        let (container, note) = container::which(&recover::pod(&found)?, container, &name)?;
        if let Some(note) = note {
            say(&note);
        }
        let inside = Self { found, name, container };
        if life == Life::Running { Ok(inside) } else { Err(inside.not_running()) }
    }

    /// Who waits is told for whom.
    pub fn tell_of_silence(&self) {
        let stopped = recover::stopped_supervisor(&self.found);
        let why = stopped.map(|pid| format!(": it is stopped (SIGSTOP), process {pid}")).unwrap_or_default();
        tell!("note: the supervisor of pod {} doesn't answer{why}; Ctrl-C ends this command", self.name);
    }

    /// Why there is nothing to get into, from the pod's status.
    pub fn not_running(&self) -> CliError {
        let pod = self.found.pod().ok().flatten().unwrap_or_default();
        CliError::NotRunning { pod: self.name.clone(), why: report::not_running(&pod, &self.container, &self.name) }
    }
}
