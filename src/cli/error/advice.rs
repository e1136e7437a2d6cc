//! Parts of what is said: what helps, behind what went wrong, and several errors in one.

use std::io;

/// What helps where a pod's state can't be read.
pub(super) fn way_out(pod: &str, cause: &crate::store::Error) -> String {
    match cause.is_about_content() {
        true => {
            format!("`barepod rm --force {pod}` ends what runs of a pod of this name and removes what belongs to it")
        }
        // It may be whole, and name what runs of the pod.
        false => "nothing of it was changed; once it can be read, try again".to_owned(),
    }
}

/// What helps where a port can't be listened to.
pub(super) fn of_a_port(cause: &io::Error, at: std::net::SocketAddr) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            format!("; `ss -tlnp sport = :{}` shows who does, `:REMOTE` takes a free port", at.port())
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 are root's: choose another by LOCAL:REMOTE".to_owned(),
        io::ErrorKind::AddrNotAvailable => "; `ip address` shows the addresses of this box".to_owned(),
        _ => String::new(),
    }
}

/// Of a pod whose end takes longer than somebody waits.
pub(super) fn still_stopping(pod: &str) -> String {
    format!(
        "pod \"{pod}\" is being stopped and hasn't ended within --timeout; `barepod stop {pod}` waits on, `barepod rm --force \
         {pod}` ends the pod at once"
    )
}

/// Errors that are told together, each in a line.
pub(super) fn lines(errors: &[crate::plan::PlanError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: ")
}
