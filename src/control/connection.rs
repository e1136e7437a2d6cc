//! One client, as the supervisor sees it: its open requests, and what it hasn't taken yet.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::frame::{self, CONNECTION, Id, Malformed};
use super::protocol::VERSION;
use super::record::{self, Received};
use super::request::Call;
use super::{Answer, Reason, Request};

/// Most requests of one client that are open at a time.
pub const REQUESTS: usize = 16;

pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) uid: u32,
    /// Of all that there have been; a larger one is younger.
    pub(super) number: u64,
    /// Requests without a last answer.
    open: Vec<Id>,
    /// Those of them that only want news.
    watches: Vec<Id>,
    /// Answers that the client hasn't taken. While there are any nothing is read: at most one of news and one last for each
    /// request, and one for a frame that can't be answered otherwise.
    unsent: VecDeque<(Id, Answer)>,
}

/// The result of reading a frame.
pub(super) enum FrameRead {
    /// There is none.
    Nothing,
    /// One that was handled here.
    Handled,
    /// A new request, with its descriptors.
    Request(Id, Box<Request>, Vec<OwnedFd>),
    /// The client doesn't want this request's answer any more.
    Cancelled(Id),
    /// The connection is closed.
    Closed,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, uid: u32, number: u64) -> Self {
        Self { socket, uid, number, open: Vec::new(), watches: Vec::new(), unsent: VecDeque::new() }
    }

    /// Whether it has asked for nothing that is still to be answered, but for news: it may be sent away for others.
    pub(super) fn is_idle(&self) -> bool {
        self.open.len() == self.watches.len()
    }

    /// Tells that there is something new, where that is wanted.
    pub(super) fn tell_changed(&mut self) {
        for id in self.watches.clone() {
            self.answer(id, Answer::Changed);
        }
    }

    /// Whether it is waited for to be writable; else to be readable.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub(super) fn open_requests(&self) -> &[Id] {
        &self.open
    }

    /// Takes the next frame.
    pub(super) fn read(&mut self) -> FrameRead {
        let (record, descriptors) = match record::receive(&self.socket) {
            Ok(Received::Record(record, descriptors)) => (record, descriptors),
            Ok(Received::TooMuch) => {
                let most =
                    format!("a frame has at most {} bytes and {} descriptors", frame::LONGEST, record::DESCRIPTORS);
                return self.hang_up(Reason::Malformed, most);
            }
            Err(Errno::AGAIN) => return FrameRead::Nothing,
            Ok(Received::End) | Err(_) => return FrameRead::Closed,
        };
        match frame::decode_call(&record) {
            Ok((id, Call::Cancel)) => {
                let was_open = self.open.contains(&id);
                self.answer(id, Answer::Cancelled);
                return if was_open { FrameRead::Cancelled(id) } else { FrameRead::Handled };
            }
            Ok((id, _)) if self.open.contains(&id) => {
                return self.hang_up(Reason::Malformed, format!("request {id} is open already"));
            }
            Ok((id, call)) => {
                self.open.push(id);
                if self.open.len() > REQUESTS {
                    self.refuse(
                        id,
                        Reason::Busy,
                        format!("at most {REQUESTS} requests of a client are open at a time"),
                    );
                } else {
                    return self.take(id, call, descriptors);
                }
            }
            Err(Malformed::Version(theirs)) => {
                let message = format!("this supervisor speaks version {VERSION} of the control protocol, not {theirs}");
                return self.hang_up(Reason::Version, message);
            }
            Err(Malformed::Garbage(why)) => return self.hang_up(Reason::Malformed, why),
        }
        FrameRead::Handled
    }

    /// A call that is open now, with its descriptors.
    fn take(&mut self, id: Id, call: Call, descriptors: Vec<OwnedFd>) -> FrameRead {
        let wanted = if let Call::Ask(request) = &call { request.descriptors() } else { 0 };
        match call {
            Call::Ask(_) | Call::Watch if descriptors.len() != wanted => {
                let message = format!("the request takes {wanted} descriptors, not {}", descriptors.len());
                self.refuse(id, Reason::Malformed, message);
            }
            Call::Ask(request) => return FrameRead::Request(id, Box::new(request), descriptors),
            Call::Watch => {
                self.watches.push(id);
                // From here on it misses nothing: what was there before is to be looked at now.
                self.answer(id, Answer::Changed);
            }
            Call::Cancel | Call::Unknown => {
                let message = "the supervisor doesn't know this request: it is of an older barepod".to_owned();
                self.refuse(id, Reason::Unknown, message);
            }
        }
        FrameRead::Handled
    }

    fn refuse(&mut self, id: Id, reason: Reason, message: String) {
        self.answer(id, Answer::Refused { reason, message });
    }

    fn hang_up(&self, reason: Reason, message: String) -> FrameRead {
        self.say_last(&Answer::Refused { reason, message });
        FrameRead::Closed
    }

    /// Answers a request, where it is still open. What the client doesn't take now it gets when it does; of news the latest.
    pub(super) fn answer(&mut self, id: Id, answer: Answer) {
        let Some(at) = self.open.iter().position(|open| *open == id) else { return };
        if answer.is_last() {
            self.open.swap_remove(at);
            self.watches.retain(|watch| *watch != id);
        } else if let Some(older) = self.unsent.iter_mut().find(|(of, answer)| *of == id && !answer.is_last()) {
            older.1 = answer;
            return;
        }
        self.unsent.push_back((id, answer));
        // One that has gone is noticed when it is looked at next.
        let _ = self.send_unsent();
    }

    /// Sends what the client takes.
    ///
    /// # Errors
    /// Where it has gone.
    pub(super) fn send_unsent(&mut self) -> rustix::io::Result<()> {
        while let Some((id, answer)) = self.unsent.front() {
            match record::send(&self.socket, &frame::encode_answer(*id, answer), &[]) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(Errno::AGAIN) => return Ok(()),
                // News of very many containers: the answer is still to come.
                Err(Errno::MSGSIZE) if !answer.is_last() => drop(self.unsent.pop_front()),
                // It repeats a request that is nearly as long as that may be.
                Err(Errno::MSGSIZE) if !matches!(answer, Answer::Refused { .. }) => {
                    let message = "the answer is too long".to_owned();
                    let refused = Answer::Refused { reason: Reason::Malformed, message };
                    self.unsent[0].1 = refused;
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Says what is left to say before the connection ends, as far as the client takes it: nobody waits for that.
    pub(super) fn say_last(&self, answer: &Answer) {
        for (id, answer) in self.unsent.iter().filter(|(_, answer)| answer.is_last()) {
            let _ = record::send(&self.socket, &frame::encode_answer(*id, answer), &[]);
        }
        let _ = record::send(&self.socket, &frame::encode_answer(CONNECTION, answer), &[]);
    }
}
