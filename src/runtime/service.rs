//! The service manager that started this process and waits for its word, systemd mostly: the protocol of sd_notify(3).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where to tell a service manager.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one whose address is in this process's environment; `None`: there is none. To be called by the process that it has
    /// started: a child's number is another than the one that it feeds the watchdog by.
    ///
    /// # Errors
    /// Where the address is of a kind that isn't known here, nobody listens there, or there is no socket to be had.
    pub fn of_environment() -> io::Result<Option<Self>> {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Ok(None);
        };
        let parsed = parse(&address)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        // Only asked: by its address it is found again when it has been opened anew.
        let heard = UnixDatagram::unbound()?.connect_addr(&parsed);
        heard.map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", address.display())))?;
        let text = |name| std::env::var(name).ok();
        let micros = text("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        let of = text("WATCHDOG_PID").and_then(|text| text.parse().ok());
        let watchdog = watchdog(micros, of, std::process::id());
        Ok(Some(Self { socket, address: parsed, watchdog }))
    }

    /// Within which time it wants to hear that all is well; `None`: it doesn't.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it, as lines of `NAME=VALUE`. Waits for nobody.
    ///
    /// # Errors
    /// Where it doesn't listen, or has no room now ([`io::ErrorKind::WouldBlock`]).
    pub fn tell(&self, lines: &str) -> io::Result<()> {
        self.socket.send_to_addr(lines.as_bytes(), &self.address).map(drop)
    }
}

/// A path, or an abstract name behind an `@`.
fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(address),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name (@NAME)")),
    }
}

/// sd_watchdog_enabled(3): zero is none, and where a process is named it is meant alone.
fn watchdog(micros: Option<u64>, of: Option<u32>, this: u32) -> Option<Duration> {
    micros.filter(|micros| *micros > 0 && of.is_none_or(|of| of == this)).map(Duration::from_micros)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_or_abstract() {
        let of = |text: &str| parse(OsStr::new(text));
        assert_eq!(of("/run/systemd/notify").unwrap().as_pathname().unwrap().to_str(), Some("/run/systemd/notify"));
        assert_eq!(of("@one/two").unwrap().as_abstract_name(), Some(&b"one/two"[..]));
        for wrong in ["vsock:2:1234", "notify", &format!("/{}", "a".repeat(200))] {
            assert_eq!(of(wrong).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{wrong}");
        }
    }

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        let second = Some(Duration::from_secs(1));
        for (micros, of, wanted) in [
            (None, None, None),
            (Some(0), None, None),
            (Some(1_000_000), None, second),
            (Some(1_000_000), Some(7), second),
            (Some(1_000_000), Some(8), None),
        ] {
            assert_eq!(watchdog(micros, of, 7), wanted, "{micros:?} {of:?}");
        }
    }
}
