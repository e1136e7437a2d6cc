//! Clients that go away, ask for too much or for nothing, or don't listen.

use super::*;

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
