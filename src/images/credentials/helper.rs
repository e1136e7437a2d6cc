//! Programs that keep logins: `docker-credential-NAME get` (docker-credential-helpers' protocol). One that hangs is ended.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

use super::error::CredentialsError;
use crate::images::registry::Login;

/// The most that is read of what it says, and that is shown of it.
const READ: u64 = 1 << 20;
const SHOWN: usize = 200;
/// What all of them say where they have no login (docker-credential-helpers, credentials/error.go).
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user's name that means that the secret is an identity token.
const TOKEN: &str = "<token>";

pub struct Helper<'a> {
    pub name: &'a str,
    pub path: Option<&'a OsStr>,
    pub patience: Duration,
}

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// What it said, and whether it was content with itself.
struct Said {
    text: Vec<u8>,
    is_good: bool,
}

impl Helper<'_> {
    /// The login of a server. `None`: it has none. `from`: who names it.
    pub fn get(&self, server: &str, from: &str) -> Result<Option<Login>, CredentialsError> {
        let (from, name, server_name) = (from.to_owned(), self.name.to_owned(), server.to_owned());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(CredentialsError::HelperName { from, name });
        }
        let said = match self.run(server) {
            Ok(Some(said)) => said,
            Ok(None) => {
                return Err(CredentialsError::HelperTime { from, name, server: server_name, after: self.patience });
            }
            Err(cause) => return Err(CredentialsError::HelperStart { from, name, server: server_name, cause }),
        };
        let text = String::from_utf8_lossy(&said.text);
        let failed = |said: String| CredentialsError::HelperFailed { from, name, server: server_name, said };
        if !said.is_good {
            return if text.contains(NOT_FOUND) { Ok(None) } else { Err(failed(shown(&text))) };
        }
        // What it says may be a secret, though it can't be read.
        let given: Given = serde_json::from_str(&text)
            .map_err(|_| failed("what it says is no login (JSON with Username and Secret)".to_owned()))?;
        Ok(match given.user.as_str() {
            TOKEN => Some(Login::IdentityToken(given.secret)),
            "" if given.secret.is_empty() => None,
            _ => Some(Login::Password { user: given.user, password: given.secret }),
        })
    }

    /// `None`: it took too long, and was ended.
    fn run(&self, server: &str) -> io::Result<Option<Said>> {
        let deadline = Instant::now() + self.patience;
        let mut command = Command::new(format!("docker-credential-{}", self.name));
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(path) = self.path {
            command.env("PATH", path);
        }
        let mut child = command.spawn()?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (server, (told, heard)) = (server.to_owned(), mpsc::channel());
        // It ends with this process at the latest: somebody else may hold the pipe.
        std::thread::spawn(move || {
            if let Some(mut stdin) = stdin.take() {
                let _ = stdin.write_all(server.as_bytes());
            }
            let mut text = Vec::new();
            if let Some(stdout) = stdout {
                let _ = stdout.take(READ).read_to_end(&mut text);
            }
            let _ = told.send(text);
        });
        let text = heard.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let (Ok(text), true) = (text, ends(&child, deadline)?) else {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        };
        Ok(Some(Said { text, is_good: child.wait()?.success() }))
    }
}

/// Whether it ends before the deadline.
fn ends(child: &Child, deadline: Instant) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
}

fn shown(text: &str) -> String {
    let line = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN);
    let line: String = line.collect();
    if line.is_empty() { "it failed, and doesn't say why".to_owned() } else { line }
}
