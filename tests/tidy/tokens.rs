//! Finds in the tokens of a file what its modules define, and the paths that they name.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{Crate, Mention, joined};

/// Reads a file into the modules that it has.
pub(super) struct Reader<'a> {
    pub(super) all: &'a mut Crate,
    pub(super) file: &'a Path,
}

impl Reader<'_> {
    pub(super) fn tokens(&mut self, tokens: TokenStream, at: &[String], in_test: bool) {
        self.all.0.entry(at.to_vec()).or_default().is_test |= in_test;
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        self.items(&tokens, at, in_test, true);
    }

    /// Tokens of a module; `top`: not inside of a function or the like.
    fn items(&mut self, tokens: &[TokenTree], at: &[String], in_test: bool, top: bool) {
        let mut place = 0;
        while let Some(token) = tokens.get(place) {
            let after = &tokens[place + 1..];
            place += match token {
                TokenTree::Punct(sign) if sign.as_char() == '#' => match group(after.first(), Delimiter::Bracket) {
                    Some(attribute) if is_test_only(&attribute) => {
                        let item = 1 + item_length(&after[1..]);
                        self.items(&after[1..item], at, true, top);
                        1 + item
                    }
                    Some(attribute) => {
                        let other_file = attribute.to_string().starts_with("path =");
                        assert!(!other_file || in_test, "{}: #[path] can't be followed here", self.file.display());
                        1
                    }
                    None => 1,
                },
                TokenTree::Ident(word) => 1 + self.word(&word.to_string(), &tokens[..place], after, at, in_test, top),
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    self.items(&inside, at, in_test, false);
                    1
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => 1,
            };
        }
    }

    /// What a word begins; how many of the tokens `after` it belong to that.
    fn word(
        &mut self,
        word: &str,
        before: &[TokenTree],
        after: &[TokenTree],
        at: &[String],
        in_test: bool,
        top: bool,
    ) -> usize {
        let next = after.first().map(ToString::to_string).unwrap_or_default();
        match word {
            "use" if next != "<" => {
                let end = after.iter().position(|token| is_sign(token, ';')).unwrap_or(after.len());
                let mut found = Vec::new();
                use_tree(&after[..end], &[], &mut found);
                self.bind(found, at, in_test, is_public(before));
                end
            }
            "mod" => match group(after.get(1), Delimiter::Brace) {
                Some(body) => {
                    self.tokens(body, &joined(at, &next), in_test);
                    2
                }
                None => {
                    // Where the file says nothing, its declaration does.
                    self.all.0.entry(joined(at, &next)).or_default().is_test |= in_test;
                    1
                }
            },
            _ => {
                let module = self.all.0.entry(at.to_vec()).or_default();
                module.words.insert(word.to_owned());
                let defines = ["struct", "enum", "union", "trait", "type", "const", "static", "fn"].contains(&word);
                if top && defines {
                    module.items.insert(next);
                }
                if before.ends_with_sign('.') {
                    return 0;
                }
                let (path, length) = written_path(word, after);
                if path.len() > 1 {
                    module.words.extend(path[1..].iter().cloned());
                    module.mentions.push(Mention { path, in_test, passed_on: None });
                }
                length
            }
        }
    }

    fn bind(&mut self, found: Vec<(Vec<String>, String)>, at: &[String], in_test: bool, public: bool) {
        let module = self.all.0.entry(at.to_vec()).or_default();
        for (path, name) in found {
            let passed_on = public.then(|| name.clone());
            if name == "*" {
                module.globs.push(path.clone());
            } else if name != "_" {
                module.bindings.insert(name, path.clone());
            }
            module.mentions.push(Mention { path, in_test, passed_on });
        }
    }
}

trait EndsWithSign {
    fn ends_with_sign(&self, sign: char) -> bool;
}

impl EndsWithSign for [TokenTree] {
    fn ends_with_sign(&self, sign: char) -> bool {
        self.last().is_some_and(|token| is_sign(token, sign))
    }
}

fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == sign)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.stream()),
        Some(_) | None => None,
    }
}

/// `pub`, `pub(crate)`, `pub(super)`.
fn is_public(before: &[TokenTree]) -> bool {
    let before = match before.split_last() {
        Some((last, rest)) if group(Some(last), Delimiter::Parenthesis).is_some() => rest,
        _ => before,
    };
    before.last().is_some_and(|token| token.to_string() == "pub")
}

/// `cfg(test)`, also among others that have to hold.
fn is_test_only(attribute: &TokenStream) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text == "cfg(test)" || text == "test" || text.starts_with("cfg(all(test,")
}

/// How many tokens an item has: up to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let end = tokens
        .iter()
        .position(|token| is_sign(token, ';') || is_sign(token, ',') || group(Some(token), Delimiter::Brace).is_some());
    end.map_or(tokens.len(), |end| {
        // `use a::{b, c};`
        let is_use_group = tokens.get(end + 1).is_some_and(|token| is_sign(token, ';'));
        end + 1 + usize::from(is_use_group)
    })
}

/// `a::b::c` from its first word on, and how many of the tokens after that it takes.
fn written_path(first: &str, after: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut path, mut length) = (vec![first.to_owned()], 0);
    while let [a, b, TokenTree::Ident(word), ..] = &after[length..]
        && is_sign(a, ':')
        && is_sign(b, ':')
    {
        path.push(word.to_string());
        length += 3;
    }
    (path, length)
}

/// Every path of a `use`, and the name that it has then: `*` for all, `_` for none.
fn use_tree(tokens: &[TokenTree], prefix: &[String], found: &mut Vec<(Vec<String>, String)>) {
    for branch in tokens.split(|token| is_sign(token, ',')).filter(|branch| !branch.is_empty()) {
        let mut path = prefix.to_vec();
        let mut name = None;
        let mut words = branch.iter().filter(|token| !is_sign(token, ':'));
        while let Some(token) = words.next() {
            match token {
                TokenTree::Group(inner) => {
                    let inner: Vec<TokenTree> = inner.stream().into_iter().collect();
                    use_tree(&inner, &path, found);
                    path.clear();
                }
                TokenTree::Ident(word) if word == "as" => name = words.next().map(ToString::to_string),
                TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(_) => name = Some("*".to_owned()),
                TokenTree::Literal(_) => {}
            }
        }
        if let Some(last) = path.last() {
            let name = name.unwrap_or_else(|| last.clone());
            found.push((path, name));
        }
    }
}
