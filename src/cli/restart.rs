//! `barepod restart`: containers are stopped and started again, which the supervisor does and this waits for.

use std::time::Duration;

use k8s_openapi::api::core::v1;

use super::args::{Global, RestartArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{exit_of_all, print};
use super::until::{Aim, Deadline, Waited, until_status};
use super::{chosen, container, phrases, recover};
use crate::control::{self, Instance, Restarting};
use crate::report;
use crate::report::restarted::{Restart, restarted};
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// What takes longer is said to be under way.
const SILENCE: Duration = Duration::from_secs(1);

/// Asks all of the pods' supervisors first, so that the restarts are under way together, and then waits for them.
pub fn restart(args: &RestartArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let names = chosen::to_act_on(&layout, &args.pods, |life| !matches!(life, Life::Ended | Life::Left))?;
    let begun: Vec<_> = names.iter().map(|name| begin(&layout, name, args)).collect();
    exit_of_all(begun.into_iter().map(|begun| begun.and_then(|begun| wait(&layout, begun))))
}

/// A restart that is under way.
pub(super) struct Begun {
    /// `NAMESPACE/NAME`.
    pub(super) pod: String,
    /// What it brings.
    pub(super) instances: Vec<Instance>,
}

fn begin(layout: &Layout, name: &str, args: &RestartArgs) -> Result<Begun, CliError> {
    let found = recover::look(layout, name)?;
    let pod = recover::full_name(&found);
    let refused = |why: &str| CliError::Refused { what: "restart", pod: pod.clone(), why: why.to_owned() };
    match recover::life(&found)? {
        Life::Running => {
            if let Some(pid) = recover::stopped_supervisor(&found) {
                tell!("note: {}", phrases::stopped(&pod, pid));
            }
        }
        Life::Lost => return Err(CliError::Unsupervised(pod)),
        Life::Ended | Life::Left => return Err(refused(&ended(&found))),
    }
    let asked = args.container.as_deref();
    let grace_period = args.grace_period.map(|seconds| Duration::from_secs(u64::from(seconds)));
    match control::restart(&found.dir, asked, grace_period, || found.runs_on())? {
        None => Err(refused(&ended(&found))),
        Some(Restarting::Begun { instances }) => Ok(Begun { pod, instances }),
        Some(Restarting::NoContainer) => {
            let known = container::all(&found.pod().ok().flatten().unwrap_or_default()).join(", ");
            Err(CliError::NoContainer { container: asked.unwrap_or_default().to_owned(), pod, known })
        }
        Some(Restarting::PodEnds) => Err(refused(&format!("it is being ended; {}", run_again(&found)))),
        Some(Restarting::Initializing) => Err(refused(&format!(
            "its init containers aren't done, and what would be restarted has not begun; `barepod describe {pod}` shows how \
             far it is"
        ))),
        Some(Restarting::Ephemeral) => {
            Err(refused(&format!("{:?} is an ephemeral container, which runs once", asked.unwrap_or_default())))
        }
        Some(Restarting::Init) => Err(refused(&format!(
            "{:?} is an init container, which has done its work; only a new run of the pod runs it again",
            asked.unwrap_or_default()
        ))),
    }
}

fn ended(found: &Found) -> String {
    format!("it has ended; {}", run_again(found))
}

fn run_again(found: &Found) -> String {
    let manifest = found.ledger().ok().flatten().and_then(|ledger| ledger.manifest);
    let file = manifest.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    format!("`barepod run -d {file}` starts it again")
}

/// Waits until all instances are there, and says so.
pub(super) fn wait(layout: &Layout, begun: Begun) -> Result<Exit, CliError> {
    let Begun { pod, instances } = begun;
    let aim = Back(&instances);
    let names: Vec<&str> = instances.iter().map(|one| one.container.as_str()).collect();
    let mut waited = until_status(layout, &pod, &aim, Deadline::after(SILENCE))?;
    if waited == Waited::Late {
        tell!(
            "waiting for {} of pod {pod} to end and start again; `barepod describe {pod}` shows how far that is",
            phrases::list(&names)
        );
        waited = until_status(layout, &pod, &aim, Deadline::never())?;
    }
    match waited {
        Waited::Met | Waited::Late => {}
        Waited::Unsupervised => return Err(CliError::Unsupervised(pod)),
        Waited::Never { why } => {
            return Err(CliError::Never { pod, wanted: format!("the restart of {}", phrases::list(&names)), why });
        }
    }
    let status = recover::look(layout, &pod)?.pod().ok().flatten().unwrap_or_default();
    exit_of_all(instances.iter().map(|one| match restarted(&status, &one.container, one.restarts) {
        // What ended after it had been seen was restarted, too.
        Restart::Runs | Restart::UnderWay => print(&format!("container {} of pod {pod} restarted\n", one.container)),
        Restart::DoesNotRun => {
            let why = format!("restarted, but {}", report::not_running(&status, &one.container, &pod));
            Err(CliError::NotRunning { pod: pod.clone(), why })
        }
    }))
}

/// All instances are there, have been there, or can't be made.
struct Back<'a>(&'a [Instance]);

impl Aim for Back<'_> {
    fn holds(&self, pod: &v1::Pod) -> Result<bool, String> {
        let is_over = |one: &Instance| restarted(pod, &one.container, one.restarts) != Restart::UnderWay;
        Ok(self.0.iter().all(is_over))
    }

    fn held_in(&self, _phase: &str) -> bool {
        false
    }

    fn why_not(&self, _pod: &v1::Pod) -> String {
        String::new()
    }
}
