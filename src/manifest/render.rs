//! Diagnostics as people see them: rustc-like, with the line of the text and the place in it marked.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Location, Severity};
use super::tree::{boundary_after, boundary_before};
use super::words::escaped;

/// Whether to use ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// No escape sequences at all.
    Plain,
    /// For a terminal.
    Ansi,
}

/// Lines longer than this are shown in part only.
const WIDTH: usize = 160;
/// Of a line that is longer still, no more than this many bytes around the place are looked at.
const LONG_LINE: usize = 2000;

/// Renders each diagnostic as
/// ```text
/// error: Unsupported value: "Sometimes": supported values: "Always"
///   --> pod.yaml:14:22   spec.initContainers[1].restartPolicy
/// 14 |     restartPolicy: Sometimes
///    |                    ^^^^^^^^^ help: "Always" makes it a sidecar
/// ```
/// with an empty line between two. `text` is what was decoded, under the name `name`.
#[must_use]
pub fn render(name: &str, text: &str, diagnostics: &[Diagnostic], colour: Colour) -> String {
    let name = escaped(name);
    let parts: Vec<String> = diagnostics.iter().map(|d| one(&name, text, d, colour)).collect();
    parts.join("\n")
}

/// One diagnostic, ending in a newline.
fn one(name: &str, text: &str, diagnostic: &Diagnostic, colour: Colour) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning | Severity::NoEffect => Level::WARNING,
    };
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    }
    .term_width(WIDTH);
    let help = diagnostic.help.as_deref().map(|help| format!("help: {help}"));
    let title = level.primary_title(diagnostic.message.as_str());
    match &diagnostic.location {
        Some(location) if !text.trim().is_empty() => {
            let (window, offset) = window(text, location);
            let span = location.span.start - offset..location.span.end - offset;
            let snippet = Snippet::source(window)
                .line_start(location.line)
                .path(name)
                .annotation(AnnotationKind::Primary.span(span).label(help.as_deref()));
            with_field(&renderer.render(&[title.element(snippet)]), name, location, diagnostic)
        }
        _ => {
            let mut rendered = renderer.render(&[annotate_snippets::Group::with_title(title)]);
            rendered.push_str(&format!("\n  --> {name}{}\n", field_suffix(diagnostic)));
            if let Some(help) = help {
                rendered.push_str(&format!("   = {help}\n"));
            }
            rendered
        }
    }
}

/// The part of the text to hand to the renderer, and where it starts: the line, or what is near the place in a line
/// so long that even looking through it would be noticed.
fn window<'a>(text: &'a str, location: &Location) -> (&'a str, usize) {
    let start = text[..location.span.start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let end = text[location.span.end..].find(['\n', '\r']).map_or(text.len(), |at| location.span.end + at);
    let start = boundary_before(text, start.max(location.span.start.saturating_sub(LONG_LINE)));
    let end = boundary_after(text, end.min(location.span.end + LONG_LINE));
    (&text[start..end], start)
}

/// Puts the right column and the field path on the line with the place, and leaves the empty gutter line out.
fn with_field(rendered: &str, name: &str, location: &Location, diagnostic: &Diagnostic) -> String {
    let mut lines: Vec<String> = rendered.lines().map(str::to_owned).collect();
    // The first line is the message, which may look like anything.
    let arrow = |line: &String| line.contains("--> ") && line.contains(name);
    if let Some(at) = lines.iter().skip(1).position(arrow).map(|at| at + 1) {
        let arrow = lines[at].find("--> ").map_or(0, |found| found + 4);
        // What styles the arrow ends right behind it; the place itself is never styled.
        let reset = if lines[at][..arrow].contains('\u{1b}') { "\u{1b}[0m" } else { "" };
        let head = lines[at][..arrow].to_owned();
        lines[at] = format!("{head}{reset}{name}:{}:{}{}", location.line, location.column, field_suffix(diagnostic));
        if lines.get(at + 1).is_some_and(|line| anstream::adapter::strip_str(line).to_string().trim() == "|") {
            lines.remove(at + 1);
        }
    }
    let mut joined = lines.join("\n");
    joined.push('\n');
    joined
}

/// The field path as it follows the place, and of a text with several documents, in which one.
fn field_suffix(diagnostic: &Diagnostic) -> String {
    let path = diagnostic.field.to_string();
    let part = diagnostic.part;
    match (path.is_empty(), part.is_all()) {
        (true, true) => String::new(),
        (false, true) => format!("   {path}"),
        (true, false) => format!("   ({part})"),
        (false, false) => format!("   {path} ({part})"),
    }
}
