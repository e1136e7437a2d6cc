//! `barepod wait`: until pods are as somebody wants them, or can't become so any more.

use super::args::{Global, WaitArgs};
use super::chosen;
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::until::{Deadline, Waited, until};
use crate::report::wanted::Wanted;

/// Waits for all of the pods, one after the other, and says of each that it is so.
pub fn wait(args: &WaitArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let pods = chosen::to_act_on(&layout, &args.pods, |_| true)?;
    // As kubectl: what isn't there can be gone, and nothing else.
    if pods.is_empty() && args.wanted != Wanted::Deleted {
        return Err(CliError::NoneToWaitFor);
    }
    let deadline = Deadline::after(args.timeout);
    for pod in pods {
        let bare = pod.rsplit('/').next().unwrap_or(&pod).to_owned();
        match until(&layout, &pod, &args.wanted, deadline)? {
            Waited::Met => print(&format!("pod/{bare} condition met\n"))?,
            Waited::Late => return Err(CliError::WaitedTooLong(bare)),
            Waited::Unsupervised => return Err(CliError::Unsupervised(pod)),
            Waited::Never { why } => return Err(CliError::Never { pod, wanted: args.wanted.to_string(), why }),
        };
    }
    Ok(Exit::Success)
}
