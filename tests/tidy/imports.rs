//! What the modules of a crate use of each other, from their tokens: `use` over several lines and in groups, `super::` and
//! `self::`, names that were renamed or come by `*`, and paths that are written out where they are used, macros' arguments
//! included. A name that is only passed on by `pub use` leads to the module that has it.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use tokens::Reader;

/// `["runtime", "exec"]` of `crate::runtime::exec`.
pub type ModulePath = Vec<String>;

/// One module that has a file, with what is in modules inside of it.
#[derive(Default)]
struct Module {
    file: PathBuf,
    is_test: bool,
    items: BTreeSet<String>,
    /// What `use` brings: name -> path as it is written.
    bindings: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    mentions: Vec<Mention>,
    /// Every word but those of `use`.
    words: BTreeSet<String>,
}

/// A path somewhere in a module.
struct Mention {
    path: Vec<String>,
    in_test: bool,
    /// `pub use`: passed on, under this name; used here only where the name is.
    passed_on: Option<String>,
}

/// That a module names something of another one, or of another crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub file: PathBuf,
    pub from: ModulePath,
    /// The module that is named.
    pub named: Target,
    /// The one that has what is used.
    pub to: Target,
    pub in_test: bool,
    pub passed_on: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Module(ModulePath),
    Crate(String),
}

/// All modules of a crate.
pub struct Crate(BTreeMap<ModulePath, Module>);

impl Crate {
    /// From its files, by their paths below its `src`.
    pub fn read(files: &BTreeMap<PathBuf, String>) -> Self {
        let mut all = Self(BTreeMap::new());
        for (file, text) in files {
            let tokens: TokenStream =
                text.parse().unwrap_or_else(|error| panic!("{}: no Rust: {error}", file.display()));
            let path = module_path(file);
            let is_test = super::is_test(file);
            all.0.entry(path.clone()).or_default().file.clone_from(file);
            Reader { all: &mut all, file }.tokens(tokens, &path, is_test);
        }
        all
    }

    /// Whether it is a module of the crate.
    pub fn has(&self, path: &[String]) -> bool {
        self.0.contains_key(path)
    }

    /// Everything that is named across files; names that don't lead out of their own file are left out.
    pub fn uses(&self) -> BTreeSet<Use> {
        let mut found = BTreeSet::new();
        for (path, module) in &self.0 {
            for mention in &module.mentions {
                let filed = |target: Target| match target {
                    Target::Module(to) => Target::Module(self.with_file(&to)),
                    Target::Crate(name) => Target::Crate(name),
                };
                let Some(to) = Search { all: self, origin: None }.target(path, &mention.path, 0).map(filed) else {
                    continue;
                };
                let near = Search { all: self, origin: Some(path) };
                let named = near.target(path, &mention.path, 0).map_or_else(|| to.clone(), filed);
                let from = self.with_file(path);
                let passed_on = mention.passed_on.as_ref().is_some_and(|name| !module.words.contains(name));
                if to != Target::Module(from.clone()) {
                    let in_test = mention.in_test || module.is_test;
                    found.insert(Use { file: self.0[&from].file.clone(), from, named, to, in_test, passed_on });
                }
            }
        }
        found
    }

    /// The module with a file of its own in which this one is.
    fn with_file(&self, path: &[String]) -> ModulePath {
        let mut path = path.to_vec();
        while self.0.get(&path).is_none_or(|module| module.file.as_os_str().is_empty()) && !path.is_empty() {
            path.pop();
        }
        path
    }
}

/// Looks for what a path leads to.
#[derive(Clone, Copy)]
struct Search<'a> {
    all: &'a Crate,
    /// Names that other modules than this one pass on aren't followed.
    origin: Option<&'a ModulePath>,
}

impl Search<'_> {
    /// Where a path leads that is written in module `at`; `None`: to nothing that is known, as a type's own function does.
    fn target(&self, at: &[String], path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        if depth > 12 {
            return None;
        }
        match first.as_str() {
            "crate" => return self.owner(&[], rest, depth),
            "self" if rest.first().is_some_and(|next| next == "super") => return self.target(at, rest, depth),
            "self" => return self.owner(at, rest, depth),
            "super" => {
                let (_, parent) = at.split_last()?;
                let goes_on = rest.first().is_some_and(|next| next == "super");
                return if goes_on { self.target(parent, rest, depth) } else { self.owner(parent, rest, depth) };
            }
            _ => {}
        }
        let known = self.all.0.get(at).is_some_and(|module| {
            module.items.contains(first) || module.bindings.contains_key(first) || !module.globs.is_empty()
        });
        if (known || self.all.has(&joined(at, first)))
            && let Some(target) = self.owner(at, path, depth + 1)
            // A glob needn't have it.
            && (self.all.has(&joined(at, first)) || target != Target::Module(at.to_vec()) || self.all.0[at].items.contains(first))
        {
            return Some(target);
        }
        Some(Target::Crate(first.clone()))
    }

    /// The module that has what `names` leads to from module `at`.
    fn owner(&self, at: &[String], names: &[String], depth: usize) -> Option<Target> {
        let here = Some(Target::Module(at.to_vec()));
        let Some((first, rest)) = names.split_first() else { return here };
        if depth > 12 || !self.all.has(at) {
            return None;
        }
        let below = joined(at, first);
        if self.all.has(&below) {
            return self.owner(&below, rest, depth);
        }
        let module = &self.all.0[at];
        if module.items.contains(first) || self.origin.is_some_and(|origin| origin != at) {
            return here;
        }
        if let Some(path) = module.bindings.get(first) {
            // `use thing;` of another crate, or of a child, whose name is the binding's own.
            let leads_away = path.first() != Some(first);
            return if leads_away {
                self.target(at, &[path.as_slice(), rest].concat(), depth + 1)
            } else {
                Some(Target::Crate(first.clone()))
            };
        }
        for glob in &module.globs {
            if let Some(Target::Module(other)) = self.target_of_glob(at, glob, depth + 1)
                && other != at
                && self.offers(&other, first)
            {
                return self.owner(&other, names, depth + 1);
            }
        }
        here
    }

    fn target_of_glob(&self, at: &[String], glob: &[String], depth: usize) -> Option<Target> {
        match glob.first()?.as_str() {
            "crate" | "self" | "super" => self.target(at, glob, depth),
            child if self.all.has(&joined(at, child)) => self.owner(at, glob, depth),
            _ => None,
        }
    }

    fn offers(&self, at: &[String], name: &str) -> bool {
        self.all.has(&joined(at, name))
            || self
                .all
                .0
                .get(at)
                .is_some_and(|module| module.items.contains(name) || module.bindings.contains_key(name))
    }
}

fn joined(path: &[String], name: &str) -> ModulePath {
    [path, &[name.to_owned()]].concat()
}

/// `["runtime", "exec"]` of runtime/exec.rs and of runtime/exec/mod.rs; lib.rs and main.rs are the crate's root.
fn module_path(file: &Path) -> ModulePath {
    let text = file.with_extension("").display().to_string();
    let mut path: ModulePath = text.split('/').map(str::to_owned).collect();
    if matches!(path.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        path.pop();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(files: &[(&str, &str)]) -> Vec<(String, String, bool)> {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        let name = |path: &[String]| path.join("::");
        let found = Crate::read(&files).uses();
        let modules = found.iter().filter_map(|one| match &one.to {
            Target::Module(to) => Some((name(&one.from), name(to), one.in_test)),
            Target::Crate(_) => None,
        });
        modules.collect()
    }

    #[test]
    fn every_way_to_name_a_module_is_seen() {
        let base =
            [("lib.rs", "mod a; mod b; mod c;"), ("b/mod.rs", "pub struct B; pub mod d;"), ("c.rs", "pub fn c() {}")];
        let deep = ("b/d.rs", "pub struct D;");
        for (text, wanted) in [
            ("use crate::b::B;", vec!["b"]),
            ("use crate::{\n    b::{\n        B,\n    },\n    c,\n};", vec!["b", "c"]),
            ("use super::b::d::{self, D as E};", vec!["b::d"]),
            ("fn f() { crate::c::c(); }", vec!["c"]),
            ("fn f() { println!(\"{}\", super::c::c()); }", vec!["c"]),
            ("use crate::b; fn f() { b::d::D; }", vec!["b", "b::d"]),
            ("use crate::b as x; fn f(_: x::d::D) {}", vec!["b", "b::d"]),
            ("mod inside { fn f() { super::super::c::c(); self::super::super::b::d::D; } }", vec!["b::d", "c"]),
            ("// use crate::c;\nconst A: &str = \"crate::b::B\";", vec![]),
            ("use crate::b::*; fn f(_: d::D) {}", vec!["b", "b::d"]),
            ("struct Own; impl Own { fn f() { Own::f(); self::Own::f(); } }", vec![]),
            ("fn f(x: X) -> impl Sized + use<'_> { x.b::<crate::c::T>() }", vec!["c"]),
        ] {
            let mut files = base.to_vec();
            files.extend([deep, ("a.rs", text)]);
            let found: Vec<String> =
                uses(&files).into_iter().filter(|(from, ..)| from == "a").map(|(_, to, _)| to).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn names_that_are_passed_on_lead_to_who_has_them() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::D; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("b/mod.rs", "mod d; pub use d::D; pub struct B;"),
            ("b/d.rs", "use super::B; pub struct D;"),
        ];
        let to = |from: &str, to: &str, in_test| (from.to_owned(), to.to_owned(), in_test);
        assert_eq!(
            uses(&files),
            [to("a", "b", true), to("a", "b::d", false), to("b::d", "b", false), to("b", "b::d", false)]
        );
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        let passed: Vec<bool> = Crate::read(&files).uses().iter().map(|one| one.passed_on).collect();
        assert_eq!(passed, [false, false, false, true]);
    }
}
