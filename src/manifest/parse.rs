//! Text to tree: YAML by granit-parser (serde-saphyr's own parser), JSON as the YAML it is. One document, or several;
//! every key has its place; duplicate keys are kept for reporting; anchors, aliases and merge keys are resolved
//! within a budget, so that a small text can't become a big tree.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::diagnostic::Diagnostic;
use super::path::FieldPath;
use super::scalar::{Meaning, Scalar};
use super::text::{self, Fault, Repair};
use super::tree::{Duplicate, Entry, Mapping, Node, Value, boundary_before, place};
use super::wording::{Wording, empty, second_document};
use super::words::escaped;

/// Levels of lists and maps in each other; a Pod needs about a dozen.
const MOST_DEPTH: usize = 64;
/// Nodes of the tree, with what aliases and merge keys copy.
const MOST_NODES: usize = 200_000;

/// Parses the one document in the text.
pub(super) fn parse(text: &str, wording: Wording) -> Result<Node, Diagnostic> {
    let mut documents = parse_all(text, wording)?.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        (Some(_), Some(second)) => Err(second_document(text, &second, wording)),
        (None, _) => Err(empty(wording)),
    }
}

/// Parses all documents that hold something.
pub(super) fn parse_all(text: &str, wording: Wording) -> Result<Vec<Node>, Diagnostic> {
    let mut documents = Vec::new();
    let mut nodes = 0;
    for place in text::values(text) {
        documents.extend(parse_value(text, place, wording, &mut nodes)?);
    }
    Ok(documents)
}

/// Parses what is at this place of the text. What libyaml takes and the parser doesn't is mended, as often as the time for
/// that lasts.
fn parse_value(text: &str, place: Range<usize>, wording: Wording, nodes: &mut usize) -> Result<Vec<Node>, Diagnostic> {
    let mut repair = Repair::new(&text[place.clone()]);
    loop {
        let mut builder = Builder {
            text,
            start: place.start,
            wording,
            repair: &repair,
            parser: parser(repair.text()),
            anchors: HashMap::new(),
            nodes: *nodes,
            fault: None,
        };
        let (read, fault) = (builder.documents(), builder.fault);
        match read {
            Ok(documents) => {
                *nodes = builder.nodes;
                return Ok(documents);
            }
            Err(diagnostic) => match fault {
                Some((fault, at)) if repair.mend(fault, at) => {}
                _ => return Err(diagnostic),
            },
        }
    }
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    Parser::new_from_str_with_options(text, options)
}

/// Builds nodes from the parser's events.
struct Builder<'t> {
    /// All of it.
    text: &'t str,
    /// Where in it what is parsed begins.
    start: usize,
    wording: Wording,
    repair: &'t Repair<'t>,
    parser: Parser<'t, StrInput<'t>>,
    /// What each anchor named, by the parser's number for it.
    anchors: HashMap<usize, Node>,
    /// Nodes made so far.
    nodes: usize,
    /// What the parser stopped at, where that can be mended, and where.
    fault: Option<(Fault, usize)>,
}

impl<'t> Builder<'t> {
    fn documents(&mut self) -> Result<Vec<Node>, Diagnostic> {
        let mut documents = Vec::new();
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => {
                    let node = self.node(event, &span, 0)?;
                    if !node.is_null() {
                        documents.push(node);
                    }
                }
            }
        }
        Ok(documents)
    }

    /// The next event.
    fn next(&mut self) -> Result<Option<(Event<'t>, Range<usize>)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.range(&span)))),
            Some(Err(error)) => {
                let fault = match error.kind() {
                    ErrorKind::CommentNotSeparated => Some(Fault::Comment),
                    ErrorKind::UnknownQuotedScalarEscape => Some(Fault::Escape),
                    _ => None,
                };
                self.fault = fault.zip(error.marker().byte_offset());
                Err(self.syntax_error(&error))
            }
        }
    }

    /// Bytes of a span, whose markers count characters where the parser knows no bytes.
    fn range(&self, span: &Span) -> Range<usize> {
        let found = span.byte_range().map(|range| range.start + self.start..range.end + self.start);
        found.unwrap_or(self.text.len()..self.text.len())
    }

    /// What the parser couldn't read.
    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().map_or(self.text.len(), |at| at + self.start).min(self.text.len());
        let at = boundary_before(self.text, at);
        let message = format!("not YAML: {}", error.info());
        let tabs =
            self.text[..at].rsplit('\n').next().is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'))
                || self.text[at..].starts_with('\t');
        let mut diagnostic = Diagnostic::error(&FieldPath::root(), message);
        if tabs {
            diagnostic = diagnostic.help("indent with spaces: YAML takes no tabs there");
        }
        diagnostic.location = Some(place(self.text, &(at..at)));
        diagnostic
    }

    /// An error about a place in the text.
    fn error_at(&self, span: Range<usize>, message: &str, help: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(&FieldPath::root(), message).help(help);
        diagnostic.location = Some(place(self.text, &span));
        diagnostic
    }

    /// Counts nodes against the budget.
    fn count(&mut self, nodes: usize, span: &Range<usize>) -> Result<(), Diagnostic> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(self.error_at(
                span.clone(),
                &format!("Too many: the {} has more than {MOST_NODES} values", self.wording.noun),
                "aliases count as what they stand for",
            ));
        }
        Ok(())
    }

    /// The node that starts with this event.
    fn node(&mut self, event: Event<'t>, span: &Range<usize>, depth: usize) -> Result<Node, Diagnostic> {
        if depth > MOST_DEPTH {
            let message = format!("lists and maps are nested deeper than {MOST_DEPTH} levels");
            return Err(self.error_at(span.clone(), &message, "no field of a Pod is that deep"));
        }
        self.count(1, span)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = if style == ScalarStyle::DoubleQuoted { self.repair.scalar(text) } else { text };
                (Value::Scalar(self.scalar(&text, style, tag.as_deref(), span)?), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.expect_tag(tag.as_deref(), "seq", span)?;
                (Value::Sequence(self.sequence(depth)?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.expect_tag(tag.as_deref(), "map", span)?;
                (Value::Mapping(self.mapping(depth)?), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias *{} has no anchor before it", escaped(&name));
                return Err(self.error_at(span.clone(), &message, "an anchor is written &name before the value"));
            }
            _ => return Err(self.error_at(span.clone(), "not YAML: a value is missing", "write one")),
        };
        let node = Node { value, span: span.clone() };
        if anchor != 0 {
            self.count(node.weight(), span)?;
            let mut copy = node.clone();
            copy.forget_duplicates();
            self.anchors.insert(anchor, copy);
        }
        Ok(node)
    }

    /// A copy of what an alias stands for.
    fn alias(&mut self, anchor: usize, span: &Range<usize>) -> Result<Node, Diagnostic> {
        let Some(weight) = self.anchors.get(&anchor).map(Node::weight) else {
            return Err(self.error_at(span.clone(), "the alias is part of what it stands for", "write the value out"));
        };
        self.count(weight, span)?;
        let mut node = self.anchors.get(&anchor).cloned().expect("it was there for its weight");
        node.span = span.clone();
        Ok(node)
    }

    /// A scalar with its meaning.
    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Range<usize>,
    ) -> Result<Scalar, Diagnostic> {
        Scalar::read(text, style, tag).map_err(|tag| self.unknown_tag(&tag, span))
    }

    /// Refuses a tag that doesn't say what the value is anyway.
    fn expect_tag(&self, tag: Option<&Tag>, core: &str, span: &Range<usize>) -> Result<(), Diagnostic> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema_tag(core) => Err(self.unknown_tag(&tag.original(), span)),
            _ => Ok(()),
        }
    }

    /// What is said about a tag that nothing here understands.
    fn unknown_tag(&self, tag: &str, span: &Range<usize>) -> Diagnostic {
        let message = format!("the tag {} doesn't fit here", escaped(tag));
        self.error_at(span.clone(), &message, "leave the tag out; only !!str, !!int, !!float, !!bool, !!null are known")
    }

    /// The items up to the end of the sequence.
    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
        Ok(items)
    }

    /// The entries up to the end of the mapping, merge keys resolved.
    fn mapping(&mut self, depth: usize) -> Result<Mapping, Diagnostic> {
        let mut mapping = Mapping::default();
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        let mut merges = Vec::new();
        while let Some((event, key_span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, &key_span, depth + 1)?;
            let key = self.key(key, &key_span)?;
            let Some((event, span)) = self.next()? else {
                break;
            };
            let value = self.node(event, &span, depth + 1)?;
            if merge {
                merges.push(value);
                continue;
            }
            match seen.entry(key.clone()) {
                Slot::Occupied(first) => {
                    mapping.duplicates.push(Duplicate { key, span: key_span, first: first.get().clone() });
                }
                Slot::Vacant(slot) => {
                    slot.insert(key_span.clone());
                    mapping.entries.push(Entry { key, key_span, value });
                }
            }
        }
        for merge in merges {
            self.merge(merge, &mut mapping, &mut seen)?;
        }
        Ok(mapping)
    }

    /// The text of a key.
    fn key(&self, node: Node, span: &Range<usize>) -> Result<String, Diagnostic> {
        match node.value {
            Value::Scalar(Scalar { text, meaning: Meaning::Text | Meaning::Integer(_) | Meaning::Fraction }) => {
                Ok(text)
            }
            Value::Scalar(scalar) => Err(self.error_at(
                span.clone(),
                &format!("Invalid key: \"{}\" is {} in YAML", escaped(&scalar.text), scalar.kind()),
                "put the key into quotes",
            )),
            Value::Sequence(_) | Value::Mapping(_) => {
                Err(self.error_at(span.clone(), "Invalid key: a list or a map can't be a key", "write a name"))
            }
        }
    }

    /// Adds the entries of a merge key's mapping, or mappings, that aren't there yet.
    fn merge(
        &mut self,
        from: Node,
        into: &mut Mapping,
        seen: &mut HashMap<String, Range<usize>>,
    ) -> Result<(), Diagnostic> {
        match from.value {
            Value::Mapping(mapping) => {
                for entry in mapping.entries {
                    if let Slot::Vacant(slot) = seen.entry(entry.key.clone()) {
                        slot.insert(entry.key_span.clone());
                        into.entries.push(entry);
                    }
                }
                Ok(())
            }
            Value::Sequence(items) if items.iter().all(|item| matches!(item.value, Value::Mapping(_))) => {
                items.into_iter().try_for_each(|item| self.merge(item, into, seen))
            }
            Value::Sequence(_) | Value::Scalar(_) => {
                Err(self.error_at(from.span, "the merge key << needs a map or a list of maps", "as in <<: *anchor"))
            }
        }
    }
}
