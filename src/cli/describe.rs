//! `barepod describe`: all about one pod, for people.

use super::args::{DescribeArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::{recover, terminal};
use crate::report::describe::{self, Described};

/// So many of what the supervisor of a detached pod said last.
const LAST_LINES: usize = 5;

/// Shows a pod as it is: also one that nobody supervises.
pub fn describe(args: &DescribeArgs, global: &Global) -> Result<Exit, CliError> {
    let found = recover::look(&global.layout()?, &args.pod.name)?;
    let pod = recover::pod(&found)?;
    let events = found.events().map_err(|cause| recover::unreadable(&found, cause))?;
    let now = jiff::Timestamp::now();
    let ledger = found.ledger().unwrap_or_else(|cause| {
        tell!("warning: {}", recover::unreadable(&found, cause));
        None
    });
    let memory_qos = ledger.as_ref().and_then(|ledger| ledger.memory_qos.as_deref());
    let left = ledger.as_ref().map_or(&[][..], |ledger| &ledger.left);
    let log = found.supervisor_log(LAST_LINES).unwrap_or_else(|cause| {
        tell!("warning: {cause}");
        None
    });
    let supervisor = log.as_ref().map(|(path, lines)| (path.as_path(), &lines[..]));
    let width = terminal::width();
    print(&describe::describe(&Described { pod: &pod, events: &events, now, memory_qos, left, supervisor, width }))
}
