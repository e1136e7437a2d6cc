//! What commands say, and where programs are.

use std::path::PathBuf;
use std::process::Command;

use super::Case;

/// What a command says until its end: its exit code, standard output and standard error.
pub fn said_by(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// As [`said_by`], of `barepod WORDS`.
pub fn said(case: &Case, words: &[&str]) -> (Option<i32>, String, String) {
    said_by(&mut case.command(words))
}

/// The standard output of a command that has to work.
#[track_caller]
pub fn good(case: &Case, words: &[&str]) -> String {
    let (code, out, err) = said(case, words);
    assert_eq!(code, Some(0), "{words:?}: {out}{err}");
    out
}

/// Where a program is that this machine may have.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}
