//! What a template consists of.

use serde_json::Value;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An expression, or the text between two: all that it leads to, from where we are.
    Path(Vec<Step>),
    /// `{range PATH}...{end}`: for each of what the path leads to.
    Range { over: Vec<Step>, each: Vec<Piece> },
}

/// A step from some values to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`.
    Field(String),
    /// `.*`.
    Children,
    /// `..`: the value and all that it contains, as far as that contains something itself.
    Descent,
    /// `[3]`, from the end where it is negative.
    Index(i64),
    /// `[1:3]`, `[::2]`, `[*]`.
    Slice { from: Option<i64>, to: Option<i64>, step: Option<i64> },
    /// `['a.b', 3]`: one after the other.
    Union(Vec<Vec<Step>>),
    /// `[?(@.name=="web")]`.
    Filter(Filter),
    /// `"text"`: this once, whatever was before.
    Text(Value),
    /// `5`, `true`: instead of each value.
    Literal(Value),
}

/// Which elements of a list are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// In which this leads to something.
    Has(Vec<Step>),
    /// In which the two compare so.
    Compares { left: Vec<Step>, how: Comparison, right: Vec<Step> },
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
