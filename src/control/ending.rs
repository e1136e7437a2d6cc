//! A pod's end, waited for until it has begun or for a time.

use std::os::fd::BorrowedFd;
use std::path::Path;

use super::client::{connect, dies};
use super::request::Call;
use super::{Answer, ControlError, Ended, Reason, Request, Waiting};

/// What of a pod's end is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// That the supervisor has taken the request: what was asked for isn't undone any more.
    Begun,
    /// The end.
    Ended,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The supervisor has taken the request.
    Begun,
    /// The pod has ended.
    Ended(Ended),
    /// The pod ended before the supervisor could be asked, or the supervisor died.
    Gone,
    /// There was no time for more. What was asked for isn't undone.
    Late,
}

/// As [`super::end`], for as long as `is_in_time`, which waits for something to be read and says whether there was time for it.
///
/// # Errors
/// As [`super::end`].
pub fn end_within(
    dir: &Path,
    request: Request,
    until: Until,
    mut lives: impl FnMut() -> bool,
    mut news: impl FnMut(&Waiting),
    mut is_in_time: impl FnMut(BorrowedFd<'_>) -> bool,
) -> Result<End, ControlError> {
    let Some(mut client) = connect(dir, &mut lives)? else { return Ok(End::Gone) };
    let ask = || {
        client.ask(request)?;
        if until == Until::Begun {
            // It is answered at once, and a client's requests are taken in their order.
            client.call(&Call::Watch, &[])?;
        }
        loop {
            if !is_in_time(client.fd()) {
                return Ok(End::Late);
            }
            match client.receive()?.1 {
                Answer::Ended(ended) => return Ok(End::Ended(ended)),
                Answer::Waiting(waiting) => news(&waiting),
                Answer::Changed => return Ok(End::Begun),
                Answer::Refused { reason: Reason::Busy, .. } => return Err(ControlError::Busy),
                Answer::Refused { message, .. } => return Err(ControlError::Refused(message)),
                Answer::Unknown => {}
                other => return Err(ControlError::Protocol(format!("{other:?}"))),
            }
        }
    };
    match ask() {
        Err(ControlError::Io { .. } | ControlError::Lost) if dies(&mut lives) => Ok(End::Gone),
        Err(ControlError::Lost) => Err(ControlError::HungUp),
        end => end,
    }
}
