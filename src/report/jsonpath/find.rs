//! What a template finds in an object.

use std::cmp::Ordering;

use serde_json::Value;

use super::step::{Comparison, Filter, Piece, Step};

/// What becomes of a field that an object doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing stands for it.
    Ignored,
    /// An error, unless others that the expression means have the field.
    Refused,
}

/// Why a template can't be filled in, for an object as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Nothing has such a field.
    #[error("{0} is not found")]
    Field(String),
    /// `[...]` of what isn't a list.
    #[error("{0} is not array or slice")]
    NoList(&'static str),
    /// Beyond the list's end, or before its beginning.
    #[error("array index out of bounds: index {index}, length {length}")]
    OutOfBounds {
        /// As it was written.
        index: i64,
        /// The list's.
        length: usize,
    },
    /// A slice from right to left.
    #[error("starting index {from} is greater than ending index {to}")]
    Backwards {
        /// From the list's beginning.
        from: i64,
        /// Likewise.
        to: i64,
    },
    /// A slice with a step that leads nowhere.
    #[error("step must be > 0")]
    Step,
    /// A filter with a side that isn't one value.
    #[error("can only compare one element at a time")]
    Several,
    /// A filter whose two sides have no order, or can't even be equal.
    #[error("incompatible types for comparison: {0} and {1}")]
    Incomparable(&'static str, &'static str),
    /// A template that makes an object more than anybody can read.
    #[error("that is more than can be shown")]
    TooMuch,
}

/// So many values at most are looked at for one object: `..*..*` of a large one would be without an end.
const MOST_VALUES: usize = 1_000_000;

/// The values of each piece, one after the other.
pub(super) fn all<'a>(
    pieces: &'a [Piece],
    object: &'a Value,
    missing: Missing,
) -> Result<Vec<Vec<&'a Value>>, NotFound> {
    let mut search = Search { missing, left: MOST_VALUES, found: Vec::new() };
    search.pieces(pieces, object)?;
    Ok(search.found)
}

struct Search<'a> {
    missing: Missing,
    /// How many values may still be looked at.
    left: usize,
    found: Vec<Vec<&'a Value>>,
}

impl<'a> Search<'a> {
    fn pieces(&mut self, pieces: &'a [Piece], here: &'a Value) -> Result<(), NotFound> {
        for piece in pieces {
            match piece {
                Piece::Path(steps) => {
                    let values = self.path(steps, vec![here])?;
                    self.count(1)?;
                    self.found.push(values);
                }
                Piece::Range { over, each } => {
                    for one in self.path(over, vec![here])? {
                        self.pieces(each, one)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, values: usize) -> Result<(), NotFound> {
        self.left = self.left.checked_sub(values).ok_or(NotFound::TooMuch)?;
        Ok(())
    }

    fn path(&mut self, steps: &'a [Step], from: Vec<&'a Value>) -> Result<Vec<&'a Value>, NotFound> {
        let mut values = from;
        for step in steps {
            values = self.step(step, &values)?;
            self.count(values.len())?;
        }
        Ok(values)
    }

    fn step(&mut self, step: &'a Step, from: &[&'a Value]) -> Result<Vec<&'a Value>, NotFound> {
        match step {
            Step::Field(name) => self.field(name, from),
            Step::Children => Ok(from.iter().flat_map(|one| children(one)).collect()),
            Step::Descent => {
                let mut found = Vec::new();
                for one in from {
                    self.descend(one, &mut found)?;
                }
                Ok(found)
            }
            Step::Index(index) => {
                let one = |list: &'a [Value]| at(list, *index).map(|place| vec![&list[place]]);
                lists(from)?.into_iter().map(one).collect::<Result<Vec<_>, _>>().map(|found| found.concat())
            }
            Step::Slice { from: first, to, step } => {
                let part = |list: &'a [Value]| slice(list, *first, *to, *step);
                lists(from)?.into_iter().map(part).collect::<Result<Vec<_>, _>>().map(|found| found.concat())
            }
            Step::Union(paths) => {
                let mut found = Vec::new();
                for path in paths {
                    found.extend(self.path(path, from.to_vec())?);
                }
                Ok(found)
            }
            Step::Filter(filter) => {
                let mut found = Vec::new();
                for one in lists(from)?.into_iter().flatten() {
                    if self.passes(filter, one)? {
                        found.push(one);
                    }
                }
                Ok(found)
            }
            Step::Text(text) => Ok(vec![text]),
            Step::Literal(literal) => Ok(vec![literal; from.len()]),
        }
    }

    fn field(&self, name: &str, from: &[&'a Value]) -> Result<Vec<&'a Value>, NotFound> {
        // `{.}` is the object itself.
        if name.is_empty() {
            return Ok(from.to_vec());
        }
        let found: Vec<&Value> = from.iter().filter_map(|one| one.as_object()?.get(name)).collect();
        match self.missing {
            Missing::Refused if found.is_empty() && !from.is_empty() => Err(NotFound::Field(name.to_owned())),
            Missing::Refused | Missing::Ignored => Ok(found),
        }
    }

    /// A value's depth is bounded by that of the v1 types.
    fn descend(&mut self, value: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), NotFound> {
        self.count(1)?;
        let contains_something = match value {
            Value::String(text) => !text.is_empty(),
            Value::Array(_) | Value::Object(_) => children(value).next().is_some(),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        };
        if contains_something {
            found.push(value);
        }
        children(value).try_for_each(|child| self.descend(child, found))
    }

    fn passes(&mut self, filter: &'a Filter, element: &'a Value) -> Result<bool, NotFound> {
        let (left, how, right) = match filter {
            Filter::Has(path) => match self.path(path, vec![element]) {
                Err(NotFound::TooMuch) => return Err(NotFound::TooMuch),
                found => return Ok(found.is_ok_and(|found| !found.is_empty())),
            },
            Filter::Compares { left, how, right } => (left, *how, right),
        };
        let left = self.path(left, vec![element])?;
        let right = self.path(right, vec![element])?;
        match (&left[..], &right[..]) {
            ([left], [right]) => compare(left, how, right),
            ([], _) | (_, []) => Ok(false),
            _ => Err(NotFound::Several),
        }
    }
}

/// What stands directly in a value; fields by their names.
fn children(value: &Value) -> impl Iterator<Item = &Value> {
    let elements = value.as_array().into_iter().flatten();
    elements.chain(value.as_object().into_iter().flat_map(|fields| fields.values()))
}

/// Values that must be lists; null is none.
fn lists<'a>(values: &[&'a Value]) -> Result<Vec<&'a [Value]>, NotFound> {
    let some = values.iter().filter(|one| !one.is_null());
    some.map(|one| one.as_array().map(Vec::as_slice).ok_or(NotFound::NoList(kind(one)))).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Where an element is.
fn at(list: &[Value], index: i64) -> Result<usize, NotFound> {
    let place = usize::try_from(from_beginning(index, list.len())).ok();
    place.filter(|place| *place < list.len()).ok_or(NotFound::OutOfBounds { index, length: list.len() })
}

fn from_beginning(index: i64, length: usize) -> i64 {
    if index < 0 { index.saturating_add(i64::try_from(length).unwrap_or(i64::MAX)) } else { index }
}

fn slice(list: &[Value], first: Option<i64>, to: Option<i64>, step: Option<i64>) -> Result<Vec<&Value>, NotFound> {
    let length = list.len();
    let from = from_beginning(first.unwrap_or(0), length);
    let end = to.map_or(i64::try_from(length).unwrap_or(i64::MAX), |to| from_beginning(to, length));
    // Nothing is there in every list.
    if from == end {
        return Ok(Vec::new());
    }
    let out = |index: Option<i64>| NotFound::OutOfBounds { index: index.unwrap_or(0), length };
    let begin = usize::try_from(from).ok().filter(|from| *from < length).ok_or_else(|| out(first))?;
    let stop = usize::try_from(end).ok().filter(|end| *end <= length).ok_or_else(|| out(to))?;
    let part = list.get(begin..stop).ok_or(NotFound::Backwards { from, to: end })?;
    let step = usize::try_from(step.unwrap_or(1)).ok().filter(|step| *step > 0).ok_or(NotFound::Step)?;
    Ok(part.iter().step_by(step).collect())
}

fn compare(left: &Value, how: Comparison, right: &Value) -> Result<bool, NotFound> {
    let incomparable = || NotFound::Incomparable(kind(left), kind(right));
    let is_about_order = !matches!(how, Comparison::Equal | Comparison::NotEqual);
    let order = match (left, right) {
        (Value::Bool(_), Value::Bool(_)) if is_about_order => return Err(incomparable()),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64().partial_cmp(&right.as_f64()).ok_or_else(incomparable)?,
        },
        _ => return Err(incomparable()),
    };
    Ok(match how {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    })
}
