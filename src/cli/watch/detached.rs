//! A run that leaves its terminal (`run --detach`): until the pod's sandbox is there what is said goes to the caller, from then
//! on to `supervisor.log` in the pod's state folder.

use std::path::PathBuf;

use crate::cli::console::Console;
use crate::runtime::detach::{Ready, Report};
use crate::store::supervisor_log::SupervisorLog;

/// What it takes to leave.
pub struct Detaching {
    /// The way to tell the process that the caller waits for.
    pub report: Report,
    /// The pod's state folder.
    pub dir: PathBuf,
}

/// Where what is said goes afterwards.
pub struct Detached {
    /// `None`: it couldn't be opened.
    log: Option<SupervisorLog>,
}

impl Detaching {
    /// Lets go of the caller's terminal and pipes, and of the consoles on them.
    pub fn detach(self, pod: &str, [out, err]: [&mut Console; 2]) -> Detached {
        let log = match SupervisorLog::open(&self.dir) {
            Ok(log) => Some(log),
            Err(error) => {
                let path = self.dir.join(crate::store::supervisor_log::FILE);
                err.write(
                    format!("warning: {}: {error}; what the supervisor has to say is lost\n", path.display())
                        .as_bytes(),
                );
                None
            }
        };
        err.flush();
        let unread = err.take_held();
        let ready = Ready { pod: pod.to_owned(), log: log.as_ref().map(SupervisorLog::path) };
        let reported = self.report.ready(&ready);
        // Both have descriptors of their own.
        for (console, opened) in [(out, Console::stdout()), (err, Console::stderr())] {
            match opened {
                Ok(opened) => *console = opened,
                Err(_) => console.close(),
            }
        }
        let mut detached = Detached { log };
        // What a caller who doesn't read has not been told.
        String::from_utf8_lossy(&unread).lines().for_each(|line| detached.line(line));
        if let Err(error) = reported {
            detached.line(&format!("warning: can't let go of the caller's files: {error}"));
        }
        detached
    }
}

impl Detached {
    /// Says something.
    pub fn line(&mut self, text: &str) {
        let Some(log) = &mut self.log else { return };
        if log.line(jiff::Timestamp::now(), text) {
            // What isn't said here goes there, too: a panic's words.
            let _ = rustix::stdio::dup2_stderr(log.file());
        }
    }
}
