//! `barepod wait`: until pods are as somebody wants them, or can't become so any more.

use super::args::{Global, WaitArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::given;
use super::output::print;
use super::until::{Deadline, Waited, until};

/// Waits for all of the pods, one after the other, and says of each that it is so.
pub fn wait(args: &WaitArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let pods = given::names(&args.pods)?;
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
