//! `kubectl events`: what happened, a line for each event.

use super::page::{self, Page};
use super::table::{blocks, columns, last_seen, within};
use crate::store::events::EventLine;

/// Whether it must be said whose an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfPods {
    /// All are one pod's.
    One,
    /// The pod's name is a column.
    Several,
}

/// Events with the names of their pods; messages are wrapped where the `terminal` ends, a number of columns.
pub fn events(lines: &[(&str, &EventLine)], of: OfPods, now: jiff::Timestamp, terminal: Option<usize>) -> String {
    let header = header(of);
    let rows: Vec<Vec<String>> = lines.iter().map(|(pod, line)| cells(pod, line, of, now)).collect();
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
pub fn header(of: OfPods) -> Vec<&'static str> {
    match of {
        OfPods::One => vec!["LAST SEEN", "TYPE", "REASON", "CONTAINER", "MESSAGE"],
        OfPods::Several => vec!["LAST SEEN", "TYPE", "REASON", "POD", "CONTAINER", "MESSAGE"],
    }
}

/// An event's line.
pub fn cells(pod: &str, line: &EventLine, of: OfPods, now: jiff::Timestamp) -> Vec<String> {
    let container = line.container.clone().unwrap_or_else(|| "pod".to_owned());
    let mut cells = vec![last_seen(line, now), line.kind.clone(), line.reason.clone(), container, line.message.clone()];
    if of == OfPods::Several {
        cells.insert(3, pod.to_owned());
    }
    cells
}
