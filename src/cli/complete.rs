//! `barepod __complete`: the names that a shell offers for the word at the cursor: of pods, containers and namespaces. The completion
//! scripts call it. It only looks, says nothing of what it can't see, and never fails.

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::{Cli, CompleteArgs, Global};
use super::container;
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};

/// Commands that can do nothing with a pod that has ended.
const FOR_THOSE_THAT_RUN: [&str; 10] =
    ["attach", "cp", "debug", "exec", "kill", "port-forward", "resize", "restart", "stop", "top"];

/// Prints them, one a line.
pub fn complete(args: &CompleteArgs) -> Result<Exit, CliError> {
    let mut root = Cli::command();
    root.build();
    let Some((current, before)) = args.words.split_last() else { return Ok(Exit::Success) };
    let names = Line::read(&root, before).and_then(|line| line.names(current)).unwrap_or_default();
    let fitting = names.iter().filter(|name| name.starts_with(&**current) && is_plain(name));
    print(&fitting.map(|name| format!("{name}\n")).collect::<String>())
}

/// Whether it means nothing to a shell.
fn is_plain(name: &str) -> bool {
    name.chars().all(|one| one.is_ascii_alphanumeric() || "-./:".contains(one))
}

/// What stands before the word at the cursor.
#[derive(Default)]
struct Line<'a> {
    command: Option<&'a Command>,
    /// Whose value the word at the cursor is.
    option: Option<&'a Arg>,
    given: Vec<&'a str>,
    namespace: Option<&'a str>,
    root: Option<&'a str>,
    /// Whether options have come to their end (`--`).
    is_over: bool,
}

impl<'a> Line<'a> {
    /// `None`: there is no such command.
    fn read(root: &'a Command, words: &'a [String]) -> Option<Self> {
        let mut line = Self::default();
        for word in words {
            match line.option.take() {
                Some(option) => line.set(option, word),
                None if word == "--" => line.is_over = true,
                None if word.starts_with('-') && word.len() > 1 && !line.is_over => {
                    line.read_option(line.command.unwrap_or(root), word);
                }
                None if line.command.is_none() => line.command = Some(root.find_subcommand(word)?),
                None => line.given.push(word),
            }
        }
        Some(line)
    }

    fn read_option(&mut self, command: &'a Command, word: &'a str) {
        let Some(long) = word.strip_prefix("--") else {
            // `-fc web`: the first that has a value has the rest for it.
            for (at, short) in word.char_indices().skip(1) {
                let option = command.get_arguments().find(|arg| arg.get_short() == Some(short));
                if let Some(option) = option.filter(|option| has_value(option)) {
                    match &word[at + short.len_utf8()..] {
                        "" => self.option = Some(option),
                        value => self.set(option, value.strip_prefix('=').unwrap_or(value)),
                    }
                    return;
                }
            }
            return;
        };
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let option = command.get_arguments().find(|arg| arg.get_long() == Some(name));
        match (option.filter(|option| has_value(option)), value) {
            (Some(option), Some(value)) => self.set(option, value),
            (Some(option), None) if !option.is_require_equals_set() => self.option = Some(option),
            _ => {}
        }
    }

    fn set(&mut self, option: &Arg, value: &'a str) {
        match option.get_long() {
            Some("namespace") => self.namespace = Some(value),
            Some("root") => self.root = Some(value),
            _ => {}
        }
    }

    /// What may stand at the cursor; `None`: that is no name.
    fn names(&self, current: &str) -> Option<Vec<String>> {
        let command = self.command?;
        let what = match self.option {
            Some(option) => option.get_value_names()?.first()?.as_str(),
            None if current.starts_with('-') && !self.is_over => return None,
            None => {
                let all: Vec<&Arg> = command.get_positionals().collect();
                let is_many = |arg: &&Arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1);
                let last = all.last().filter(|arg| is_many(arg)).copied();
                all.get(self.given.len()).copied().or(last)?.get_value_names()?.first()?.as_str()
            }
        };
        let layout = Global { root: self.root.map(Into::into), image_store_ro: Vec::new() }.layout().ok()?;
        match what {
            "POD" => Some(self.pods(&layout, current)),
            // `cp SOURCE TARGET`: of the box it is a file, which the shell knows.
            "SOURCE" | "TARGET" => Some(self.pods(&layout, current).iter().map(|pod| format!("{pod}:")).collect()),
            "CONTAINER" => Some(self.containers(&layout)),
            "NAMESPACE" => {
                let all = read::list(&layout).ok()?;
                Some(all.into_iter().map(|found| found.namespace).collect::<BTreeSet<_>>().into_iter().collect())
            }
            _ => None,
        }
    }

    /// By their names, which have the namespace in them where they aren't plain without, or where one has begun with it.
    fn pods(&self, layout: &Layout, current: &str) -> Vec<String> {
        let all = read::list(layout).unwrap_or_default();
        let runs = |found: &Found| found.life().is_ok_and(|life| !matches!(life, Life::Ended | Life::Left));
        let only_running = self.command.is_some_and(|command| FOR_THOSE_THAT_RUN.contains(&command.get_name()));
        let kind = ["pod/", "pods/"].into_iter().find(|kind| current.starts_with(kind)).unwrap_or_default();
        let is_full = current[kind.len()..].contains('/');
        let name = |found: &Found| {
            let is_plain = self.namespace.is_some() || all.iter().filter(|one| one.name == found.name).count() == 1;
            if is_plain && !is_full { found.name.clone() } else { format!("{}/{}", found.namespace, found.name) }
        };
        let asked = |found: &&Found| self.namespace.is_none_or(|namespace| namespace == found.namespace);
        let fitting = all.iter().filter(asked).filter(|found| !only_running || runs(found));
        let names = fitting.map(|found| format!("{kind}{}", name(found)));
        names.filter(|name| !self.given.contains(&name.as_str())).collect()
    }

    /// Of the pods that are named.
    fn containers(&self, layout: &Layout) -> Vec<String> {
        let pods = self.given.iter().filter_map(|name| {
            let name = ["pod/", "pods/"].into_iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name);
            let name = match self.namespace {
                Some(namespace) if !name.contains('/') => format!("{namespace}/{name}"),
                _ => name.to_owned(),
            };
            read::find(layout, &name).ok()?.pod().ok()?
        });
        pods.flat_map(|pod| container::all(&pod)).collect()
    }
}

fn has_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::PodStore;
    use crate::store::identity::Identity;
    use crate::store::ledger::Ledger;

    #[test]
    fn names_for_the_word_at_the_cursor() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let mut stores = Vec::new();
        for (namespace, name, ended) in
            [("default", "web", false), ("ops", "web", false), ("ops", "db", false), ("ops", "old", true)]
        {
            let pod = Identity::new(&layout, namespace, name, "u");
            let ledger = Ledger::new(&pod, format!("/barepod-complete-{namespace}-{name}").into());
            let mut store = PodStore::create(&layout, ledger).unwrap();
            let spec = serde_json::json!({"initContainers": [{"name": "proxy"}], "containers": [{"name": "main"}]});
            let metadata = serde_json::json!({"namespace": namespace, "name": name});
            let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
            store.write_pod(&serde_json::from_value(pod).unwrap()).unwrap();
            if ended {
                assert!(store.finish(crate::store::ledger::Remains::default()).unwrap().words().is_empty());
            }
            stores.push(store);
        }
        let mut root = Cli::command();
        root.build();
        let at = format!("--root {}", tmp.path().display());
        let names = |text: &str| {
            let words: Vec<String> = format!("{at} {text}").split(' ').map(str::to_owned).collect();
            let (current, before) = words.split_last().unwrap();
            let names = Line::read(&root, before).and_then(|line| line.names(current)).unwrap_or_default();
            names.join(" ")
        };
        for (text, expected) in [
            ("get ", "default/web db old ops/web"),
            ("ps ", "default/web db old ops/web"),
            ("stop ", "default/web db ops/web"),
            ("stop db ", "default/web ops/web"),
            ("get -n ops ", "db old web"),
            ("get -nops ", "db old web"),
            ("get --namespace=ops w", "db old web"),
            ("get ops/", "default/web ops/db ops/old ops/web"),
            ("describe pod/", "pod/default/web pod/db pod/old pod/ops/web"),
            ("logs -f db -c ", "proxy main"),
            ("logs -fc ", ""),
            ("logs db ", "proxy main"),
            ("exec web -n ops -c ", "proxy main"),
            ("exec pod/db --container ", "proxy main"),
            ("exec web -c ", ""),
            ("exec db -- ", ""),
            ("exec ", "default/web db ops/web"),
            ("get -n ", "default ops"),
            ("kill -s ", ""),
            ("kill --all -", ""),
            ("cp ", "default/web: db: ops/web:"),
            ("run ", ""),
            ("stop --wait=false ", "default/web db ops/web"),
            ("nonsense ", ""),
            ("", ""),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    /// What a shell would take for more than a name is never offered.
    #[test]
    fn plain_names() {
        assert!(is_plain("pod/ops/web-1.x:") && !is_plain("$(reboot)") && !is_plain("a b") && !is_plain("a\u{1b}"));
    }
}
