//! What is to be done with a pod that is there, and the doing of it.

use super::super::args::{ApplyArgs, DryRun};
use super::super::error::CliError;
use super::super::given::{self, Given};
use super::super::recover;
use super::super::terminal::sanitize;
use super::change::{self, Change};
use super::said::{Outcome, Said};
use crate::plan::{self, Difference, PullFiles};
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// What is to be done.
pub(super) enum Step {
    Unchanged {
        pod: String,
    },
    Change(Box<Change>),
    /// It is to be stopped, where it runs, and run anew.
    Anew(Box<Given>, Vec<Difference>),
}

/// Of a pod that is there, or why nothing can be done.
///
/// # Errors
/// Where something can't be changed while it runs, an image isn't there, or the pod has ended though it should run.
pub(super) fn of(args: &ApplyArgs, mut given: Given, found: Found, files: &PullFiles) -> Result<Step, CliError> {
    let pod = given.name()?;
    let shown = sanitize(&given.file.display().to_string());
    let life = recover::life(&found)?;
    if life == Life::Lost {
        return match args.replace {
            true => Ok(Step::Anew(Box::new(given), Vec::new())),
            false => Err(CliError::Unsupervised(pod)),
        };
    }
    let mut wanted = given.pod.clone();
    let differences = given::differences(&mut recover::pod(&found)?, &mut wanted);
    if life != Life::Running || found.has_ended() {
        let policy = wanted.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        let is_to_run = policy == Some("Always");
        return match (args.replace, differences.is_empty() && !is_to_run) {
            // Its work is done.
            (_, true) => Ok(Step::Unchanged { pod }),
            (true, false) => Ok(Step::Anew(Box::new(given), differences)),
            (false, false) => Err(change::ended(&pod, &shown)),
        };
    }
    if differences.is_empty() && given.objects.is_empty() && *files == PullFiles::default() {
        return Ok(Step::Unchanged { pod });
    }
    match plan::changes(&wanted, &differences) {
        Ok(changes) => {
            let images = change::images(&changes, &given.file).map_err(|why| change::refused(&pod, why))?;
            let objects = std::mem::take(&mut given.objects);
            Ok(Step::Change(Box::new(Change { pod, file: shown, found, differences, changes, images, objects })))
        }
        Err(_) if args.replace => Ok(Step::Anew(Box::new(given), differences)),
        Err(all) => Err(change::immutable(&pod, &shown, &all)),
    }
}

/// Does what isn't [`Step::Anew`], or says what would be done.
pub(super) fn carry_out(
    args: &ApplyArgs,
    layout: &Layout,
    step: Step,
    files: &PullFiles,
    said: &mut Said,
) -> Result<(), CliError> {
    match step {
        Step::Unchanged { pod } => said.of(&pod, Outcome::Unchanged, &[]).map(drop),
        Step::Change(change) if args.dry_run != DryRun::None => {
            // What its supervisor has of them nobody knows but that.
            if !change.objects.is_empty() {
                tell!("note: ConfigMaps and Secrets are not compared");
            }
            let outcome = if change.differences.is_empty() { Outcome::Unchanged } else { Outcome::Configured };
            said.of(&change.pod, outcome, &change.differences).map(drop)
        }
        Step::Change(change) => {
            let exit = change::make(layout, *change, files, said)?;
            said.ends(exit);
            Ok(())
        }
        Step::Anew(given, differences) => said.of(&given.name()?, Outcome::Replaced, &differences).map(drop),
    }
}
