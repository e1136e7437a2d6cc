//! Why a container couldn't be made, in words that name the field of its config and the thing it is about: from
//! libcontainer's errors, and what it has said of them (`complaints`).

use std::path::Path;

use oci_spec::runtime::{Hook, Hooks, Spec};

use super::complaints::Complaint;
use super::failure::{Failure, Stage};
use super::inner_hooks::NOT_EXECUTED;
use super::{asked, rootfs};
use crate::plan::binds;
use crate::runtime::program::words;

/// What a complaint is about, by how it begins.
const FIELDS: [(&str, &str); 18] = [
    ("apparmor profile exists in the spec", "process.apparmorProfile"),
    ("error setting scheduler", "process.scheduler"),
    ("failed to apply apparmor profile", "process.apparmorProfile"),
    ("failed to check if apparmor is enabled", "process.apparmorProfile"),
    ("failed to chown device", "linux.devices"),
    ("failed to drop capabilities", "process.capabilities"),
    ("failed to mknod device", "linux.devices"),
    ("failed to run create container hooks", "hooks.createContainer"),
    ("failed to run create runtime hooks", "hooks.createRuntime"),
    ("failed to run prestart hooks", "hooks.prestart"),
    ("failed to set io_priority", "process.ioPriority"),
    ("failed to set linux personality", "linux.personality"),
    ("failed to set memory policy", "linux.memoryPolicy"),
    ("failed to set rlimit", "process.rlimits"),
    ("failed to set sysctl", "linux.sysctl"),
    ("failed to set uid and gid", "process.user"),
    ("failed to mount path as readonly", "linux.readonlyPaths"),
    ("failed to mount path as masked", "linux.maskedPaths"),
];

/// Those that only hand on what another process or a step within has said.
const RELAYS: [&str; 5] = [
    "failed to initialize container process",
    "failed to prepare rootfs",
    "failed to run container process",
    "failed to run intermediate process",
    "failed to wait for init ready",
];

/// What libcontainer says of its tidying up after a failure, which isn't why anything failed: what it leaves (the cgroup of
/// processes that the kernel still ends) is removed by `Removal`.
const TIDYING: [&str; 3] =
    ["failed to remove cgroup manager", "failed to cleanup intel rdt", "failed to delete container root"];

/// What libcontainer puts before what has failed, and says nothing.
const PREFIXES: [&str; 6] = [
    "failed to create container: ",
    "exec process failed with error ",
    "error in executing process : ",
    "intermediate process error ",
    "io error: ",
    "syscall: ",
];

/// Why libcontainer's `build` failed. `hooks` are those of the bundle, `root` is where it was to find the root file system.
pub(super) fn creation(
    error: &dyn std::error::Error,
    spec: &Spec,
    hooks: Option<&Hooks>,
    complaints: &[Complaint],
    root: Option<&Path>,
) -> Failure {
    if let Some(failure) = of_mount(spec, complaints) {
        return failure;
    }
    let said = last_words(complaints, Some(spec)).map(|(what, told)| with_hooks(&what, &told, hooks));
    let mut cause = said.unwrap_or_else(|| chain(error));
    if let Some(why) = refused(error).map(words).filter(|why| !cause.to_lowercase().contains(why)) {
        cause = format!("{cause}: {why}");
    }
    if let Some(root) = root {
        cause = cause.replace(&root.display().to_string(), "");
    }
    let cwd = spec.process().as_ref().map(|process| process.cwd().clone()).unwrap_or_default();
    if cause.starts_with("failed to chdir") {
        cause = cause.replacen("failed to chdir", &format!("process.cwd {}", cwd.display()), 1);
        if rootfs::is_below_mount(spec, &cwd) {
            cause.push_str("; does it exist in the volume?");
        }
    } else if cause == "open subpath in procfs failed"
        && let Some(name) = unknown_sysctl(spec)
    {
        cause = format!("linux.sysctl: {name}: this kernel has no such sysctl");
    } else if cause.starts_with("invalid io priority") {
        cause.insert_str(0, "process.ioPriority: ");
    } else if cause.starts_with("process.apparmorProfile") {
        cause.push_str("; has this kernel AppArmor, and the profile been loaded (apparmor_parser)?");
    }
    Failure::new(Stage::Oci, "", cause)
}

/// Why a made container's init has ended before it executed its program; empty where it hasn't said anything.
pub(super) fn start(complaints: &[Complaint]) -> String {
    last_words(complaints, None).map(|(what, cause)| format!("{what}: {cause}")).unwrap_or_default()
}

/// The field or step, and what became of it: of the complaint that is nearest to the cause.
fn last_words(complaints: &[Complaint], spec: Option<&Spec>) -> Option<(String, String)> {
    let is_cause =
        |one: &&Complaint| !RELAYS.iter().chain(&TIDYING).any(|beginning| one.message.starts_with(beginning));
    let first = complaints.iter().find(is_cause)?;
    let errors = ["err", "e", "errno", "error"];
    let cause = errors.iter().find_map(|name| first.fields.get(*name));
    let (step, told) = match (cause, first.message.split_once(": ")) {
        (Some(cause), _) => (first.message.as_str(), plain(cause)),
        (None, Some((step, told))) => (step, plain(told)),
        (None, None) => (first.message.as_str(), outer_error(complaints).unwrap_or_default()),
    };
    let field = FIELDS.iter().find(|(beginning, _)| step.starts_with(beginning));
    let mut what = match field {
        // What a sysctl's name is follows in the message.
        Some((beginning, field)) => format!("{field}{}", step.strip_prefix(beginning).unwrap_or_default().trim_end()),
        None => step.to_owned(),
    };
    let others = || first.fields.iter().filter(|(name, _)| !errors.contains(&name.as_str()));
    let mut limits = spec.and_then(|spec| spec.process().as_ref()?.rlimits().as_ref()).into_iter().flatten();
    let limit = limits.find(|limit| others().any(|(_, value)| *value == format!("{limit:?}")));
    if let Some(limit) = limit.and_then(|limit| serde_json::to_string(limit).ok()) {
        what = format!("{what}: {limit}");
    } else {
        let numbers: Vec<String> =
            others().filter(|(name, _)| *name != "path").map(|(name, value)| format!("{name} {value}")).collect();
        if let Some(path) = first.fields.get("path") {
            what = format!("{what}: {}", path.trim_matches('"'));
        }
        if !numbers.is_empty() {
            what = format!("{what} ({})", numbers.join(", "));
        }
    }
    Some((what, told))
}

fn with_hooks(what: &str, cause: &str, hooks: Option<&Hooks>) -> String {
    #[allow(deprecated)]
    let list: Option<&Vec<Hook>> = hooks.and_then(|hooks| match what {
        "hooks.prestart" => hooks.prestart().as_ref(),
        "hooks.createRuntime" => hooks.create_runtime().as_ref(),
        "hooks.createContainer" => hooks.create_container().as_ref(),
        _ => None,
    });
    let paths: Vec<&Path> = list.into_iter().flatten().map(|hook| hook.path().as_path()).collect();
    // Of those that this process has run the reason is lost.
    let missing = paths.iter().enumerate().find_map(|(at, path)| Some((at, accessible(path).err()?)));
    let reason = || missing.map(|(_, errno)| words(errno));
    let not_executed = NOT_EXECUTED.map(|code| format!("ended with exit code {code}"));
    let cause = match cause {
        "failed to execute hook command" => reason().unwrap_or_else(|| "can't be executed".to_owned()),
        // A createContainer hook's own code, or that of what was to become the hook.
        other if not_executed.iter().any(|code| other == *code) => reason().unwrap_or_else(|| other.to_owned()),
        other => other.to_owned(),
    };
    // Which of several has failed its caller isn't told; one that can't be executed is found.
    let at = missing.filter(|(_, errno)| cause == words(*errno)).map(|(at, _)| at).or((paths.len() == 1).then_some(0));
    match at {
        Some(at) => format!("{what}[{at}] ({}): {cause}", paths[at].display()),
        None if paths.is_empty() => format!("{what}: {cause}"),
        None => {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("{what} (one of {}): {cause}", paths.join(", "))
        }
    }
}

/// Whether it can be executed, for all that its place and mode say of it.
fn accessible(path: &Path) -> Result<(), i32> {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).map_err(rustix::io::Errno::raw_os_error)
}

/// What the error is that the root file system's step as a whole ended with.
fn outer_error(complaints: &[Complaint]) -> Option<String> {
    complaints
        .iter()
        .find(|one| one.message == "failed to prepare rootfs")
        .and_then(|one| one.fields.get("err"))
        .map(|err| plain(err))
}

/// The first mount that has failed, and why.
fn of_mount(spec: &Spec, complaints: &[Complaint]) -> Option<Failure> {
    let (mount, told) = spec.mounts().iter().flatten().find_map(|mount| {
        let beginning = format!("failed to mount {mount:?}: ");
        complaints.iter().find_map(|one| Some((mount, one.message.strip_prefix(&beginning)?)))
    })?;
    let mut cause = outer_error(complaints).unwrap_or_else(|| told.to_owned());
    match (binds(mount), mount.source()) {
        (true, Some(source)) if !source.exists() => cause = format!("its source {}: {cause}", source.display()),
        (true, _) => {}
        (false, _) => cause = asked::with_kernels_reason(mount, cause),
    }
    Some(Failure::new(Stage::Binds, mount.destination().display(), cause))
}

/// The first sysctl of a config that this kernel doesn't have.
fn unknown_sysctl(spec: &Spec) -> Option<&String> {
    let names = spec.linux().as_ref()?.sysctl().as_ref()?.keys();
    names.filter(|name| !Path::new("/proc/sys").join(name.replace('.', "/")).exists()).min()
}

/// An error and its sources. Many of libcontainer's repeat their source.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(one) = next {
        let text = one.to_string();
        if !parts.last().is_some_and(|last| last.contains(&text)) {
            parts.push(text);
        }
        next = one.source();
    }
    plain(&parts.join(": "))
}

/// The kernel's number for it, where a call of this process's failed: libcontainer's words may leave it out.
fn refused(error: &dyn std::error::Error) -> Option<i32> {
    let shown = format!("{error:?}");
    shown.contains("Os { code: ").then(|| errno(&shown)).flatten()
}

/// An error as people say it, of what `Display` or `Debug` make of it.
fn plain(error: &str) -> String {
    let mut rest = error.split(". error during cleanup: ").next().unwrap_or_default();
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    let code = rest.strip_prefix("NonZeroExitCode(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(code) = code.or_else(|| rest.strip_prefix("hook command exited with non-zero exit code: ")) {
        return format!("ended with exit code {code}");
    }
    if let Some(number) = errno(rest) {
        return words(number);
    }
    if rest == "Timeout" {
        return "didn't end within its timeout".to_owned();
    }
    // Of `Custom("words")`, the words.
    match (rest.find("(\""), rest.rfind("\")")) {
        (Some(begin), Some(end)) if begin + 2 <= end => rest[begin + 2..end].replace("\\\"", "\""),
        _ => rest.to_owned(),
    }
}

/// The kernel's number in an error: a bare one, `(os error 2)`, `code: 2` or `ENOENT`.
fn errno(error: &str) -> Option<i32> {
    let number =
        |text: &str| text.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|text| text.parse().ok());
    let behind = |mark| error.rsplit_once(mark).and_then(|(_, rest): (&str, &str)| number(rest));
    let name = |word: &str| {
        let known = |raw: &i32| format!("{:?}", nix::errno::Errno::from_raw(*raw)) == word;
        (1..134).find(known).filter(|_| word.len() > 3)
    };
    let bare = error.parse().ok().filter(|number| (1..134).contains(number));
    bare.or_else(|| behind("(os error "))
        .or_else(|| behind("code: "))
        .or_else(|| error.split(|letter: char| !letter.is_ascii_uppercase() && !letter.is_ascii_digit()).find_map(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_plainly() {
        for (error, said) in [
            ("Mount(Io(Os { code: 2, kind: NotFound, message: \"No such file\" }))", "no such file or directory"),
            ("Mount(Syscall(Nix(EINVAL)))", "invalid argument"),
            ("22", "invalid argument"),
            (
                "failed to create container: intermediate process error EPERM: Operation not permitted",
                "operation not permitted",
            ),
            ("No such file or directory (os error 2)", "no such file or directory"),
            ("NonZeroExitCode(1)", "ended with exit code 1"),
            ("hook command exited with non-zero exit code: 1", "ended with exit code 1"),
            ("Other(\"say \\\"x\\\"\")", "say \"x\""),
            (
                "failed to create container: invalid umask. error during cleanup: failed to cleanup container: (\"x\")",
                "invalid umask",
            ),
            (
                "failed to create container: sysctl a is not in a separate kernel namespace",
                "sysctl a is not in a separate kernel namespace",
            ),
        ] {
            assert_eq!(plain(error), said);
        }
    }

    #[test]
    fn what_is_said_of_tidying_up_is_no_cause() {
        let complaint = |message: &str| Complaint { message: message.to_owned(), ..Complaint::default() };
        let tidying: Vec<Complaint> = TIDYING.map(complaint).into();
        assert_eq!(last_words(&tidying, None), None);
        let error = std::io::Error::other("failed to create container: invalid umask. error during cleanup: x");
        let said = creation(&error, &Spec::default(), None, &tidying, None).to_string();
        assert!(said.ends_with("invalid umask"), "{said}");
    }
}
