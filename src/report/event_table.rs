//! `kubectl events`: what happened, a line for each event.

use super::page::{self, Page};
use super::table::{blocks, columns, last_seen, within};
use crate::store::events::EventLine;

/// Whose the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// All are one pod's.
    Pod,
    /// The pod's name is a column.
    Pods,
    /// All are one Job's, which has no containers.
    Job,
    /// The Job's name is a column.
    Jobs,
}

/// Events with the names of whom they are about; messages are wrapped where the `terminal` ends, a number of columns.
pub fn events(lines: &[(&str, &EventLine)], of: Of, now: jiff::Timestamp, terminal: Option<usize>) -> String {
    let header = header(of);
    let rows: Vec<Vec<String>> = lines.iter().map(|(name, line)| cells(name, line, of, now)).collect();
    let text = columns(&header, rows.iter().cloned());
    // Beside four columns there may be no room for a fifth.
    let beside = text.lines().next().and_then(|line| line.find("MESSAGE")).unwrap_or_default();
    let is_narrow = terminal.is_some_and(|width| width < beside + page::NARROWEST);
    within(terminal, text, || match is_narrow {
        true => blocks(&header, &rows, terminal),
        false => {
            let mut page = Page::new(terminal);
            page.table(0, &header, &rows);
            page.into_text()
        }
    })
}

/// The names of the columns of [`cells`].
pub fn header(of: Of) -> Vec<&'static str> {
    match of {
        Of::Pod => vec!["LAST SEEN", "TYPE", "REASON", "CONTAINER", "MESSAGE"],
        Of::Pods => vec!["LAST SEEN", "TYPE", "REASON", "POD", "CONTAINER", "MESSAGE"],
        Of::Job => vec!["LAST SEEN", "TYPE", "REASON", "MESSAGE"],
        Of::Jobs => vec!["LAST SEEN", "TYPE", "REASON", "JOB", "MESSAGE"],
    }
}

/// An event's line.
pub fn cells(name: &str, line: &EventLine, of: Of, now: jiff::Timestamp) -> Vec<String> {
    let container = || line.container.clone().unwrap_or_else(|| "pod".to_owned());
    let mut cells = vec![last_seen(line, now), line.kind.clone(), line.reason.clone()];
    match of {
        Of::Pod => cells.push(container()),
        Of::Pods => cells.extend([name.to_owned(), container()]),
        Of::Job => {}
        Of::Jobs => cells.push(name.to_owned()),
    }
    cells.push(line.message.clone());
    cells
}
