//! What others want of the Job's process: signals, and the wishes of other commands.

use std::io;

use barepod_engine::job::{JobEvent, Suspension};

use super::super::super::ending;
use super::super::super::error::CliError;
use super::{Runner, Stop};
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
        match self.folder.take_wish()? {
            None => Ok(()),
            Some(Wish::Stop) => self.stop(Stop::Wish),
            Some(Wish::Kill) => {
                self.stop(Stop::Wish)?;
                self.kill()
            }
        }
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
