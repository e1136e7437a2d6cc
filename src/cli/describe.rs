//! `barepod describe`: all about pods, for people.

mod jobs;

use super::args::{DescribeArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{exit_of_all, print};
use super::{chosen, recover, terminal};
use crate::report::describe::{self, Described};
use crate::store::layout::Layout;

/// So many of what the supervisor of a detached pod said last.
const LAST_LINES: usize = 5;

/// Shows pods as they are: also those that nobody supervises. Of several those are shown that there are.
pub fn describe(args: &DescribeArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    if let Some(names) = &args.pods.jobs {
        return jobs::describe(args, names, &layout);
    }
    let pods = chosen::pods(&layout, &args.pods)?;
    if let [pod] = &pods[..] {
        return print(&text(&layout, pod, args)?);
    }
    let mut has_printed = false;
    exit_of_all(pods.iter().map(|pod| {
        let text = text(&layout, pod, args)?;
        let between = if std::mem::replace(&mut has_printed, true) { "\n\n" } else { "" };
        print(&format!("{between}{text}"))
    }))
}

fn text(layout: &Layout, pod: &str, args: &DescribeArgs) -> Result<String, CliError> {
    let found = recover::look(layout, pod)?;
    let pod = recover::pod(&found)?;
    let events = args.show_events.then(|| found.events().map_err(|cause| recover::unreadable(&found, cause)));
    let events = events.transpose()?;
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
    Ok(describe::describe(&Described {
        pod: &pod,
        events: events.as_deref(),
        now,
        memory_qos,
        left,
        supervisor,
        width,
    }))
}
