//! An OCI runtime bundle: config.json, and where its root file system is (OCI runtime-spec, bundle.md and config.md).

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::signal::Signal;
use oci_spec::runtime::{Mount, Spec};
use serde_json::{Value, json};

use super::error::{FieldCause, ImageError};

/// The largest configs seen (full seccomp profiles, hundreds of mounts) stay well below a megabyte.
const LIMIT: u64 = 4 << 20;

/// Annotation with the image's stop signal (OCI image-spec, conversion.md).
const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";

/// A bundle's.
pub(super) struct Loaded {
    pub(super) spec: Spec,
    /// Its real path.
    pub(super) rootfs: PathBuf,
    pub(super) stop_signal: Option<i32>,
    /// What config.json says.
    pub(super) text: Vec<u8>,
}

/// `folder` is the bundle's real path; nothing is looked at that `at_hand` gives an error for.
pub(super) fn load(
    image: &str,
    folder: &Path,
    at_hand: &dyn Fn(&Path) -> Result<(), ImageError>,
) -> Result<Loaded, ImageError> {
    let config = folder.join("config.json");
    at_hand(&config)?;
    let text = read_config(image, &config)?;
    let mut spec = decode(&text).map_err(|cause| ImageError::Json { image: image.to_owned(), cause })?;
    check_version(image, spec.version())?;
    let rootfs = rootfs(image, folder, &spec, at_hand)?;
    for mount in spec.mounts_mut().iter_mut().flatten() {
        absolute_source(folder, mount);
    }
    let stop_signal = stop_signal(image, &spec)?;
    Ok(Loaded { spec, rootfs, stop_signal, text })
}

/// A config as the runtime-spec means it, where the types want more than that.
fn decode(text: &[u8]) -> serde_json::Result<Spec> {
    let decoded = serde_json::from_slice(text);
    let has_flags = FLAGS.iter().any(|(name, _)| text.windows(name.len()).any(|window| window == name.as_bytes()));
    if decoded.is_ok() && !has_flags {
        return decoded;
    }
    let mut config: Value = serde_json::from_slice(text)?;
    exchange_flags(&mut config);
    complete_user(&mut config);
    // The first error is the one that has a line and a column.
    serde_json::from_value(config).or(decoded)
}

/// The types know two flags of `process.scheduler` by other names than the runtime-spec's (config.md, "Linux Process").
const FLAGS: [(&str, &str); 2] =
    [("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"), ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN")];

fn exchange_flags(config: &mut Value) {
    let flags = config.pointer_mut("/process/scheduler/flags").and_then(Value::as_array_mut);
    for flag in flags.into_iter().flatten() {
        if let Some((_, known)) = FLAGS.iter().find(|(name, _)| flag == name) {
            *flag = (*known).into();
        }
    }
}

/// The schema of the runtime-spec asks for no `process.user`, and runc reads a missing id as 0; the types want both ids.
fn complete_user(config: &mut Value) {
    let Some(process) = config.get_mut("process").and_then(Value::as_object_mut) else { return };
    let user = process.entry("user").or_insert_with(|| json!({}));
    if user.is_null() {
        *user = json!({});
    }
    for id in ["uid", "gid"] {
        user.as_object_mut().map(|user| user.entry(id).or_insert_with(|| json!(0)));
    }
}

/// What a config has and its decoded form hasn't. Unknown fields are no error: the OCI wants it so, for extensions and
/// later versions. A decoder that tells of them would be a second one of all these types in the binary.
pub(super) fn unknown(text: &[u8], spec: &Spec) -> serde_json::Result<Vec<String>> {
    let written: Value = serde_json::from_slice(text)?;
    let known: Value = serde_json::from_slice(&serde_json::to_vec(spec)?)?;
    let mut unknown = Vec::new();
    compare("", &written, &known, &mut unknown);
    Ok(unknown)
}

fn compare(path: &str, written: &Value, known: &Value, unknown: &mut Vec<String>) {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => {
            for (key, value) in written {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(known) => compare(&path, value, known, unknown),
                    // Nothing is what is left out when it is written again.
                    None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => {}
                    None => unknown.push(path),
                }
            }
        }
        // Sets may have lost their order; what is in them has no keys.
        (Value::Array(written), Value::Array(known)) => {
            for (index, (written, known)) in written.iter().zip(known).enumerate() {
                compare(&format!("{path}.{index}"), written, known, unknown);
            }
        }
        _ => {}
    }
}

fn read_config(image: &str, path: &Path) -> Result<Vec<u8>, ImageError> {
    let unreadable = |cause| ImageError::Config { image: image.to_owned(), cause };
    // A FIFO in place of the file must not hang us.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(ImageError::ConfigKind { image: image.to_owned() });
    }
    let mut text = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LIMIT {
        return Err(ImageError::ConfigSize { image: image.to_owned(), limit: LIMIT });
    }
    Ok(text)
}

/// `ociVersion`: SemVer, major version 1.
fn check_version(image: &str, version: &str) -> Result<(), ImageError> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = core.split('.').map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some([1, _, _]) => Ok(()),
        _ if version.is_empty() => Err(field(image, "ociVersion", "missing; write \"1.2.0\"".to_owned())),
        _ => Err(field(image, "ociVersion", format!("{version:?} is not supported; versions 1.x.y are"))),
    }
}

fn field(image: &str, field: &'static str, cause: String) -> ImageError {
    ImageError::Field { image: image.to_owned(), field, cause: FieldCause(cause) }
}

/// `root.path`, relative to the bundle.
fn rootfs(
    image: &str,
    folder: &Path,
    spec: &Spec,
    at_hand: &dyn Fn(&Path) -> Result<(), ImageError>,
) -> Result<PathBuf, ImageError> {
    let Some(root) = spec.root() else {
        return Err(field(image, "root", "missing; write {\"path\": \"rootfs\"}".to_owned()));
    };
    if root.path().as_os_str().is_empty() {
        return Err(field(
            image,
            "root.path",
            "missing; write \"rootfs\" for the folder beside config.json".to_owned(),
        ));
    }
    let path = folder.join(root.path());
    at_hand(&path)?;
    let missing = |cause| ImageError::Rootfs { image: image.to_owned(), path: path.clone(), cause };
    let real = fs::canonicalize(&path).map_err(missing)?;
    if !fs::metadata(&real).map_err(missing)?.is_dir() {
        return Err(ImageError::RootfsKind { image: image.to_owned(), path });
    }
    Ok(real)
}

/// Sources of bind mounts may be relative to the bundle (config.md, mounts).
fn absolute_source(folder: &Path, mount: &mut Mount) {
    let bind = mount.typ().as_deref() == Some("bind")
        || mount.options().iter().flatten().any(|option| option == "bind" || option == "rbind");
    if let Some(source) = mount.source().as_ref().filter(|source| bind && source.is_relative()) {
        let source = folder.join(source);
        mount.set_source(Some(source));
    }
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`: all of them are found in images.
fn stop_signal(image: &str, spec: &Spec) -> Result<Option<i32>, ImageError> {
    let Some(name) = spec.annotations().as_ref().and_then(|all| all.get(STOP_SIGNAL)).filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    match signal(name) {
        Some(number) => Ok(Some(number)),
        None => {
            Err(field(image, "annotations[org.opencontainers.image.stopSignal]", format!("no such signal: {name:?}")))
        }
    }
}

pub(super) fn signal(name: &str) -> Option<i32> {
    let (first, last) = (nix::libc::SIGRTMIN(), nix::libc::SIGRTMAX());
    if let Ok(number) = name.parse::<i32>() {
        return (1..=last).contains(&number).then_some(number);
    }
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let number = match (short.strip_prefix("RTMIN"), short.strip_prefix("RTMAX")) {
        (Some(""), _) => first,
        (Some(offset), _) => first.checked_add(offset.strip_prefix('+')?.parse().ok()?)?,
        (_, Some("")) => last,
        (_, Some(offset)) => last.checked_sub(offset.strip_prefix('-')?.parse().ok()?)?,
        (None, None) => return Signal::from_str(&format!("SIG{short}")).ok().map(|signal| signal as i32),
    };
    (first..=last).contains(&number).then_some(number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::{decode, signal};

    #[test]
    fn a_config_needs_no_user() {
        for (user, ids) in [
            (json!({}), (0, 0)),
            (json!({"user": null}), (0, 0)),
            (json!({"user": {"gid": 7}}), (0, 7)),
            (json!({"user": {"uid": 7}}), (7, 0)),
        ] {
            let mut config = json!({"ociVersion": "1.0.2", "process": {"cwd": "/"}});
            config["process"].as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
            let spec = decode(config.to_string().as_bytes()).unwrap();
            let user = spec.process().as_ref().unwrap().user();
            assert_eq!((user.uid(), user.gid()), ids, "{config}");
        }
        // What is wrong elsewhere is said with its place.
        let wrong = "{\"ociVersion\": \"1.0.2\",\n\"process\": {\"cwd\": 1}}";
        assert!(decode(wrong.as_bytes()).unwrap_err().to_string().contains("line 2"), "{wrong}");
        let wrong = "{\"ociVersion\": \"1.0.2\", \"process\": {\"cwd\": \"/\", \"user\": 1}}";
        assert!(decode(wrong.as_bytes()).is_err());
    }

    /// R5.12
    #[test]
    fn stop_signals_are_read_in_all_their_spellings() {
        for (name, number) in [
            ("SIGTERM", Some(15)),
            ("TERM", Some(15)),
            ("15", Some(15)),
            ("SIGRTMIN+3", Some(37)),
            ("SIGRTMAX", Some(64)),
            ("SIGNOPE", None),
            ("0", None),
            ("-9", None),
            ("99", None),
            ("SIGRTMIN+999", None),
            ("SIGRTMIN--3", None),
        ] {
            assert_eq!(signal(name), number, "{name}");
        }
    }
}
