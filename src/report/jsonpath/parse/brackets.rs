//! What stands in brackets: keys, indexes, slices, several of these, and filters.

use super::super::step::{Comparison, Filter, Step};
use super::{Parser, SyntaxError, Until};

impl Parser<'_> {
    /// `[...]`, but for filters.
    pub(super) fn brackets(&mut self) -> Result<Step, SyntaxError> {
        let begin = self.at;
        self.at += 1;
        let Some(close) = self.find(&[']']) else { return self.error(begin, "unterminated array") };
        let mut inside = self.part(close, close + 1);
        let mut paths = Vec::new();
        while let Some(comma) = inside.find(&[',']) {
            paths.push(inside.part(comma, comma + 1).element()?);
        }
        paths.push(inside.part(inside.end, inside.end).element()?);
        Ok(match &mut paths[..] {
            [only] if only.len() == 1 => only.remove(0),
            _ => Step::Union(paths),
        })
    }

    /// All that stands between brackets and commas: a key in quotes, `*`, an index or a slice.
    fn element(mut self) -> Result<Vec<Step>, SyntaxError> {
        let text = self.rest();
        if let Some(key) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            // Dots in a key lead on, as kubectl has it: ['a.b'] is .a.b, and ['a\.b'] one key.
            self.at += 1;
            self.end = self.at + key.len();
            let mut steps = vec![self.field()];
            steps.extend(self.path(Until::End)?);
            return Ok(steps);
        }
        if text == "*" {
            return Ok(vec![Step::Slice { from: None, to: None, step: None }]);
        }
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = |text: Option<&str>| match text {
            None | Some("") => Some(None),
            Some(text) => number(text).map(Some),
        };
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let step = match &parts[..] {
            [index] => number(index).map(Step::Index),
            [from, to, rest @ ..] if rest.len() < 2 => {
                match (bound(Some(from)), bound(Some(to)), bound(rest.first().copied())) {
                    (Some(from), Some(to), Some(step)) => Some(Step::Slice { from, to, step }),
                    _ => None,
                }
            }
            _ => None,
        };
        match step {
            Some(step) => Ok(vec![step]),
            None => self.error(
                self.at,
                format!(
                    "invalid array index {text}: there may be a number, a slice (0:2), * or a key in single quotes"
                ),
            ),
        }
    }

    /// `[?(...)]`, behind its beginning.
    pub(super) fn filter(&mut self) -> Result<Step, SyntaxError> {
        const OPERATORS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<", Comparison::Less),
            ("<=", Comparison::LessOrEqual),
            (">", Comparison::Greater),
            (">=", Comparison::GreaterOrEqual),
        ];
        let begin = self.at;
        let Some(close) = self.find(&[')']) else { return self.error(begin, "unterminated filter") };
        let mut inside = self.part(close, close + 1);
        if !self.skip("]") {
            return self.error(close, "unclosed array expect ]: a filter ends with )]");
        }
        let Some(operator) = inside.find(&['!', '<', '>', '=']) else {
            return Ok(Step::Filter(Filter::Has(inside.path(Until::End)?)));
        };
        let is_part = |one: char| matches!(one, '!' | '<' | '>' | '=');
        let behind = &self.text[operator..inside.end];
        let written = &behind[..behind.len() - behind.trim_start_matches(is_part).len()];
        let Some((_, how)) = OPERATORS.iter().find(|(known, _)| *known == written) else {
            let known = OPERATORS.map(|(known, _)| known).join(" ");
            return self.error(operator, format!("unrecognized filter operator {written}; there are {known}"));
        };
        let left = inside.part(operator, operator + written.len());
        let right = inside.part(inside.end, inside.end);
        if left.rest().is_empty() || right.rest().is_empty() {
            return self.error(operator, format!("{written} compares two values, and one is missing"));
        }
        let [left, right] = [left, right].map(|mut side| side.path(Until::End));
        Ok(Step::Filter(Filter::Compares { left: left?, how: *how, right: right? }))
    }
}
