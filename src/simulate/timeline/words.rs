//! What a simulation says of containers, in words.

use barepod_engine::event::Hook;
use barepod_engine::spec::Kind;
use barepod_engine::status::{GraceUse, Terminated};

pub(super) fn running(kind: Kind, restarts: u32, started: bool, ready: bool) -> String {
    let state = match (kind, started, ready) {
        (Kind::Init, _, _) => "",
        (_, false, _) => "not started yet",
        (_, true, false) => "started, not ready",
        (_, true, true) => "ready",
    };
    let restarts = if restarts == 0 { String::new() } else { format!("restart {restarts}") };
    let words = [state, &restarts].into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(", ")
}

/// How it ended, and who used how much of the grace (R5.18).
pub(super) fn terminated(ended: &Terminated, grace_use: Option<GraceUse>) -> String {
    let mut text = format!("{:?}, exit code {}", ended.reason, ended.exit_code);
    if let Some(used) = grace_use.filter(|used| *used != GraceUse::default()) {
        text += &format!("; grace used: {used}");
    }
    text
}

pub(super) fn hook_name(hook: Hook) -> &'static str {
    match hook {
        Hook::PostStart => "postStart",
        Hook::PreStop => "preStop",
    }
}

pub(super) fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        // The kernel's first real-time signal is 34 to programs, behind the two that the C library keeps.
        Err(_) => format!("SIGRTMIN+{}", number - 34),
    }
}
