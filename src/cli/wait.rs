//! `barepod wait`: until pods are as somebody wants them, or can't become so any more.

use serde_json::Value;

use super::args::{Global, WaitArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::get::{self, Format};
use super::output::print;
use super::until::{Deadline, Waited, until};
use super::{chosen, jobs, recover};
use crate::report::jsonpath::Missing;
use crate::report::wanted::Wanted;
use crate::store::Error;
use crate::store::layout::Layout;

/// Waits for all of the pods, one after the other, and says of each that it is so.
pub fn wait(args: &WaitArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    if let Some(names) = &args.pods.chosen.jobs {
        if args.output.is_some() {
            return Err(CliError::Usage("wait -o is for pods; `barepod get job/NAME -o ...` shows a Job"));
        }
        for job in jobs::all_or(&layout, names, args.pods.chosen.namespace.as_deref())? {
            let job = job?;
            jobs::wait(&job, &args.wanted, args.timeout)?;
            print(&format!("job.batch/{} condition met\n", job.name))?;
        }
        return Ok(Exit::Success);
    }
    let pods = chosen::to_act_on(&layout, &args.pods, |_| true)?;
    // As kubectl: what isn't there can be gone, and nothing else.
    if pods.is_empty() && args.wanted != Wanted::Deleted {
        return Err(CliError::NoneToWaitFor);
    }
    let format = args.output.as_ref().map(|output| Format::of(Some(output), Missing::Ignored)).transpose()?;
    if matches!(format, Some(Format::Table(_) | Format::Columns(_))) {
        return Err(CliError::Usage(
            "wait -o is for name, json, yaml and jsonpath templates; `barepod get` has tables",
        ));
    }
    let deadline = Deadline::after(args.timeout);
    for pod in pods {
        let bare = pod.rsplit('/').next().unwrap_or(&pod).to_owned();
        // Of a pod that is forgotten it is shown what it was.
        let before =
            (args.wanted == Wanted::Deleted && format.is_some()).then(|| object_of(&layout, &pod).ok()).flatten();
        match until(&layout, &pod, &args.wanted, deadline)? {
            Waited::Met => print(&shown(&layout, &pod, &bare, format.as_ref(), before)?)?,
            Waited::Late => return Err(CliError::WaitedTooLong(bare)),
            Waited::Unsupervised => return Err(CliError::Unsupervised(pod)),
            Waited::Never { why } => return Err(CliError::Never { pod, wanted: args.wanted.to_string(), why }),
        };
    }
    Ok(Exit::Success)
}

/// What is printed of a pod that is as it was wanted.
fn shown(
    layout: &Layout,
    pod: &str,
    bare: &str,
    format: Option<&Format>,
    before: Option<Value>,
) -> Result<String, CliError> {
    let value = || before.map_or_else(|| object_of(layout, pod), Ok);
    match format {
        None | Some(Format::Table(_) | Format::Columns(_)) => Ok(format!("pod/{bare} condition met\n")),
        Some(Format::Name) => Ok(format!("pod/{bare}\n")),
        Some(Format::Object(style)) => match value() {
            // It was never there, or has gone with its end.
            Err(CliError::Store(Error::NotFound(_))) => Ok(String::new()),
            value => get::object(&value?, style),
        },
    }
}

/// The pod as it is.
fn object_of(layout: &Layout, pod: &str) -> Result<Value, CliError> {
    get::one(&recover::pod(&recover::look(layout, pod)?)?)
}
