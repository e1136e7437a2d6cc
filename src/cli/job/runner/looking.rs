//! What becomes of pods, as facts for the controller.

use barepod_engine::job::{IsReady, JobEvent, PodEnd, PodNumber};

use super::super::super::error::CliError;
use super::super::super::recover;
use super::super::super::user::is_user;
use super::super::pods;
use super::Runner;
use crate::report::job::happened::{self, PodChange};
use crate::runtime::detach::Outcome;
use crate::store::jobs::PodStage;
use crate::store::read::{Life, has_ended};

impl Runner {
    /// What processes of pods say that this one has begun.
    pub(super) fn hear_processes(&mut self) -> Result<(), CliError> {
        let mut said = Vec::new();
        for (pod, above) in &mut self.begun {
            if let Some(outcome) = above.look().map_err(CliError::Detach)? {
                said.push((*pod, outcome));
            }
        }
        for (pod, outcome) in said {
            if !matches!(outcome, Outcome::Ready(_)) {
                self.begun.remove(&pod);
            }
            if self.starting.remove(&pod) {
                match self.found(pod) {
                    Some(found) if matches!(outcome, Outcome::Ready(_)) || matches!(found.pod(), Ok(Some(_))) => {
                        self.made(pod)?;
                    }
                    _ => self.not_made(pod)?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn made(&mut self, pod: PodNumber) -> Result<(), CliError> {
        self.tell(pod, "runs");
        self.note_pod(pod, PodChange::Created);
        self.set(pod, PodStage::Made);
        self.step(JobEvent::Created(pod))
    }

    pub(super) fn not_made(&mut self, pod: PodNumber) -> Result<(), CliError> {
        self.tell(pod, "could not be made");
        self.note_pod(pod, PodChange::NotCreated);
        self.saved.pods.retain(|one| one.number != pod);
        self.to_end.remove(&pod);
        self.step(JobEvent::NotCreated(pod))
    }

    /// What has become of pods, as their states say.
    pub(super) fn look_at_pods(&mut self) -> Result<(), CliError> {
        for found_of in self.pods_that(PodStage::Made) {
            let (number, found) = found_of;
            if !found.dir.exists() {
                self.step(JobEvent::Leaving(number))?;
                self.ended(number, PodEnd::Failed { exits: Vec::new(), conditions: Vec::new() }, "has been removed")?;
                continue;
            }
            let life = recover::life(&found)?;
            if life == Life::Lost && !is_user() {
                recover::clean_if_lost(&self.place.layout, &found.namespace, &found.name)?;
            }
            let pod = found.pod().map_err(|cause| recover::unreadable(&found, cause))?;
            let Some(pod) = pod else {
                if life != Life::Running {
                    let end = PodEnd::Failed { exits: Vec::new(), conditions: Vec::new() };
                    self.ended(number, end, "has ended before it had a status")?;
                }
                continue;
            };
            if pod.metadata.deletion_timestamp.is_some() {
                self.step(JobEvent::Leaving(number))?;
            }
            if has_ended(&pod) {
                let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
                self.ended(number, pods::end(&pod), &format!("has ended: {phase}"))?;
                continue;
            }
            if matches!(life, Life::Lost | Life::Ended | Life::Left) {
                let end = PodEnd::Failed { exits: Vec::new(), conditions: Vec::new() };
                self.ended(number, end, "has lost its supervisor")?;
                continue;
            }
            let (is_ready, restarts) = pods::readiness(&pod);
            let before = self.told.insert(number, (is_ready, restarts)).unwrap_or_default();
            if before.0 != is_ready {
                self.step(JobEvent::Ready(number, if is_ready { IsReady::Yes } else { IsReady::No }))?;
            }
            if before.1 != restarts {
                self.step(JobEvent::Restarted(number, restarts))?;
            }
        }
        Ok(())
    }

    fn note_pod(&mut self, pod: PodNumber, change: PodChange) {
        if let Some(name) = self.pod(pod).map(|pod| pod.name.clone()) {
            self.note(happened::of_pod(&name, change, jiff::Timestamp::now()));
        }
    }

    fn ended(&mut self, pod: PodNumber, end: PodEnd, how: &str) -> Result<(), CliError> {
        self.tell(pod, how);
        if self.saved.first_failure.is_none() && self.stop.is_none() {
            self.saved.first_failure = pods::code(&end);
        }
        self.set(pod, PodStage::Ended);
        self.told.remove(&pod);
        self.step(JobEvent::Ended(pod, end))
    }
}
