//! kubectl's JSONPath templates (<https://kubernetes.io/docs/reference/kubectl/jsonpath/>, client-go util/jsonpath): text, and in
//! braces what is taken from an object. The dialect is older than RFC 9535 and another language, so crates for that one don't serve.
//!
//! It differs from kubectl's where that has accidents: fields of objects come in the order of their names, `*` and `..` don't go
//! into the bytes of a string, a key in brackets may have `]` and `,` in it, numbers compare whatever their types,
//! an index that isn't there doesn't count as there (`?(@.list[5])`), and a `{range}` needs its `{end}`.
//!
//! Start reading at [`Template`].

mod find;
mod parse;
mod quoted;
mod step;

use serde_json::Value;

pub use find::{Missing, NotFound};
pub use parse::SyntaxError;
use step::Piece;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

impl Template {
    /// Text and expressions in braces: `{.metadata.name}{"\n"}`.
    ///
    /// # Errors
    /// Where it isn't kubectl's language.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { text: text.to_owned(), pieces: parse::template(text)? })
    }

    /// One path, where braces and the first dot may be left out: `metadata.name`.
    ///
    /// # Errors
    /// Where it isn't one path.
    pub fn parse_path(text: &str) -> Result<Self, String> {
        let inside = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        if inside.is_empty() || inside.contains(['{', '}']) {
            return Err(format!("{text:?} is no path; write it like .metadata.name or {{.metadata.name}}"));
        }
        let path = format!("{{.{}}}", inside.strip_prefix('.').unwrap_or(inside));
        Self::parse(&path).map_err(|error| format!("{path}: {error}"))
    }

    /// As it was written; a path in its whole form.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the template finds in an object: the values of each expression, and of each text between them.
    ///
    /// # Errors
    /// What isn't there, can't be compared or becomes too much.
    pub fn find<'a>(&'a self, object: &'a Value, missing: Missing) -> Result<Vec<Vec<&'a Value>>, NotFound> {
        find::all(&self.pieces, object, missing)
    }

    /// What kubectl prints for `-o jsonpath`: strings as they are, objects and lists as JSON, a blank between values.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn fill_in(&self, object: &Value, missing: Missing) -> Result<String, NotFound> {
        let mut text = String::new();
        for values in self.find(object, missing)? {
            for (index, value) in values.into_iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(&printed(value));
                if text.len() > MOST_TEXT {
                    return Err(NotFound::TooMuch);
                }
            }
        }
        Ok(text)
    }

    /// What kubectl prints for `-o jsonpath-as-json`: the values of each expression as a JSON list.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn as_json(&self, object: &Value, missing: Missing) -> Result<String, NotFound> {
        let mut text = String::new();
        for values in self.find(object, missing)? {
            text.push_str(&indented(&values));
            text.push('\n');
            if text.len() > MOST_TEXT {
                return Err(NotFound::TooMuch);
            }
        }
        Ok(text)
    }
}

/// In bytes: more than all pods of a box are, and less than would fill its memory.
const MOST_TEXT: usize = 64 << 20;

/// A value as text, by the rules of Go's `fmt.Print` and `json.Marshal`.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => as_go(&value.to_string()),
    }
}

/// Go's JSON is fit for HTML: these characters stand in strings alone.
fn as_go(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

fn indented(values: &[&Value]) -> String {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    // Memory is written to, and values are JSON already: nothing can fail.
    let _ = values.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, style));
    as_go(&String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
