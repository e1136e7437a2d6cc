//! `barepod kill`: a signal to the first process of containers, which the supervisor sends.

use super::args::{Global, KillArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{exit_of_all, print};
use super::{chosen, container, phrases, recover};
use crate::control::{self, Signalled};
use crate::plan;
use crate::report;
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// Asks the pods' supervisors, one after the other: none of them waits for anything.
pub fn kill(args: &KillArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let names = chosen::to_act_on(&layout, &args.pods, |life| !matches!(life, Life::Ended | Life::Left))?;
    exit_of_all(names.iter().map(|name| signal_pod(&layout, name, args)))
}

fn signal_pod(layout: &Layout, name: &str, args: &KillArgs) -> Result<Exit, CliError> {
    let found = recover::look(layout, name)?;
    let pod = recover::full_name(&found);
    match recover::life(&found)? {
        Life::Running => {
            if let Some(pid) = recover::stopped_supervisor(&found) {
                tell!("note: {}", phrases::stopped(&pod, pid));
            }
        }
        Life::Lost => return Err(CliError::Unsupervised(pod)),
        Life::Ended | Life::Left => return Err(not_running(&found, pod, args)),
    }
    let asked = args.container.as_deref();
    let outcome = match control::signal(&found.dir, asked, args.signal, || found.runs_on())? {
        Some(outcome) => outcome,
        None => return Err(not_running(&found, pod, args)),
    };
    match outcome {
        Signalled::Sent { containers } => {
            let signal = plan::signal_name(args.signal);
            let line = |container: &String| format!("container {container} of pod {pod} was sent {signal}\n");
            print(&containers.iter().map(line).collect::<String>())
        }
        Signalled::NoContainer => {
            let known = container::all(&found.pod().ok().flatten().unwrap_or_default()).join(", ");
            Err(CliError::NoContainer { container: asked.unwrap_or_default().to_owned(), pod, known })
        }
        Signalled::NotRunning => Err(not_running(&found, pod, args)),
        Signalled::Refused { why } => Err(CliError::NotRunning { pod, why }),
    }
}

/// Why there is nobody to get it, from the pod's status: of the container that was named, or of the first main one.
fn not_running(found: &Found, name: String, args: &KillArgs) -> CliError {
    let pod = found.pod().ok().flatten().unwrap_or_default();
    let first = || pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|one| one.name.clone());
    let container = args.container.clone().or_else(first).unwrap_or_default();
    if args.container.is_some() && !container::all(&pod).contains(&container) {
        let known = container::all(&pod).join(", ");
        return CliError::NoContainer { container, pod: name, known };
    }
    let why = report::not_running(&pod, &container, &name);
    CliError::NotRunning { pod: name, why }
}
