//! Network probes and hooks: HTTP, TCP and gRPC requests from inside the pod's network namespace.
//!
//! Each runs in a helper process of its own, so that none can hold up the supervisor, whatever the other side does;
//! it has no idea of time: whoever began it drops it when it takes too long. What to ask is plan's business
//! ([`Call`]), when is the engine's.

mod connect;
mod grpc;
mod h2;
mod http;
mod outcome;
mod tls;
mod wire;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::plan::{Call, Names};
use crate::runtime::spawn::{self, Inquiry};
use connect::connect;
pub use outcome::Outcome;

/// `argv[0]` of the helper.
const NAME: &str = "barepod:request";
/// Descriptors it is given, in order: request, report, network namespace if there is one.
const DESCRIPTORS: i32 = 3;

/// A request under way. Dropping it ends it.
#[derive(Debug)]
pub struct Request(Inquiry);

impl Request {
    /// Begins one. `names`: where its host may be looked up; `namespace`: the network namespace to ask from; `None`:
    /// this one.
    ///
    /// # Errors
    /// Where there is no helper process to be had.
    pub fn begin(call: &Call, names: &Names, namespace: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let request = (call, names, namespace.is_some());
        Inquiry::begin(NAME, &request, namespace.map(|namespace| namespace.as_raw_fd())).map(Self)
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// How it went; `None`: not known yet.
    pub fn outcome(&mut self) -> Option<Outcome> {
        let died = |_| Outcome::Error("the helper process died".to_owned());
        self.0.outcome().map(|outcome| outcome.unwrap_or_else(died))
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        run()
    }
}

fn run() -> ! {
    spawn::settle(NAME, DESCRIPTORS);
    let (request, report) = (spawn::inherited(0), spawn::inherited(1));
    spawn::answer(report, &ask(request).unwrap_or_else(Outcome::Error))
}

fn ask(request: OwnedFd) -> Result<Outcome, String> {
    let (call, names, visits): (Call, Names, bool) =
        spawn::read_request(request).map_err(|cause| format!("read the request: {cause}"))?;
    if visits {
        move_into_link_name_space(spawn::inherited(2).as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| format!("setns: {errno}"))?;
    }
    Ok(match &call {
        Call::Http(get) => http::get(get, &names),
        Call::Tcp { host, port } => tcp(host, *port, &names),
        Call::Grpc { scheme, host, port, service } => grpc::check(*scheme, host, *port, service, &names),
    })
}

fn tcp(host: &str, port: u16, names: &Names) -> Outcome {
    match connect(host, port, names) {
        Ok(_) => Outcome::Success,
        Err(cause) => Outcome::Failure(cause),
    }
}

#[cfg(test)]
mod tests;
