//! Why libcontainer couldn't make a container, in words that name the field of its config and the thing it is about.
//!
//! Few causes are found here: what can be known is found before (`plan`, `binds`, `asked`), and what steps of our own find is
//! data (`causes`: hooks, limits, working directory, AppArmor profile). The rest are refusals of the kernel on which nobody but
//! libcontainer has a say, and it says them as text alone:
//! - The error that its `build` returns keeps its cause to itself: `CreateContainerError` has private fields and no `source()`.
//! - What fails in the container's init reaches `build` as the text of the outermost error (its `Message::ExecFailed`), mostly
//!   without the kernel's number.
//! - What it logs (`causes`) has the innermost error and number, as `Debug` shows them.

use std::path::Path;

use oci_spec::runtime::Spec;

use super::causes::Complaint;
use super::failure::{Failure, Stage};
use crate::runtime::program::words;

/// The field that a step of libcontainer's is about, by how its complaint begins. What these do needs rights that the helper
/// can't be asked about beforehand (scheduler, priorities, device nodes), or the container as it is by then (sysctls of an
/// interface that a hook makes, paths that a mount brings).
const FIELDS: [(&str, &str); 10] = [
    ("error setting scheduler", "process.scheduler"),
    ("failed to chown device", "linux.devices"),
    ("failed to mknod device", "linux.devices"),
    ("failed to set io_priority", "process.ioPriority"),
    ("failed to set linux personality", "linux.personality"),
    ("failed to set memory policy", "linux.memoryPolicy"),
    ("failed to set sysctl", "linux.sysctl"),
    ("failed to set uid and gid", "process.user"),
    ("failed to mount path as readonly", "linux.readonlyPaths"),
    ("failed to mount path as masked", "linux.maskedPaths"),
];

/// Complaints that hand on what a step within has failed with, for where that step has said nothing itself.
const RELAYS: [&str; 5] = [
    "failed to initialize container process",
    PREPARE_ROOTFS,
    "failed to run container process",
    "failed to run intermediate process",
    "failed to wait for init ready",
];

const PREPARE_ROOTFS: &str = "failed to prepare rootfs";

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

/// Names of the fields in which a complaint has its error.
const ERRORS: [&str; 4] = ["err", "e", "errno", "error"];

/// Why libcontainer's `build` failed, by its error and what it has said of that. `root` is where it was to find the root file
/// system.
pub(super) fn creation(
    error: &dyn std::error::Error,
    spec: &Spec,
    complaints: &[Complaint],
    root: Option<&Path>,
) -> Failure {
    if let Some(failure) = of_mount(spec, complaints) {
        return failure;
    }
    let is_tidying = |one: &&Complaint| TIDYING.iter().any(|beginning| one.message.starts_with(beginning));
    let mut cause = complaints.iter().find(|one| !is_tidying(one)).map_or_else(|| chain(error), in_words);
    if let Some(why) = refused(error).map(words).filter(|why| !cause.to_lowercase().contains(why)) {
        cause = format!("{cause}: {why}");
    }
    if let Some(root) = root {
        cause = cause.replace(&root.display().to_string(), "");
    }
    // Not looked for before: a hook may make the interface whose sysctl it is.
    if cause == "open subpath in procfs failed"
        && let Some(name) = unknown_sysctl(spec)
    {
        cause = format!("linux.sysctl: {name}: this kernel has no such sysctl");
    }
    Failure::new(Stage::Oci, "", cause)
}

/// The field or step that a complaint is about, and what became of it.
fn in_words(complaint: &Complaint) -> String {
    let Complaint { message, fields } = complaint;
    let error = ERRORS.iter().find_map(|name| fields.get(*name)).map(String::as_str);
    if let Some(rest) = RELAYS.iter().find_map(|beginning| message.strip_prefix(beginning)) {
        return plain(error.unwrap_or(rest.trim_start_matches([':', ' '])));
    }
    let (step, told) = match (error, message.split_once(": ")) {
        (Some(error), _) => (message.as_str(), plain(error)),
        (None, Some((step, told))) => (step, plain(told)),
        (None, None) => return message.clone(),
    };
    let field = FIELDS.iter().find(|(beginning, _)| step.starts_with(beginning));
    let mut what = match field {
        // What a sysctl's name is follows in the message.
        Some((beginning, field)) => format!("{field}{}", step.strip_prefix(beginning).unwrap_or_default().trim_end()),
        None => step.to_owned(),
    };
    if let Some(path) = fields.get("path") {
        what = format!("{what}: {}", path.trim_matches('"'));
    }
    // Not what `Debug` makes of a whole field of the config.
    let is_number = |value: &str| !value.contains('{');
    let others = fields.iter().filter(|(name, _)| *name != "path" && !ERRORS.contains(&name.as_str()));
    let numbers: Vec<String> =
        others.filter(|(_, value)| is_number(value)).map(|(name, value)| format!("{name} {value}")).collect();
    if !numbers.is_empty() {
        what = format!("{what} ({})", numbers.join(", "));
    }
    format!("{what}: {told}")
}

/// The first mount that has failed, and why. libcontainer makes the kernel's own file systems, which show namespaces that are
/// there in the container's init alone, and puts bind mounts at their places.
fn of_mount(spec: &Spec, complaints: &[Complaint]) -> Option<Failure> {
    let (mount, told) = spec.mounts().iter().flatten().find_map(|mount| {
        let beginning = format!("failed to mount {mount:?}: ");
        complaints.iter().find_map(|one| Some((mount, one.message.strip_prefix(&beginning)?)))
    })?;
    // The mount's own complaint lacks the kernel's number.
    let outer = complaints.iter().find(|one| one.message == PREPARE_ROOTFS).and_then(|one| one.fields.get("err"));
    let cause = outer.map_or_else(|| told.to_owned(), |err| plain(err));
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
    if let Some(number) = errno(rest) {
        return words(number);
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
    use serde_json::json;

    use super::*;

    fn complaint(message: &str, fields: &[(&str, &str)]) -> Complaint {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Complaint { message: message.to_owned(), fields }
    }

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

    /// As libcontainer 0.7 says them.
    #[test]
    fn complaints_name_their_field() {
        for (message, fields, said) in [
            ("error setting scheduler", vec![("err", "1")], "process.scheduler: operation not permitted"),
            (
                "failed to set io_priority",
                vec![("err", "Nix(EPERM)"), ("io_priority", "LinuxIOPriority { priority: 0 }")],
                "process.ioPriority: operation not permitted",
            ),
            (
                "failed to mknod device",
                vec![("err", "Nix(EPERM)"), ("path", "\"/dev/x\""), ("major", "1"), ("minor", "5")],
                "linux.devices: /dev/x (major 1, minor 5): operation not permitted",
            ),
            (
                "failed to set sysctl net.a=x: Invalid argument (os error 22)",
                vec![],
                "linux.sysctl net.a=x: invalid argument",
            ),
            ("failed to set linux personality ", vec![("err", "Nix(EINVAL)")], "linux.personality: invalid argument"),
            ("failed to pivot root", vec![("err", "Nix(EINVAL)")], "failed to pivot root: invalid argument"),
            ("failed to initialize container process: no such place", vec![], "no such place"),
            ("failed to run intermediate process cgroup error: x", vec![], "cgroup error: x"),
            (
                "failed to prepare rootfs",
                vec![("err", "Mount(Io(Os { code: 28, kind: x }))")],
                "no space left on device",
            ),
        ] {
            assert_eq!(in_words(&complaint(message, &fields)), said);
        }
    }

    #[test]
    fn the_first_complaint_is_nearest_to_the_cause() {
        let error = std::io::Error::other("failed to create container: exec process failed with error device error");
        let complaints = [
            complaint("failed to mknod device", &[("err", "Nix(EPERM)")]),
            complaint("failed to prepare rootfs", &[("err", "Device(Syscall(Nix(EPERM)))")]),
            complaint("failed to initialize container process: device error", &[]),
        ];
        let said = |complaints: &[Complaint]| creation(&error, &Spec::default(), complaints, None).to_string();
        assert_eq!(said(&complaints), "linux.devices: operation not permitted");
        assert_eq!(said(&complaints[2..]), "device error");
        assert_eq!(said(&[]), "device error");
    }

    #[test]
    fn a_mount_is_named_by_its_place() {
        let mount = json!({"destination": "/proc", "type": "proc", "source": "proc"});
        let mut spec = Spec::default();
        spec.set_mounts(Some(vec![serde_json::from_value(mount).unwrap()]));
        let mount = &spec.mounts().as_ref().unwrap()[0];
        let complaints = [
            complaint(&format!("failed to mount {mount:?}: io error"), &[]),
            complaint("failed to prepare rootfs", &[("err", "Mount(Syscall(Nix(EPERM)))")]),
        ];
        let error = std::io::Error::other("failed to create container: x");
        let said = creation(&error, &spec, &complaints, None).to_string();
        assert_eq!(said, "mount: /proc: operation not permitted");
    }

    #[test]
    fn what_is_said_of_tidying_up_is_no_cause() {
        let tidying: Vec<Complaint> = TIDYING.map(|message| complaint(message, &[])).into();
        let error = std::io::Error::other("failed to create container: invalid umask. error during cleanup: x");
        let said = creation(&error, &Spec::default(), &tidying, None).to_string();
        assert!(said.ends_with("invalid umask"), "{said}");
    }
}
