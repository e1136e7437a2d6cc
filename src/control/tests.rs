//! The two ends of the socket together.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use barepod_engine::status::Phase;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::frame::{self, CONNECTION, Malformed};
use super::record::{self, Received};
use super::request::Call;
use super::*;

mod clients;
mod supervisors;

/// All that clients have said by now.
fn heard(server: &mut Server) -> Vec<Asked> {
    let mut all = Vec::new();
    let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(&server.fd(), PollFlags::IN)], Some(&at_once)).unwrap() > 0 {
        let turn = server.turn();
        assert!(!turn.overloaded);
        all.extend(turn.asked);
    }
    all
}

fn requests(server: &mut Server) -> Vec<Request> {
    heard(server).into_iter().map(|asked| asked.request).collect()
}

fn raw(dir: &Path) -> OwnedFd {
    let socket = record::connect_in(dir).unwrap();
    rustix::io::ioctl_fionbio(&socket, true).unwrap();
    socket
}

fn ask(socket: &OwnedFd, id: u64, call: Call) {
    record::send(socket, &frame::encode_call(id, &call), &[]).unwrap();
}

/// The next answer; `None`: the server has hung up.
fn answer(socket: &OwnedFd) -> Option<(u64, Answer)> {
    match record::receive(socket).unwrap() {
        Received::Record(bytes, descriptors) => {
            assert!(descriptors.is_empty());
            Some(frame::decode_answer(&bytes).unwrap())
        }
        Received::TooMuch => panic!("too much"),
        Received::End => None,
    }
}

fn refusal(socket: &OwnedFd) -> (u64, Reason) {
    match answer(socket).unwrap() {
        (id, Answer::Refused { reason, .. }) => (id, reason),
        other => panic!("{other:?}"),
    }
}

fn waiting(name: &str) -> Waiting {
    Waiting { containers: vec![name.to_owned()], left_millis: 1, grace_millis: 2 }
}

const STOP: Request = Request::Stop { grace_period_seconds: None };

#[test]
fn a_request_arrives_and_the_end_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let mut server = Server::bind(&long, CLIENTS).unwrap();
    let mut client = Client::connect(&long).unwrap();
    let stop = Request::stop(Some(Duration::from_secs(3)));
    let id = client.ask(stop.clone()).unwrap();
    assert_eq!(requests(&mut server), [stop]);
    server.tell_waiting(&waiting("web"));
    server.close();
    server.finish(3, Phase::Failed);
    assert_eq!(client.answer(id).unwrap(), Answer::Waiting(waiting("web")));
    assert_eq!(client.answer(id).unwrap(), Answer::Ended(Ended { exit_code: 3, phase: "Failed".to_owned() }));
    assert!(matches!(client.answer(id), Err(ControlError::Lost)));
    assert!(!long.join(SOCKET).exists());
}

/// News of more containers than fit into a frame isn't told; the answer is.
#[test]
fn news_that_is_too_long_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut client = Client::connect(dir.path()).unwrap();
    let id = client.ask(STOP).unwrap();
    assert_eq!(requests(&mut server), [STOP]);
    server.tell_waiting(&waiting(&"x".repeat(frame::LONGEST)));
    server.tell_waiting(&waiting("web"));
    server.close();
    server.finish(0, Phase::Succeeded);
    assert_eq!(client.answer(id).unwrap(), Answer::Waiting(waiting("web")));
    assert_eq!(client.answer(id).unwrap(), Answer::Ended(Ended { exit_code: 0, phase: "Succeeded".to_owned() }));
}

/// Who has asked and was not heard, or has only connected, is told too: the end of the connection overtakes nothing.
#[test]
fn an_end_that_comes_before_the_request_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let [mut early, mut late] = [Client::connect(dir.path()).unwrap(), Client::connect(dir.path()).unwrap()];
    let id = early.ask(STOP).unwrap();
    server.close();
    server.finish(0, Phase::Succeeded);
    let ended = Answer::Ended(Ended { exit_code: 0, phase: "Succeeded".to_owned() });
    assert_eq!(early.answer(id).unwrap(), ended);
    let id = late.ask(STOP).unwrap();
    assert_eq!(late.answer(id).unwrap(), ended);
}

#[test]
fn a_resize_is_answered_when_it_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let wanted = Resources {
        container: Some("web".to_owned()),
        limits: BTreeMap::from([("cpu".to_owned(), "200m".to_owned())]),
        ..Resources::default()
    };
    let mut client = Client::connect(dir.path()).unwrap();
    let id = client.ask(Request::Resize(wanted.clone())).unwrap();
    let asked = heard(&mut server);
    assert_eq!(asked[0].request, Request::Resize(wanted));
    let done = Answer::Resized { outcome: Resized::Done { container: "web".to_owned() } };
    assert!(!server.has_deferred());
    server.defer(asked[0].by, done.clone());
    assert!(server.has_deferred());
    server.send_deferred();
    assert_eq!(client.answer(id).unwrap(), done);
    // Who still waits when the pod ends hears what it has waited for.
    let id = client.ask(Request::Resize(Resources::default())).unwrap();
    let unchanged = Answer::Resized { outcome: Resized::Unchanged };
    let by = heard(&mut server)[0].by;
    server.defer(by, unchanged.clone());
    server.finish(0, Phase::Succeeded);
    assert_eq!(client.answer(id).unwrap(), unchanged);
    assert!(matches!(client.answer(id).unwrap(), Answer::Ended(_)));
}

/// Several at once, answered as they get done; one that is cancelled is answered by that alone, and its id is free.
#[test]
fn requests_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let client = raw(dir.path());
    for id in [7, 8, 9] {
        ask(&client, id, Call::Ask(Request::Resize(Resources::default())));
    }
    let asked = heard(&mut server);
    assert_eq!(asked.len(), 3);
    let outcome = |name: &str| Answer::Resized { outcome: Resized::Done { container: name.to_owned() } };
    server.answer(asked[2].by, outcome("third"));
    server.answer(asked[0].by, outcome("first"));
    ask(&client, 8, Call::Cancel);
    ask(&client, 5, Call::Cancel);
    assert!(requests(&mut server).is_empty());
    server.answer(asked[1].by, outcome("second"));
    assert_eq!(answer(&client), Some((9, outcome("third"))));
    assert_eq!(answer(&client), Some((7, outcome("first"))));
    assert_eq!(answer(&client), Some((8, Answer::Cancelled)));
    assert_eq!(record::receive(&client).unwrap_err(), Errno::AGAIN);
    ask(&client, 8, Call::Ask(Request::Kill));
    assert_eq!(requests(&mut server), [Request::Kill]);
    server.finish(137, Phase::Failed);
    assert!(matches!(answer(&client), Some((CONNECTION, Answer::Ended(_)))));
    assert_eq!(answer(&client), None);
}

#[test]
fn what_a_client_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let client = raw(dir.path());
    // Of a later barepod: the connection goes on.
    record::send(&client, br#"{"v":1,"id":3,"ask":{"kind":"moon"}}"#, &[]).unwrap();
    assert!(requests(&mut server).is_empty());
    assert_eq!(refusal(&client), (3, Reason::Unknown));
    for id in 1..=REQUESTS as u64 + 1 {
        ask(&client, id, Call::Ask(STOP));
    }
    assert_eq!(heard(&mut server).len(), REQUESTS);
    assert_eq!(refusal(&client), (REQUESTS as u64 + 1, Reason::Busy));
    // One id for two: nobody knows which answer is whose.
    ask(&client, 1, Call::Ask(STOP));
    assert!(requests(&mut server).is_empty());
    assert_eq!((refusal(&client), answer(&client)), ((CONNECTION, Reason::Malformed), None));
}

#[test]
fn garbage_and_other_versions_end_the_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let long = vec![b' '; frame::LONGEST + 1];
    let version = br#"{"v":2,"hello":"world"}"#;
    for (bytes, reason) in [
        (&b"stop"[..], Reason::Malformed),
        (b"{\"v\":1}", Reason::Malformed),
        (version, Reason::Version),
        (&long, Reason::Malformed),
    ] {
        let client = raw(dir.path());
        assert_eq!(rustix::net::send(&client, bytes, rustix::net::SendFlags::empty()).unwrap(), bytes.len());
        assert!(requests(&mut server).is_empty());
        assert_eq!((refusal(&client), answer(&client)), ((CONNECTION, reason), None));
    }
}

/// Descriptors arrive with their record, in both directions, and are not passed on to programs.
#[test]
fn descriptors_go_along() {
    let dir = tempfile::tempdir().unwrap();
    let listener = record::listen_in(dir.path()).unwrap();
    let client = record::connect_in(dir.path()).unwrap();
    let server = rustix::net::accept(&listener).unwrap();
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        record::send(from, b"first", &[]).unwrap();
        record::send(from, b"second", &[writer.as_fd(), reader.as_fd()]).unwrap();
        drop(writer);
        let Received::Record(first, none) = record::receive(to).unwrap() else { panic!() };
        assert_eq!((first.as_slice(), none.len()), (&b"first"[..], 0));
        let Received::Record(second, mut two) = record::receive(to).unwrap() else { panic!() };
        assert_eq!((second.as_slice(), two.len()), (&b"second"[..], 2));
        for one in &two {
            assert!(rustix::io::fcntl_getfd(one).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        }
        rustix::io::write(two.remove(0), b"x").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 1);
    }
    assert_eq!(record::send(&client, b"x", &[client.as_fd(); record::DESCRIPTORS + 1]), Err(Errno::MSGSIZE));
}

/// Nobody holds what a client sends that no request takes, however many they are.
#[test]
fn descriptors_that_nobody_wants_are_closed() {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let stop = frame::encode_call(1, &Call::Ask(STOP));
    for (count, refused) in [(1, (1, Reason::Malformed)), (253, (CONNECTION, Reason::Malformed))] {
        let client = raw(dir.path());
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let descriptors = vec![writer.as_raw_fd(); count];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let bytes = [std::io::IoSlice::new(&stop)];
        sendmsg::<()>(client.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None).unwrap();
        drop(writer);
        assert!(requests(&mut server).is_empty(), "{count}");
        assert_eq!(refusal(&client), refused);
        // Nobody has the other end any more.
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 0);
    }
}

#[test]
fn only_the_owner_may_connect() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let dir = tempfile::tempdir().unwrap();
    let _server = Server::bind(dir.path(), CLIENTS).unwrap();
    let meta = std::fs::metadata(dir.path().join(SOCKET)).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(meta.uid(), rustix::process::geteuid().as_raw());
}

/// Who watches hears of each change that it has read of, of the latest otherwise, and of the end.
#[test]
fn news_come_to_who_watches() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut watch = Watcher::begin(dir.path(), || true).unwrap().unwrap();
    server.tell_changed();
    assert_eq!(requests(&mut server), []);
    assert_eq!(watch.news().unwrap(), News::Changed);
    for _ in 0..10_000 {
        server.tell_changed();
    }
    server.tell_waiting(&waiting("web"));
    let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut news = 0;
    while poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&at_once)).unwrap() > 0 {
        assert_eq!(watch.news().unwrap(), News::Changed);
        requests(&mut server);
        news += 1;
    }
    assert!((1..10_000).contains(&news), "{news}");
    server.close();
    server.finish(0, Phase::Succeeded);
    let ended = Ended { exit_code: 0, phase: "Succeeded".to_owned() };
    assert_eq!(watch.news().unwrap(), News::Ended(ended));
    assert_eq!(watch.news().unwrap(), News::Gone);
    assert!(Watcher::begin(dir.path(), || false).unwrap().is_none());
}

/// Those who only watch make room for who wants something done.
#[test]
fn watches_keep_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), 4).unwrap();
    let mut watches: Vec<Watcher> = (0..4).map(|_| Watcher::begin(dir.path(), || true).unwrap().unwrap()).collect();
    assert_eq!(requests(&mut server), []);
    let mut client = Client::connect(dir.path()).unwrap();
    client.ask(STOP).unwrap();
    assert_eq!(requests(&mut server), [STOP]);
    assert_eq!(watches[0].news().unwrap(), News::Changed);
    assert!(matches!(watches[0].news(), Err(ControlError::Busy)));
    server.tell_changed();
    assert_eq!(watches[3].news().unwrap(), News::Changed);
}
