//! The documents of a text, as kubectl takes them: the items of a list (`kind: List`, `PodList`, `ConfigMapList` ...) each stand
//! for a document of their own.

use super::diagnostic::Part;
use super::scalar::{Meaning, Scalar};
use super::tree::{Entry, Node, Value};

/// One object that a text describes.
pub(super) struct Document {
    pub tree: Node,
    /// Where it is in a text of several.
    pub part: Part,
}

/// All of a text's, in its order.
pub(super) fn of(trees: Vec<Node>) -> Vec<Document> {
    let is_alone = trees.len() == 1;
    let mut all = Vec::new();
    for (at, tree) in trees.into_iter().enumerate() {
        add(tree, if is_alone { Part::default() } else { Part::document(at) }, &mut all);
    }
    all
}

/// The document, or what a list has in it; lists in lists are as deep as a text can be.
fn add(mut tree: Node, part: Part, all: &mut Vec<Document>) {
    let Some(Listed { api_version, kind, items }) = taken_apart(&mut tree) else {
        all.push(Document { tree, part });
        return;
    };
    for (at, mut item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
        // What an API server gives out says of its items only once what they are.
        fill_in(&mut item, "apiVersion", api_version.as_deref());
        fill_in(&mut item, "kind", kind.as_deref());
        add(item, part.item(at), all);
    }
}

struct Listed {
    /// Of its items where they say none; `None`: of a plain List.
    api_version: Option<String>,
    kind: Option<String>,
    items: Vec<Node>,
}

/// The items of a list; `None`: it is something else, or no list as there should be.
fn taken_apart(tree: &mut Node) -> Option<Listed> {
    let of_items = text_of(tree, "kind")?.strip_suffix("List")?.to_owned();
    let api_version = text_of(tree, "apiVersion").map(str::to_owned);
    let Value::Mapping(mapping) = &mut tree.value else { return None };
    let items = &mut mapping.entries.iter_mut().find(|entry| entry.key == "items")?.value;
    let items = match &mut items.value {
        Value::Sequence(items) => std::mem::take(items),
        Value::Scalar(scalar) if scalar.is_null() => Vec::new(),
        Value::Scalar(_) | Value::Mapping(_) => return None,
    };
    let is_plain = of_items.is_empty();
    Some(Listed { api_version: api_version.filter(|_| !is_plain), kind: (!is_plain).then_some(of_items), items })
}

fn fill_in(item: &mut Node, key: &str, value: Option<&str>) {
    let span = item.span.clone();
    if let (Value::Mapping(mapping), Some(value)) = (&mut item.value, value)
        && mapping.get(key).is_none()
    {
        let scalar = Value::Scalar(Scalar { text: value.to_owned(), meaning: Meaning::Text });
        let value = Node { value: scalar, span: span.clone() };
        mapping.entries.push(Entry { key: key.to_owned(), key_span: span, value });
    }
}

/// The text at a key, where that is a scalar.
pub(super) fn text_of<'n>(tree: &'n Node, key: &str) -> Option<&'n str> {
    match &tree.get(key)?.value.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}
