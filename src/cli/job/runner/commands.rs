//! What others want of the Job's process: signals, and the wishes of other commands.

use std::io;

use barepod_engine::job::{JobEvent, Suspension};
use k8s_openapi::api::batch::v1 as batch;
use serde_json::Value;

use super::super::super::ending;
use super::super::super::error::CliError;
use super::super::{changes, spec};
use super::{Runner, Stop};
use crate::manifest;
use crate::store::jobs::{PodStage, Wish};

impl Runner {
    /// Does what has been wanted since.
    pub(super) fn hear_commands(&mut self) -> Result<(), CliError> {
        while let Some(signal) =
            self.signals.read_signal().map_err(|errno| CliError::Signals(io::Error::from(errno)))?
        {
            let number = u8::try_from(signal.ssi_signo).unwrap_or_default();
            match self.stop {
                None => self.stop(Stop::Signal(number))?,
                Some(_) => self.kill()?,
            }
        }
        self.wishes.drain();
        if let Some(wanted) = self.folder.take_change()?.filter(|_| self.stop.is_none()) {
            self.change(&wanted)?;
        }
        match self.folder.take_wish()? {
            None => Ok(()),
            Some(Wish::Stop) => self.stop(Stop::Wish),
            Some(Wish::Kill) => {
                self.stop(Stop::Wish)?;
                self.kill()
            }
        }
    }

    /// R11.17. Who wants it has looked whether that can be.
    pub(super) fn change(&mut self, wanted: &Value) -> Result<(), CliError> {
        let applied = changes::applied(&self.saved.job, wanted);
        let bytes = applied.to_string().into_bytes();
        let of_spec = |error| CliError::Words(format!("the Job that is wanted can't be read: {error}"));
        let job: batch::Job = manifest::from_json(&bytes).map_err(of_spec)?;
        self.saved.job = applied;
        self.step(JobEvent::Changed(Box::new(spec::spec(&job))))
    }

    fn stop(&mut self, by: Stop) -> Result<(), CliError> {
        self.stop = Some(by);
        if self.saved.controller.is_finished() {
            return Ok(());
        }
        tell!("stopping job {}/{}", self.place.namespace, self.place.name);
        self.step(JobEvent::Suspend(Suspension::Suspended))
    }

    fn kill(&mut self) -> Result<(), CliError> {
        self.pods_that(PodStage::Made).iter().try_for_each(|(_, found)| ending::force(found))
    }
}
