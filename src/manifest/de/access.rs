//! Lists and mappings, item by item: where a key meets the fields that its type has.

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::super::tree::{Entry, Mapping, Node};
use super::Reader;
use super::walk::{Reported, Stop, Walk};

/// The items of a list.
pub(super) struct Items<'a, 'w> {
    items: &'a [Node],
    next: usize,
    walk: &'w mut Walk,
}

impl<'a, 'w> Items<'a, 'w> {
    /// The items, from the first.
    pub fn of(items: &'a [Node], walk: &'w mut Walk) -> Items<'a, 'w> {
        Items { items, next: 0, walk }
    }
}

impl SeqAccess<'static> for Items<'_, '_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        let Some(node) = self.items.get(self.next) else {
            return Ok(None);
        };
        self.walk.path.push_index(self.next);
        self.next += 1;
        let value = seed.deserialize(Reader { node, walk: self.walk })?;
        self.walk.path.pop();
        Ok(Some(value))
    }
}

/// The entries of a mapping, read as a map or as a struct.
pub(super) struct Entries<'a, 'w> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    /// The struct's name and fields; a map has none and takes every key.
    fields: Option<(&'static str, &'static [&'static str])>,
    /// What was told about the current field.
    told: Reported,
    walk: &'w mut Walk,
}

impl<'a, 'w> Entries<'a, 'w> {
    /// Every key is taken.
    pub fn of_map(mapping: &'a Mapping, walk: &'w mut Walk) -> Entries<'a, 'w> {
        Entries { entries: mapping.entries.iter(), current: None, fields: None, told: Reported::Nothing, walk }
    }

    /// Only the struct's fields are taken, and their fates told.
    pub fn of_struct(
        mapping: &'a Mapping,
        name: &'static str,
        fields: &'static [&'static str],
        walk: &'w mut Walk,
    ) -> Entries<'a, 'w> {
        Entries {
            entries: mapping.entries.iter(),
            current: None,
            fields: Some((name, fields)),
            told: Reported::Nothing,
            walk,
        }
    }
}

impl MapAccess<'static> for Entries<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        for entry in self.entries.by_ref() {
            self.told = Reported::Nothing;
            if let Some((name, fields)) = self.fields {
                if !fields.contains(&entry.key.as_str()) {
                    self.walk.unknown(&entry.key, fields);
                    continue;
                }
                // Null is the same as leaving the field out.
                if entry.value.is_null() {
                    continue;
                }
                self.told = self.walk.tell_fate(name, entry);
                if self.told == Reported::Skip {
                    continue;
                }
            }
            self.current = Some(entry);
            return seed.deserialize(entry.key.clone().into_deserializer()).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let entry = self.current.take().ok_or_else(|| Stop("a value was asked for before its key".to_owned()))?;
        let step = usize::from(self.told == Reported::Fate);
        match self.fields {
            Some(_) => self.walk.path.push_field(&entry.key),
            None => self.walk.path.push_key(&entry.key),
        }
        self.walk.quiet += step;
        let value = seed.deserialize(Reader { node: &entry.value, walk: self.walk })?;
        self.walk.quiet -= step;
        self.walk.path.pop();
        Ok(value)
    }
}
