//! What helps, behind what went wrong.

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
