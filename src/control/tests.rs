//! The two ends of the socket together.
#![allow(clippy::unwrap_used)]

use super::server::CLIENTS;
use super::*;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

#[test]
fn a_request_arrives_and_the_end_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let mut server = Server::bind(&long, CLIENTS).unwrap();
    let mut client = Client::connect(&long).unwrap();
    client.ask(Request::Stop { grace_period: Some(Duration::from_secs(3)) }).unwrap();
    let connections = server.accept().new;
    assert_eq!(connections.len(), 1);
    let requests = server.read(connections[0]);
    assert_eq!(requests, [Request::Stop { grace_period: Some(Duration::from_secs(3)) }]);
    server.close();
    server.finish(3, barepod_engine::status::Phase::Failed);
    assert_eq!(client.wait_end().unwrap(), Ended { exit_code: 3, phase: "Failed".to_owned() });
    assert!(!long.join(SOCKET).exists());
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
    client.ask(Request::Resize(wanted.clone())).unwrap();
    let connection = server.accept().new[0];
    assert_eq!(server.read(connection), [Request::Resize(wanted)]);
    let done = Resized::Done { container: "web".to_owned() };
    assert!(!server.owes());
    server.owe(connection, done.clone());
    assert!(server.owes());
    server.pay();
    assert_eq!(client.wait_resized().unwrap(), Some(done));
    // Whoever still waits when the pod ends hears both, in this order.
    client.ask(Request::Resize(Resources::default())).unwrap();
    assert_eq!(server.read(connection), [Request::Resize(Resources::default())]);
    server.owe(connection, Resized::Unchanged);
    server.finish(0, barepod_engine::status::Phase::Succeeded);
    assert_eq!(client.wait_resized().unwrap(), Some(Resized::Unchanged));
    assert_eq!(client.wait_resized().unwrap(), None);
}

#[test]
fn a_supervisor_that_goes_away_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut client = Client::connect(dir.path()).unwrap();
    client.ask(Request::Kill).unwrap();
    drop(server);
    assert!(matches!(client.wait_end(), Err(ControlError::Lost)));
}

/// `stop` right after `run`: the lock is held, the socket is not there yet.
#[test]
fn a_supervisor_that_is_about_to_listen_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut asked = 0;
    let ended = end(dir.path(), Request::Kill, || {
        asked += 1;
        let server = Server::bind(dir.path(), CLIENTS).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the supervisor's process, as a thread")]
        std::thread::spawn(move || supervise(server));
        true
    });
    assert_eq!(ended.unwrap(), Some(Ended { exit_code: 137, phase: "Failed".to_owned() }));
    assert_eq!(asked, 1);
}

/// Ends its pod when it is asked to.
fn supervise(mut server: Server) {
    wait(server.listener());
    let connection = server.accept().new[0];
    wait(server.connection(connection).unwrap());
    assert_eq!(server.read(connection), [Request::Kill]);
    server.close();
    server.finish(137, barepod_engine::status::Phase::Failed);
}

fn wait(fd: std::os::fd::BorrowedFd<'_>) {
    use rustix::event::{PollFd, PollFlags, poll};
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
}

#[test]
fn a_pod_that_nobody_supervises_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(end(dir.path(), Request::Kill, || false).unwrap(), None);
    // What a supervisor that was killed leaves: a socket that nobody listens to.
    drop(Server::bind(dir.path(), CLIENTS).unwrap());
    assert!(dir.path().join(SOCKET).exists());
    assert_eq!(end(dir.path(), Request::Kill, || false).unwrap(), None);
    Server::bind(dir.path(), CLIENTS).unwrap();
}

#[test]
fn a_request_in_pieces_is_one_and_places_are_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut first = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
    let first_index = server.accept().new[0];
    first.write_all(b"{\"version\":1,\"verb\":\"st").unwrap();
    assert_eq!(server.read(first_index), []);
    first.write_all(b"op\"}\n{\"version\":1,\"verb\":\"kill\",\"later\":[]}\n").unwrap();
    assert_eq!(server.read(first_index), [Request::Stop { grace_period: None }, Request::Kill]);
    drop(first);
    assert_eq!(server.read(first_index), []);
    let _next = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
    assert_eq!(server.accept().new, [first_index]);
    assert_eq!(server.read(u16::MAX), []);
}

/// Clients that connect and say nothing keep out nobody; where all wait for an answer, who comes is told.
#[test]
fn a_crowd_that_says_nothing_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    let mut waiting = Client::connect(dir.path()).unwrap();
    waiting.ask(Request::Stop { grace_period: None }).unwrap();
    let index = server.accept().new[0];
    assert_eq!(server.read(index), [Request::Stop { grace_period: None }]);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(UnixStream::connect(dir.path().join(SOCKET)).unwrap());
        let admitted = server.accept();
        assert!(admitted.new.len() == 1 && !admitted.overloaded);
    }
    let mut killer = Client::connect(dir.path()).unwrap();
    killer.ask(Request::Kill).unwrap();
    let killers = server.accept().new[0];
    assert_eq!(server.read(killers), [Request::Kill]);
    // The oldest of them has gone, and was told.
    let told = std::io::read_to_string(&crowd[0]).unwrap();
    assert!(told.contains("busy"), "{told}");
    // Nobody is sent away who waits.
    let mut others = Vec::new();
    for _ in 0..62 {
        let mut other = Client::connect(dir.path()).unwrap();
        other.ask(Request::Stop { grace_period: None }).unwrap();
        let index = server.accept().new[0];
        assert_eq!(server.read(index).len(), 1);
        others.push(other);
    }
    let mut one_more = Client::connect(dir.path()).unwrap();
    assert!(server.accept().new.is_empty());
    assert!(matches!(one_more.wait_end(), Err(ControlError::Busy)));
    server.close();
    server.finish(137, barepod_engine::status::Phase::Failed);
    for client in others.iter_mut().chain([&mut waiting, &mut killer]) {
        assert_eq!(client.wait_end().unwrap().exit_code, 137);
    }
}

/// A supervisor that hangs up and lives has not ended; nor has one that is busy.
#[test]
fn what_it_means_that_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let asked = |answer: &'static [u8], lives: bool| {
        let _ = std::fs::remove_file(dir.path().join(SOCKET));
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the supervisor's process, as a thread")]
        let supervisor = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut String::new()).unwrap();
            stream.write_all(answer).unwrap();
        });
        let ended = end(dir.path(), Request::Kill, || lives);
        supervisor.join().unwrap();
        ended
    };
    assert!(matches!(asked(b"", true), Err(ControlError::HungUp)));
    assert!(matches!(asked(b"", false), Ok(None)));
    assert!(matches!(asked(b"{\"version\":1,\"refused\":\"busy\"}\n", true), Err(ControlError::Busy)));
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

#[test]
fn garbage_and_endless_lines_close_the_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path(), CLIENTS).unwrap();
    for text in ["{\"version\": 9, \"verb\": \"stop\"}\n".to_owned(), "nonsense\n".to_owned(), "x".repeat(LINE + 1)] {
        let mut stream = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let connections = server.accept().new;
        assert_eq!(server.read(connections[0]), []);
        assert!(server.connection(connections[0]).is_none());
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    }
}
