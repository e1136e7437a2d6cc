//! Fields of a bundle's config.json, read back from inside: a table, all rows of which are containers of one pod. What
//! stands in `oci_config` is not tried anew. docs/oci.md names the fields; `plan::tests::oci_fields` checks that each that
//! is honoured is in one of these files.

mod rows;

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, merge, open_files_suffice, wait_for};

/// Where a row can be read back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Any,
    V1,
    V2,
    /// v1, where its folder has a file of this name.
    With(&'static str),
    /// v1, where its folder has none.
    Without(&'static str),
}

impl On {
    fn is_here(self) -> bool {
        let folder = std::path::Path::new("/sys/fs/cgroup");
        let is_v2 = folder.join("cgroup.controllers").exists();
        match self {
            Self::Any => true,
            Self::V1 => !is_v2,
            Self::V2 => is_v2,
            Self::With(name) => !is_v2 && folder.join(name).exists(),
            Self::Without(name) => !is_v2 && !folder.join(name).exists(),
        }
    }
}

/// What is to come of it.
enum Told {
    /// The command's output has one of these as a word.
    Word(&'static [&'static str]),
    /// The container can't be made, and this is said.
    Refused(&'static str),
    /// The one or the other: whether this kernel can do it shows in no file that is there before.
    WordOr(&'static [&'static str], &'static str),
}
use Told::{Refused, Word, WordOr};

struct Row {
    name: &'static str,
    on: On,
    config: Value,
    command: &'static str,
    told: Told,
}

fn row(name: &'static str, on: On, config: Value, command: &'static str, told: Told) -> Row {
    Row { name, on, config, command, told }
}

#[test]
fn each_is_read_back() {
    if !open_files_suffice(1024) {
        return;
    }
    let Some(case) = Case::new("oci-fields") else { return };
    let rows: Vec<Row> = [rows::of_the_process(), rows::of_linux(), rows::of_resources(), rows::of_disks()]
        .into_iter()
        .flatten()
        .collect();
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.on.is_here()).collect();
    let mut pod = case.pod().spec(json!({"restartPolicy": "Never"}));
    for row in &rows {
        // In a folder that the pod mounts: else `run` says what is refused before anything is made.
        let folder = case.shared("bundles").join(row.name);
        fs::create_dir_all(&folder).unwrap();
        symlink(case.rootfs(), folder.join("rootfs")).unwrap();
        let script = format!("cd /sys/fs/cgroup; o=$({}); echo {} $o", row.command, row.name);
        let mut config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {},
            "process": {"args": ["sh", "-c", script], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
        merge(&mut config, &row.config);
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        pod = pod.container(json!({"name": row.name, "image": format!("bundle:TRACE/bundles/{}", row.name)}));
    }
    let mut run = case.start(&pod);
    for row in &rows {
        // What can't be made is tried again: the next look may find it on its way.
        let state = wait_for(&format!("an end of {}", row.name), || {
            let state = case.container(row.name)["state"].clone();
            (state["terminated"].is_object() || state["waiting"]["message"].is_string()).then_some(state)
        });
        let message = state["waiting"]["message"].as_str().unwrap_or_default();
        match row.told {
            WordOr(_, part) if !message.is_empty() => assert!(message.contains(part), "{}: {state}", row.name),
            Word(words) | WordOr(words, _) => {
                assert!(state["terminated"]["exitCode"] == 0, "{}: {state}", row.name);
                let log = case.barepod(&["logs", case.name(), "-c", row.name]).stdout;
                let log = String::from_utf8_lossy(&log).into_owned();
                let has = log.split_whitespace().skip(1).any(|word| words.contains(&word));
                assert!(has, "{}: {log:?}, wanted {words:?}", row.name);
            }
            Refused(part) => assert!(message.contains(part), "{}: {state}", row.name),
        }
    }
    run.signal(Signal::TERM);
    run.end();
}
