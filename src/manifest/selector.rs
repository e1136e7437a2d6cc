//! Label selectors, as kubectl's `-l` takes them (k8s.io/apimachinery, pkg/labels/selector.go).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;

use super::validate::{label_key, label_value};

/// What labels must be like: every requirement holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

/// What one label must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// `key`
    Present,
    /// `!key`
    Absent,
    /// `key=value`, `key==value`, `key in (value, value)`
    OneOf(BTreeSet<String>),
    /// `key!=value`, `key notin (value, value)`: also where there is no such label.
    NoneOf(BTreeSet<String>),
    /// `key>number`: where the label is a greater number.
    Above(i64),
    /// `key<number`
    Below(i64),
}

impl Selector {
    /// Requirements with commas between them: `app=web,tier!=db`, `app in (web,api)`, `tier notin (db)`, `app`, `!app`,
    /// `weight>3`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words::of(text)?;
        let mut all = Vec::new();
        loop {
            all.push(words.requirement()?);
            match words.next() {
                None => return Ok(Self(all)),
                Some(",") => {}
                Some(other) => return Err(format!("{other:?} where a comma was expected")),
            }
        }
    }

    /// Whether a pod's labels are so.
    #[must_use]
    pub fn chooses(&self, pod: &v1::Pod) -> bool {
        self.matches(pod.metadata.labels.as_ref().unwrap_or(&BTreeMap::new()))
    }

    /// Whether labels are so.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|one| {
            let value = labels.get(&one.key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match &one.wanted {
                Wanted::Present => value.is_some(),
                Wanted::Absent => value.is_none(),
                Wanted::OneOf(values) => value.is_some_and(|value| values.contains(value)),
                Wanted::NoneOf(values) => value.is_none_or(|value| !values.contains(value)),
                Wanted::Above(than) => number().is_some_and(|number| number > *than),
                Wanted::Below(than) => number().is_some_and(|number| number < *than),
            }
        })
    }
}

/// The words and signs of a selector that have not been looked at yet.
struct Words<'a> {
    all: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    /// Signs are words of their own, as long as they can be; blanks only tell words apart.
    fn of(text: &'a str) -> Result<Self, String> {
        const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "<", ">", "(", ")", ","];
        let mut all = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let length = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => sign.len(),
                None => rest.find(|one: char| one.is_whitespace() || "=!<>(),".contains(one)).unwrap_or(rest.len()),
            };
            all.push(&rest[..length]);
            rest = rest[length..].trim_start();
        }
        if all.is_empty() {
            return Err("it is empty; write it like app=web,tier!=db".to_owned());
        }
        Ok(Self { all, at: 0 })
    }

    fn peek(&self) -> Option<&'a str> {
        self.all.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if self.peek() == Some("!") {
            self.at += 1;
            return Ok(Requirement { key: self.key()?, wanted: Wanted::Absent });
        }
        let key = self.key()?;
        let wanted = match self.peek() {
            None | Some(",") => Wanted::Present,
            Some(sign) => {
                self.at += 1;
                match sign {
                    "=" | "==" => Wanted::OneOf([self.value()?].into()),
                    "!=" => Wanted::NoneOf([self.value()?].into()),
                    "in" => Wanted::OneOf(self.values()?),
                    "notin" => Wanted::NoneOf(self.values()?),
                    ">" => Wanted::Above(self.number()?),
                    "<" => Wanted::Below(self.number()?),
                    other => {
                        return Err(format!(
                            "{other:?} behind {key}; that can be =, ==, !=, in (...), notin (...), < or >"
                        ));
                    }
                }
            }
        };
        Ok(Requirement { key, wanted })
    }

    fn key(&mut self) -> Result<String, String> {
        let key = self.next().filter(|word| !is_sign(word)).ok_or("a label's name is missing")?;
        let wrong = label_key(key);
        if wrong.is_empty() { Ok(key.to_owned()) } else { Err(format!("the label {key:?}: {}", wrong.join("; "))) }
    }

    /// May be empty, as a label's value may.
    fn value(&mut self) -> Result<String, String> {
        let value = match self.peek() {
            None | Some("," | ")") => return Ok(String::new()),
            Some(word) if is_sign(word) => return Err(format!("{word:?} where a value was expected")),
            Some(word) => word,
        };
        self.at += 1;
        let wrong = label_value(value);
        if wrong.is_empty() { Ok(value.to_owned()) } else { Err(format!("the value {value:?}: {}", wrong.join("; "))) }
    }

    /// `(a, b)`
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        if self.next() != Some("(") {
            return Err("values stand in brackets: app in (web,api)".to_owned());
        }
        let mut all = BTreeSet::new();
        loop {
            all.insert(self.value()?);
            match self.next() {
                Some(",") => {}
                Some(")") => return Ok(all),
                Some(other) => return Err(format!("{other:?} among values; there are commas between them")),
                None => return Err("the closing bracket is missing".to_owned()),
            }
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| format!("{value:?} is no whole number, and only those are greater or less"))
    }
}

fn is_sign(word: &str) -> bool {
    word.starts_with(['=', '!', '<', '>', '(', ')', ','])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn which_labels_are_meant() {
        let web = labels("app=web tier=front example.com/weight=5 empty=");
        for (text, holds) in [
            ("app=web", true),
            ("app==web", true),
            (" app = web , tier=front ", true),
            ("app=web,tier=back", false),
            ("app=api", false),
            ("app!=api", true),
            ("app!=web", false),
            // There is no such label, and so it isn't that.
            ("none!=web", true),
            ("none notin (web)", true),
            ("none=web", false),
            ("app in (api, web)", true),
            ("app in(api,web)", true),
            ("app in (api)", false),
            ("app notin (api,db)", true),
            ("app notin (web),tier", false),
            ("app", true),
            ("none", false),
            ("!none", true),
            ("! app", false),
            ("empty=", true),
            ("empty in ()", true),
            ("app=", false),
            ("app in (,web)", true),
            ("example.com/weight>4", true),
            ("example.com/weight > 5", false),
            ("example.com/weight<6", true),
            ("app>1", false),
            ("none<1", false),
            // They are words like any other where no sign is expected.
            ("in", false),
            ("in in (in)", false),
            ("notin!=in", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&web), holds, "{text}");
        }
        assert!(Selector::parse("!app").unwrap().matches(&labels("")));
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for (text, why) in [
            ("", "it is empty"),
            ("  ", "it is empty"),
            (",", "a label's name is missing"),
            ("app=web,", "a label's name is missing"),
            ("=web", "a label's name is missing"),
            ("!", "a label's name is missing"),
            ("!app=web", "\"=\" where a comma was expected"),
            ("app web", "\"web\" behind app"),
            ("app=web tier", "\"tier\" where a comma was expected"),
            ("app===web", "\"=\" where a value was expected"),
            ("app in web", "in brackets"),
            ("app in (web", "closing bracket"),
            ("app in (web api)", "\"api\" among values"),
            ("app>much", "\"much\" is no whole number"),
            ("-app", "the label \"-app\": name part must consist of"),
            ("app=we$b", "the value \"we$b\": a valid label must be"),
            ("app=\u{1b}[2J", "the value \"\\u{1b}[2J\""),
        ] {
            let error = Selector::parse(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
