//! Tree to Pod: a serde deserializer that goes on after an error. k8s-openapi's types tell it which fields there are
//! and of what type (it walks their own `Deserialize`), so no list of fields can be out of date; what is unknown or of
//! the wrong type becomes a diagnostic and an empty value. The result is good only if there was no error.

mod access;
mod walk;

use serde::Deserialize;
use serde::de::{Deserializer, IntoDeserializer, Visitor};

use access::{Entries, Items};
use walk::{Stop, Walk};

use super::diagnostic::Diagnostic;
use super::path::FieldPath;
use super::scalar::{Meaning, Scalar};
use super::tree::{Mapping, Node, Value};
use super::words::Shown;

/// A tree as a value, as far as it could be read.
pub(super) struct Read<T> {
    /// The value; empty where something couldn't be read.
    pub value: T,
    /// What there is to say, without locations.
    pub found: Vec<Diagnostic>,
    /// Fields that are not what was meant; to say more about their values would mislead.
    pub broken: Vec<FieldPath>,
}

/// Deserializes a tree.
pub(super) fn from_tree<T: Deserialize<'static> + Default>(tree: &Node) -> Read<T> {
    read(tree, Walk::default())
}

/// Deserializes a tree that barepod has written itself: nothing is told of its fields, and those that aren't known are left out.
pub(super) fn from_own<T: Deserialize<'static> + Default>(tree: &Node) -> Read<T> {
    read(tree, Walk { own: true, ..Walk::default() })
}

fn read<T: Deserialize<'static> + Default>(tree: &Node, mut walk: Walk) -> Read<T> {
    let result = T::deserialize(Reader { node: tree, walk: &mut walk });
    let value = result.unwrap_or_else(|Stop(message)| {
        // No type of a Pod gets here: what it could refuse was checked before. If one does, it is still an error.
        let path = walk.path.clone();
        walk.broken.push(FieldPath::root());
        walk.fail(Diagnostic::error(&path, format!("Invalid value: {message}")));
        T::default()
    });
    Read { value, found: walk.found, broken: walk.broken }
}

/// A node about to be read as what a type asks for.
struct Reader<'a, 'w> {
    node: &'a Node,
    walk: &'w mut Walk,
}

impl Reader<'_, '_> {
    /// Reports that the node isn't what its field needs.
    fn wrong(&mut self, needed: &str) {
        let path = self.walk.path.clone();
        let diagnostic = match &self.node.value {
            Value::Scalar(scalar) => wrong_scalar(&path, scalar, needed),
            Value::Sequence(_) => Diagnostic::error(&path, format!("Invalid type: {needed}, not a list")).at_key(),
            Value::Mapping(_) => Diagnostic::error(&path, format!("Invalid type: {needed}, not a map")).at_key(),
        };
        self.walk.fail(diagnostic);
    }

    /// The scalar, unless the node is none; then the error is reported.
    fn scalar(&mut self, needed: &str) -> Option<&Scalar> {
        if !matches!(self.node.value, Value::Scalar(_)) {
            self.wrong(needed);
        }
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// A whole number in a range; 0 after an error.
    fn integer(&mut self, least: i128, most: i128) -> i128 {
        match self.scalar("must be an integer").map(|scalar| (scalar.meaning, scalar.text.clone())) {
            Some((Meaning::Integer(value), _)) if (least..=most).contains(&value) => value,
            Some((Meaning::Integer(_), text)) => {
                let detail = format!("must be between {least} and {most}, inclusive");
                let path = self.walk.path.clone();
                self.walk.fail(Diagnostic::error(
                    &path,
                    format!("Invalid value: {}: {detail}", text.shown().trim_matches('"')),
                ));
                0
            }
            Some(_) => {
                self.wrong("must be an integer");
                0
            }
            None => 0,
        }
    }

    /// A text; empty after an error and for null.
    fn text(&mut self) -> String {
        match self.scalar("must be a string").map(|scalar| (scalar.meaning, scalar.text.clone())) {
            Some((Meaning::Text, text)) if self.walk.own || !text.contains('\0') => text,
            Some((Meaning::Text, text)) => {
                let path = self.walk.path.clone();
                self.walk.fail(Diagnostic::invalid(&path, text, "must not contain a NUL character"));
                String::new()
            }
            // `key:` in a map of texts is the empty text; an item of a list with nothing in it is a slip.
            Some((Meaning::Null, _)) if self.walk.path.last().is_some() => String::new(),
            Some(_) => {
                self.wrong("must be a string");
                String::new()
            }
            None => String::new(),
        }
    }
}

/// What is said about a scalar of the wrong type.
fn wrong_scalar(path: &FieldPath, scalar: &Scalar, needed: &str) -> Diagnostic {
    let quoted = scalar.text.as_str().shown();
    let shown = match scalar.meaning {
        Meaning::Text => quoted.clone(),
        Meaning::Null if scalar.text.is_empty() => "null".to_owned(),
        Meaning::Null | Meaning::Bool(_) | Meaning::Integer(_) | Meaning::Fraction => {
            quoted.trim_matches('"').to_owned()
        }
    };
    let diagnostic = Diagnostic::error(path, format!("Invalid value: {shown}: {needed}"));
    match (needed, scalar.meaning) {
        ("must be a string", Meaning::Null) => diagnostic.help("write \"\" for an empty string"),
        ("must be a string", _) => {
            diagnostic.help(format!("without quotes YAML reads {} here: write {quoted}", scalar.kind()))
        }
        ("must be an integer", Meaning::Text) if scalar.text.parse::<i128>().is_ok() => {
            diagnostic.help(format!("leave out the quotes: {}", scalar.text))
        }
        ("must be an integer", Meaning::Fraction) => diagnostic.help("write a whole number"),
        ("must be a boolean", _) => diagnostic.help("write true or false"),
        _ => diagnostic,
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $number:ty),*) => {$(
        fn $method<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            let value = self.integer(i128::from(<$number>::MIN), i128::from(<$number>::MAX));
            visitor.$visit(<$number>::try_from(value).unwrap_or_default())
        }
    )*};
}

impl Deserializer<'static> for Reader<'_, '_> {
    type Error = Stop;

    /// Asked for by int-or-string alone: all other types of a Pod say what they want.
    fn deserialize_any<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.value {
            Value::Sequence(_) | Value::Mapping(_) => {
                self.wrong("must be an integer or a string");
                visitor.visit_string(String::new())
            }
            Value::Scalar(scalar) => match scalar.meaning {
                Meaning::Integer(_) => {
                    let value = self.integer(i32::MIN.into(), i32::MAX.into());
                    visitor.visit_i32(i32::try_from(value).unwrap_or_default())
                }
                Meaning::Text => visitor.visit_string(scalar.text.clone()),
                Meaning::Null | Meaning::Bool(_) | Meaning::Fraction => {
                    self.wrong("must be an integer or a string");
                    visitor.visit_string(String::new())
                }
            },
        }
    }

    fn deserialize_bool<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let meaning = self.scalar("must be a boolean").map(|scalar| scalar.meaning);
        match meaning {
            Some(Meaning::Bool(value)) => visitor.visit_bool(value),
            Some(_) => {
                self.wrong("must be a boolean");
                visitor.visit_bool(false)
            }
            None => visitor.visit_bool(false),
        }
    }

    integers!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_str<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match name {
            "Quantity" => {
                let text = quantity_text(&mut self);
                visitor.visit_string(text)
            }
            "Time" | "MicroTime" => {
                let text = self.text();
                if text.parse::<jiff::Timestamp>().is_ok() {
                    return visitor.visit_newtype_struct(text.into_deserializer());
                }
                if !text.is_empty() {
                    let detail = "must be a time such as 2026-11-23T12:00:00Z";
                    let path = self.walk.path.clone();
                    self.walk.fail(Diagnostic::invalid(&path, text, detail));
                }
                visitor.visit_newtype_struct("1970-01-01T00:00:00Z".to_owned().into_deserializer())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.value {
            Value::Sequence(items) => visitor.visit_seq(Items::of(items, self.walk)),
            Value::Scalar(_) | Value::Mapping(_) => {
                self.wrong("must be a list");
                visitor.visit_seq(Items::of(&[], self.walk))
            }
        }
    }

    fn deserialize_map<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.value {
            Value::Mapping(mapping) => visitor.visit_map(Entries::of_map(mapping, self.walk)),
            Value::Scalar(_) | Value::Sequence(_) => {
                self.wrong("must be a map");
                visitor.visit_map(Entries::of_map(&Mapping::default(), self.walk))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'static>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.value {
            Value::Mapping(mapping) => visitor.visit_map(Entries::of_struct(mapping, name, fields, self.walk)),
            // `emptyDir:` with nothing behind it in a list of fields is null and never gets here; an item of a list
            // may be null, and is an empty struct to the API server, which then misses what is required in it.
            Value::Scalar(_) | Value::Sequence(_) => {
                self.wrong("must be a map");
                visitor.visit_map(Entries::of_map(&Mapping::default(), self.walk))
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'static>>
        f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
    }
}

/// The text of a quantity, which may be written as a number; `0` after an error.
fn quantity_text(reader: &mut Reader<'_, '_>) -> String {
    let needed = "must be a quantity";
    let found = match reader.scalar(needed).map(|scalar| (scalar.meaning, &scalar.text)) {
        Some((Meaning::Integer(value), _)) => value.to_string(),
        Some((Meaning::Text | Meaning::Fraction, text)) => text.clone(),
        Some((Meaning::Null | Meaning::Bool(_), _)) => {
            reader.wrong(needed);
            "0".to_owned()
        }
        None => "0".to_owned(),
    };
    match super::quantity::Quantity::parse(&found) {
        Ok(_) => found,
        Err(error) => {
            let path = reader.walk.path.clone();
            reader.walk.fail(Diagnostic::invalid(&path, found, error).help(error.help()));
            "0".to_owned()
        }
    }
}
