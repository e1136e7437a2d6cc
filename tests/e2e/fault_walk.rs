//! The walk of fault_calls.rs: which faults are tried, one after the other, and what came of each.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::fault_kinds::{Error, Fault, KINDS, Kind, Which, Whose};
use crate::harness::Case;

/// The calls that were made to fail; none: there is no n-th.
pub fn injected(case: &Case) -> Vec<String> {
    let text = fs::read(case.dir().join("strace.txt")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let fails = |line: &&str| line.contains("(INJECTED)") || line.contains("killed by SIGKILL");
    text.lines().filter(fails).map(str::to_owned).collect()
}

/// Calls that no box lets fail: watching a descriptor no longer needs nothing that there could be a lack of.
const NEVER_FAILS: &str = "EPOLL_CTL_DEL";

/// Nothing that could fail was made to: such a number counts as tried, and others come after it.
pub fn impossible(failed: &[String]) -> bool {
    !failed.is_empty() && failed.iter().all(|call| call.contains(NEVER_FAILS))
}

fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !has {
        crate::skips::skip("needs strace");
    }
    has
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Which are tried.
fn chosen(kind: &Kind, error: Error, whose: Whose, number: u32) -> bool {
    match std::env::var("BAREPOD_FAULTS").as_deref() {
        Ok("all") => true,
        Ok(word) => {
            let words: Vec<&str> = word.split(':').collect();
            kind.name.contains(words[0])
                && words.get(1).is_none_or(|name| [error.name(), ""].contains(name))
                && words.get(2).is_none_or(|wanted| match wanted.strip_prefix('/') {
                    Some(stride) => number % stride.parse::<u32>().unwrap() == 1,
                    None => *wanted == number.to_string(),
                })
        }
        // Whoever follows everybody takes its time.
        Err(_) if whose == Whose::Everybodys => kind.name == "sync" && number == 5,
        Err(_) => match kind.name {
            "rename" | "mkdir" | "sync" | "pipe" | "clone" => number % 13 == 5,
            // In the midst of a folder's removal, of `rm` and of a run that fails before it has begun; others as they come.
            "remove" => [1, 8].contains(&number),
            "open" => number == 37,
            "write" | "read" | "stat" => number == 41,
            _ => false,
        },
    }
}

/// More calls of a kind than a small pod makes.
const MOST: u32 = 2000;

/// Who takes longer is named.
const SLOW: Duration = Duration::from_secs(8);

/// How many faults were tried; `None`: nothing can be tried here.
pub fn walk_with(
    name: &str,
    what: &str,
    whose: Whose,
    which: Which,
    attempt: impl Fn(&mut Case, Fault) -> Result<&'static str, String>,
) -> Option<u32> {
    if !has_strace() {
        return None;
    }
    let mut case = Case::new(name)?;
    let (mut failures, mut sum) = (Vec::new(), 0);
    for kind in KINDS {
        for &error in kind.errors {
            let (mut outcomes, mut tried) = (std::collections::BTreeMap::<&str, u32>::new(), 0);
            // No more calls come after it; and of epoll's not even those work that no kernel lets fail.
            let errors_end = which == Which::NthOn && (error == Error::Kill || kind.name == "epoll");
            let mut without = 0;
            for number in (1..MOST).filter(|_| !errors_end).filter(|number| chosen(kind, error, whose, *number)) {
                let (began, fault) = (Instant::now(), Fault { kind, error, whose, which, number });
                let outcome = attempt(&mut case, fault);
                if began.elapsed() > SLOW {
                    println!("{what}: {fault} took {:.0?}: {outcome:?}", began.elapsed());
                }
                match outcome {
                    // One run makes a call more than the next.
                    Ok("none") if without == 1 => break,
                    Ok("none") => {
                        without += 1;
                        continue;
                    }
                    Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                    Err(why) => {
                        println!("FAULT {why}\n");
                        failures.push(why);
                    }
                }
                (tried, without) = (tried + 1, 0);
            }
            sum += tried;
            if tried == 0 {
                continue;
            }
            println!("{what}: {whose:?} {which:?} {} {}: {tried} tried, {outcomes:?}", kind.name, error.name());
        }
    }
    assert!(failures.is_empty(), "{} failures; the first:\n{}", failures.len(), failures[0]);
    Some(sum)
}
