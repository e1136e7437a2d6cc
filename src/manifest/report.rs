//! All that is said about one text.

use std::fmt;

use super::diagnostic::{Diagnostic, Severity};
use super::render::render;

/// All there is to say about one text: at least one error. Prints without colour.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the text is called.
    pub name: String,
    /// The text, for showing its lines.
    pub text: String,
    /// Errors and warnings, in order of position.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// The report as people see it, with ANSI colours if asked for.
    #[must_use]
    pub fn render(&self, colour: super::Colour) -> String {
        render(&self.name, &self.text, &self.diagnostics, colour)
    }

    /// How many of the diagnostics are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(super::Colour::Plain))
    }
}

impl std::error::Error for Report {}
