//! This process's terminal in raw mode: every key goes to the program at the other end, and the terminal is as it was before
//! when that has ended. (Not where this process is killed, or panics: `reset` helps then.)

use std::io::{self, IsTerminal};

use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

/// Standard input in raw mode, until this is dropped.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Where standard input is a terminal; `None`: it is none.
    ///
    /// # Errors
    /// As tcsetattr(3).
    pub fn enter() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let raw = Self { before: tcgetattr(io::stdin())? };
        raw.again()?;
        Ok(Some(raw))
    }

    /// Once more: the shell has changed it, while this process was stopped.
    ///
    /// # Errors
    /// As tcsetattr(3).
    pub fn again(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Of the terminal that one of the standard streams is; zeros: there is none, or it doesn't know.
pub fn size() -> Winsize {
    let unknown = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let of_output = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stderr()));
    of_output.or_else(|_| tcgetwinsize(io::stdin())).unwrap_or(unknown)
}
