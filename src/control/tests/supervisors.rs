//! Supervisors that are gone, not there yet, or of another version.

use super::*;

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
