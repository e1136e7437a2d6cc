//! The pod's socket: other barepod commands send requests to the supervisor, and the supervisor answers until each is done.
//!
//! `control.sock` in the state folder is of the type SOCK_SEQPACKET: each record is one whole frame, with its descriptors.
//! [`Server`] is a source of events for the supervisor's loop and never waits. [`Client`] is for commands and waits.
//! Nothing here decides anything. Start reading at [`Request`] and [`Answer`].
//!
//! # Frames
//! A frame is a JSON object of at most 64 KiB, with at most four descriptors:
//! - `{"v":1,"id":7,"ask":{"kind":"stop","gracePeriodSeconds":30}}`: a request of the client. The client chooses the id: any number
//!   but 0 that no open request of it has. Several requests may be open at once; each is answered when it is done.
//! - `{"v":1,"id":7,"answer":{"kind":"waiting",...}}`: an answer of the supervisor. There may be many, until one
//!   [ends](Answer::is_last) the request.
//! - An answer with id 0 is about the connection: it ends all requests on it, and the supervisor hangs up.
//! - `{"v":1,"id":7,"ask":{"kind":"cancel"}}` ends request 7. The answer is `cancelled`, unless the last answer was faster. What
//!   was asked for isn't undone. A client that hangs up cancels all its requests.
//!
//! # Bounds
//! A client has at most [`REQUESTS`] open requests, a supervisor at most [`CLIENTS`] clients. If a client doesn't read its answers, the
//! supervisor reads nothing more from it, and keeps only the latest news (`waiting`) for it. So at most one frame of news and one last
//! answer for each request wait in the supervisor's memory. One call of [`Server::turn`] handles a few frames, however many there are.
//!
//! # Versions
//! Three things never change: SOCK_SEQPACKET, a JSON object, the number `v` in it. A frame of another version is answered by a
//! refusal in the answering side's own version, so that the other side learns that version. New kinds of requests and answers and
//! new fields don't raise the version: an unknown kind is refused (`unknown`), unknown news and fields are skipped. The version is
//! raised when something that exists changes its meaning.
//!
//! # Descriptors
//! They arrive with the frame of their request, which says how many it takes ([`Request::descriptors`]); one that brings more
//! or fewer is refused. So the bytes of an `exec` never go through the supervisor: its program has the client's own pipes, or
//! a terminal of the container's, which goes to the client by a socket that the client has sent along. By such a socket the
//! descriptors of `network` go to the client too, before the answer.

mod answer;
mod client;
mod connection;
mod ending;
mod error;
mod frame;
mod protocol;
pub(crate) mod record;
mod request;
mod server;
mod watch;

pub use answer::{
    Added, Answer, Applied, Ended, Exited, Instance, Obstacle, Reason, Resized, Restarting, Signalled, Waiting,
};
pub use client::{Client, apply, debug, end, is_listening, resize, restart, signal};
pub use connection::REQUESTS;
pub use ending::{End, Until, end_within};
pub use error::ControlError;
pub use protocol::SOCKET;
pub use request::{
    AttachedTo, Attaching, Changes, Debugging, Image, Input, Program, Request, Resources, RootOwner, Streams,
};
pub use server::{Asked, CLIENTS, Requester, Server, Turn};
pub use watch::{News, Watcher};

#[cfg(test)]
mod tests;
