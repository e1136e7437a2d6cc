//! The two ends of the socket together.
#![allow(clippy::unwrap_used)]

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use barepod_engine::status::Phase;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::frame::{self, CONNECTION, Malformed};
use super::record::{self, Received};
use super::*;

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

/// A client or supervisor of another version hears which, and what to do.
#[test]
fn a_supervisor_of_another_version() {
    let dir = tempfile::tempdir().unwrap();
    let listener = record::listen_in(dir.path()).unwrap();
    let mut client = Client::connect(dir.path()).unwrap();
    let later = rustix::net::accept(&listener).unwrap();
    let id = client.ask(STOP).unwrap();
    let Received::Record(asked, _) = record::receive(&later).unwrap() else { panic!() };
    assert!(frame::decode_call(&asked).is_ok());
    record::send(&later, br#"{"v":2,"sorry":"no"}"#, &[]).unwrap();
    let told = client.answer(id).unwrap_err().to_string();
    let me = format!("`kill -TERM {}`", std::process::id());
    assert!(told.contains("version 2") && told.contains("this barepod version 1") && told.contains(&me), "{told}");
    assert_eq!(frame::decode_answer(br#"{"v":2}"#), Err(Malformed::Version(2)));
    // One that listens on another type of socket.
    std::fs::remove_file(dir.path().join(SOCKET)).unwrap();
    let _old = std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap();
    let told = end(dir.path(), STOP, || true, |_| {}).unwrap_err().to_string();
    assert!(told.contains("an older version"), "{told}");
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

/// What a request takes arrives with it; who made it is known to have gone when it hangs up or cancels, once.
#[test]
fn an_exec_and_who_asked_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let exec =
        |streams| Request::Exec(Program { container: "web".to_owned(), command: vec!["sh".to_owned()], streams });
    let mut client = Client::connect(dir.path()).unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let both = [writer.as_fd(), writer.as_fd()];
    let first = client.ask_with(exec(Streams::Output), &both).unwrap();
    let second = client.ask_with(exec(Streams::Terminal { rows: 24, columns: 80 }), &both[..1]).unwrap();
    let third = client.ask_with(exec(Streams::All), &both).unwrap();
    drop(writer);
    let mut asked = heard(&mut server);
    assert_eq!(asked.iter().map(|one| one.descriptors.len()).collect::<Vec<_>>(), [2, 1]);
    let refused = client.answer(third).unwrap_err().to_string();
    assert!(refused.contains("takes 3 descriptors, not 2"), "{refused}");
    rustix::io::write(&asked[1].descriptors[0], b"x").unwrap();
    asked[1].descriptors.clear();
    assert_eq!(asked[0].by, asked[1].by.of(first));
    assert_eq!(client.ask(Request::Signal { of: first, signal: 15 }).unwrap(), third + 1);
    assert_eq!(requests(&mut server), [Request::Signal { of: first, signal: 15 }]);
    server.answer(asked[0].by, Answer::Exited(Exited::Code(3)));
    assert_eq!(client.answer(first).unwrap(), Answer::Exited(Exited::Code(3)));
    drop(client);
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.extend(server.turn().gone);
    }
    assert_eq!(gone.len(), 2);
    assert!([second, third + 1].iter().all(|id| gone.contains(&asked[0].by.of(*id))), "{gone:?}");
    drop(asked);
    assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 1);
    assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 0);
}

/// A client that doesn't read is not heard, and of news only the latest waits for it; others go on.
#[test]
fn a_client_that_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let client = raw(dir.path());
    ask(&client, 1, Call::Ask(STOP));
    assert_eq!(heard(&mut server).len(), 1);
    // More than any socket holds.
    let news = |number: u32| waiting(&format!("{number} {}", "x".repeat(9_000)));
    for number in 1..=1000 {
        server.tell_waiting(&news(number));
    }
    ask(&client, 2, Call::Ask(Request::Kill));
    let mut other = Client::connect(dir.path()).unwrap();
    other.ask(Request::Resize(Resources::default())).unwrap();
    assert_eq!(requests(&mut server), [Request::Resize(Resources::default())]);
    let mut got = Vec::new();
    while let Ok(Received::Record(bytes, _)) = record::receive(&client) {
        got.push(frame::decode_answer(&bytes).unwrap());
    }
    assert!(got.len() < 100, "{}", got.len());
    assert!(got.iter().zip(1..).all(|(one, number)| *one == (1, Answer::Waiting(news(number)))));
    // Now that it has read: what it was not told, and what it said.
    assert_eq!(requests(&mut server), [Request::Kill]);
    assert_eq!(answer(&client), Some((1, Answer::Waiting(news(1000)))));
    assert_eq!(record::receive(&client).unwrap_err(), Errno::AGAIN);
}

/// However much clients send: one turn is a few frames, and each client is heard.
#[test]
fn a_flood_is_taken_in_turns() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut flood: Vec<_> = (0..32).map(|_| raw(dir.path())).collect();
    for client in &flood {
        for id in 1.. {
            if record::send(client, &frame::encode_call(id, &Call::Ask(STOP)), &[]).is_err() {
                break;
            }
        }
    }
    let mut killer = Client::connect(dir.path()).unwrap();
    killer.ask(Request::Kill).unwrap();
    let mut turns = 0;
    loop {
        let asked = server.turn().asked;
        assert!(asked.len() <= 8, "{}", asked.len());
        if asked.iter().any(|asked| asked.request == Request::Kill) {
            break;
        }
        turns += 1;
        assert!(turns < 100);
    }
    // Who has hung up costs nothing more.
    flood.clear();
    heard(&mut server);
    let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&server.fd(), PollFlags::IN)], Some(&at_once)).unwrap(), 0);
}

#[test]
fn a_supervisor_that_goes_away_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut client = Client::connect(dir.path()).unwrap();
    let id = client.ask(Request::Kill).unwrap();
    drop(server);
    assert!(matches!(client.answer(id), Err(ControlError::Lost)));
}

/// `stop` right after `run`: the lock is held, the socket is not there yet.
#[test]
fn a_supervisor_that_is_about_to_listen_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut asked = 0;
    let lives = || {
        asked += 1;
        let server = Server::bind(dir.path(), CLIENTS).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the supervisor's process, as a thread")]
        std::thread::spawn(move || supervise(server));
        true
    };
    let ended = end(dir.path(), Request::Kill, lives, |_| {});
    assert_eq!(ended.unwrap(), Some(Ended { exit_code: 137, phase: "Failed".to_owned() }));
    assert_eq!(asked, 1);
}

/// Ends its pod when it is asked to.
fn supervise(mut server: Server) {
    loop {
        poll(&mut [PollFd::new(&server.fd(), PollFlags::IN)], None).unwrap();
        let asked = server.turn().asked;
        if let [Asked { request: Request::Kill, .. }] = asked[..] {
            break;
        }
    }
    server.close();
    server.finish(137, Phase::Failed);
}

#[test]
fn a_pod_that_nobody_supervises_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(end(dir.path(), Request::Kill, || false, |_| {}).unwrap(), None);
    // What a supervisor that was killed leaves: a socket that nobody listens to.
    drop(Server::bind(dir.path(), CLIENTS).unwrap());
    assert!(dir.path().join(SOCKET).exists());
    assert_eq!(end(dir.path(), Request::Kill, || false, |_| {}).unwrap(), None);
    Server::bind(dir.path(), CLIENTS).unwrap();
}

/// Clients that connect and say nothing keep out nobody; where all wait for an answer, who comes is told.
#[test]
fn a_crowd_that_says_nothing_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut waiting = Client::connect(dir.path()).unwrap();
    let first = waiting.ask(STOP).unwrap();
    assert_eq!(requests(&mut server), [STOP]);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(raw(dir.path()));
        assert_eq!(requests(&mut server), []);
    }
    let mut killer = Client::connect(dir.path()).unwrap();
    killer.ask(Request::Kill).unwrap();
    assert_eq!(requests(&mut server), [Request::Kill]);
    // The oldest of them has gone, and was told.
    assert_eq!((refusal(&crowd[0]), answer(&crowd[0])), ((CONNECTION, Reason::Busy), None));
    // Nobody is sent away who waits.
    let mut others = Vec::new();
    for _ in 0..62 {
        let mut other = Client::connect(dir.path()).unwrap();
        other.ask(STOP).unwrap();
        assert_eq!(requests(&mut server), [STOP]);
        others.push(other);
    }
    let mut one_more = Client::connect(dir.path()).unwrap();
    assert_eq!(requests(&mut server), []);
    let id = one_more.ask(Request::Kill).unwrap();
    assert!(matches!(one_more.answer(id), Err(ControlError::Busy)));
    server.close();
    server.finish(137, Phase::Failed);
    for client in others.iter_mut().chain([&mut waiting, &mut killer]) {
        assert!(matches!(client.answer(first).unwrap(), Answer::Ended(Ended { exit_code: 137, .. })));
    }
}

/// A supervisor that hangs up and lives has not ended; nor has one that is busy.
#[test]
fn what_it_means_that_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let asked = |answer: Option<Answer>, lives: bool| {
        let _ = std::fs::remove_file(dir.path().join(SOCKET));
        let listener = record::listen_in(dir.path()).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the supervisor's process, as a thread")]
        let supervisor = std::thread::spawn(move || {
            poll(&mut [PollFd::new(&listener, PollFlags::IN)], None).unwrap();
            let client = rustix::net::accept(&listener).unwrap();
            record::receive(&client).unwrap();
            if let Some(answer) = answer {
                record::send(&client, &frame::encode_answer(CONNECTION, &answer), &[]).unwrap();
            }
        });
        let ended = end(dir.path(), Request::Kill, || lives, |_| {});
        supervisor.join().unwrap();
        ended
    };
    assert!(matches!(asked(None, true), Err(ControlError::HungUp)));
    assert!(matches!(asked(None, false), Ok(None)));
    let busy = Answer::Refused { reason: Reason::Busy, message: String::new() };
    assert!(matches!(asked(Some(busy), true), Err(ControlError::Busy)));
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
