//! The frames of the control socket as text, in both directions. Pure: bytes in, values out, and back.

use serde::{Deserialize, Serialize};

use super::Answer;
use super::protocol::VERSION;
use super::request::Call;

/// Most bytes of a frame. What needs more travels as a file whose descriptor goes along.
pub const LONGEST: usize = 1 << 16;

/// Number of a request, given by the client, unique among those of its connection that are open. [`CONNECTION`] is none.
pub type Id = u64;

/// The id of what is about the connection, and answers all of its open requests.
pub const CONNECTION: Id = 0;

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A frame of another version.
    Version(u64),
    /// No frame at all; why.
    Garbage(String),
}

#[derive(Serialize, Deserialize)]
struct RequestFrame {
    v: u64,
    id: Id,
    ask: Call,
}

#[derive(Serialize, Deserialize)]
struct AnswerFrame {
    v: u64,
    id: Id,
    answer: Answer,
}

/// What all versions have.
#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

/// A client's frame.
pub fn encode_call(id: Id, call: &Call) -> Vec<u8> {
    encode(&RequestFrame { v: VERSION, id, ask: call.clone() })
}

/// A supervisor's frame.
pub fn encode_answer(id: Id, answer: &Answer) -> Vec<u8> {
    encode(&AnswerFrame { v: VERSION, id, answer: answer.clone() })
}

/// What a client asks.
///
/// # Errors
/// Where the bytes are no frame, or none of this version. Unknown kinds of requests are frames.
pub fn decode_call(bytes: &[u8]) -> Result<(Id, Call), Malformed> {
    let RequestFrame { id, ask, .. } = decode(bytes)?;
    if id == CONNECTION {
        return Err(Malformed::Garbage("a request's id can't be 0".to_owned()));
    }
    Ok((id, ask))
}

/// What a supervisor answers.
///
/// # Errors
/// As [`decode_call`].
pub fn decode_answer(bytes: &[u8]) -> Result<(Id, Answer), Malformed> {
    let AnswerFrame { id, answer, .. } = decode(bytes)?;
    Ok((id, answer))
}

fn encode(frame: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(frame).expect("a frame has neither maps with odd keys nor anything else that JSON hasn't")
}

/// The version first: what follows may be anything in another one.
fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    let garbage = |error: serde_json::Error| Malformed::Garbage(error.to_string());
    if bytes.len() > LONGEST {
        return Err(Malformed::Garbage(format!("a frame has at most {LONGEST} bytes")));
    }
    let Versioned { v } = serde_json::from_slice(bytes).map_err(garbage)?;
    if v != VERSION {
        return Err(Malformed::Version(v));
    }
    serde_json::from_slice(bytes).map_err(garbage)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::{
        Applied, Changes, Ended, Exited, Instance, Obstacle, Program, Reason, Request, Resized, Resources, Restarting,
        Signalled, Streams, Waiting,
    };
    use super::*;

    fn text() -> impl Strategy<Value = String> {
        "\\PC{0,12}|[\\x00-\\x1f\"\\\\]{0,6}"
    }

    fn calls() -> impl Strategy<Value = Call> {
        let resources = (
            proptest::option::of(text()),
            proptest::collection::btree_map(text(), text(), 0..3),
            proptest::collection::btree_map(text(), text(), 0..3),
        )
            .prop_map(|(container, requests, limits)| Resources {
                container,
                requests,
                limits,
                ..Default::default()
            });
        prop_oneof![
            proptest::option::of(any::<u64>())
                .prop_map(|grace_period_seconds| Call::Ask(Request::Stop { grace_period_seconds })),
            Just(Call::Ask(Request::Kill)),
            resources.prop_map(|resources| Call::Ask(Request::Resize(resources))),
            programs().prop_map(|program| Call::Ask(Request::Exec(program))),
            (any::<u64>(), any::<i32>()).prop_map(|(of, signal)| Call::Ask(Request::Signal { of, signal })),
            (proptest::option::of(text()), any::<i32>())
                .prop_map(|(container, signal)| Call::Ask(Request::SignalContainers { container, signal })),
            (text(), text(), any::<i64>()).prop_map(|(key, value, seconds)| {
                Call::Ask(Request::Apply(Changes {
                    labels: Some(std::collections::BTreeMap::from([(key, value)])),
                    annotations: None,
                    active_deadline_seconds: Some(seconds),
                    images: std::collections::BTreeMap::new(),
                    objects: false,
                    resources: vec![Resources::default()],
                    auth_file: None,
                    signature_policy: None,
                }))
            }),
            (proptest::option::of(text()), proptest::option::of(any::<u64>())).prop_map(
                |(container, grace_period_seconds)| Call::Ask(Request::Restart { container, grace_period_seconds })
            ),
            (text(), any::<bool>()).prop_map(|(container, stdin)| Call::Ask(Request::Attach { container, stdin })),
            Just(Call::Cancel),
        ]
    }

    fn programs() -> impl Strategy<Value = Program> {
        let streams = prop_oneof![
            Just(Streams::Output),
            Just(Streams::All),
            any::<(u16, u16)>().prop_map(|(rows, columns)| Streams::Terminal { rows, columns }),
        ];
        (text(), proptest::collection::vec(text(), 0..4), streams).prop_map(|(container, command, streams)| Program {
            container,
            command,
            streams,
        })
    }

    fn answers() -> impl Strategy<Value = Answer> {
        let waiting = (proptest::collection::vec(text(), 0..4), any::<u64>(), any::<u64>()).prop_map(
            |(containers, left_millis, grace_millis)| {
                Answer::Waiting(Waiting { containers, left_millis, grace_millis })
            },
        );
        prop_oneof![
            waiting,
            (any::<u8>(), text()).prop_map(|(exit_code, phase)| Answer::Ended(Ended { exit_code, phase })),
            text().prop_map(|why| Answer::Resized { outcome: Resized::Refused { why } }),
            text().prop_map(|one| Answer::Signalled { outcome: Signalled::Sent { containers: vec![one] } }),
            Just(Answer::Signalled { outcome: Signalled::NotRunning }),
            (text(), any::<u32>()).prop_map(|(container, restarts)| {
                let instances = vec![Instance { container, restarts }];
                Answer::Restarting { outcome: Restarting::Begun { instances } }
            }),
            text().prop_map(|why| Answer::Applied {
                outcome: Applied::Refused { why, resized: vec![Resized::Unchanged] }
            }),
            Just(Answer::Restarting { outcome: Restarting::Initializing }),
            text().prop_map(|message| Answer::Refused { reason: Reason::Malformed, message }),
            any::<u64>().prop_map(|bytes| Answer::Lost { bytes }),
            Just(Answer::Cancelled),
            Just(Answer::Done),
            any::<u8>().prop_map(|code| Answer::Exited(Exited::Code(code))),
            Just(Answer::Exited(Exited::Container)),
            text().prop_map(|message| Answer::NotRun { obstacle: Obstacle::NotFound, message }),
        ]
    }

    proptest! {
        /// What one side says the other understands; a part of it is never taken for something else.
        #[test]
        fn calls_come_back(id in 1..u64::MAX, call in calls()) {
            let bytes = encode_call(id, &call);
            prop_assert_eq!(decode_call(&bytes), Ok((id, call)));
            for end in 0..bytes.len() {
                prop_assert!(matches!(decode_call(&bytes[..end]), Err(Malformed::Garbage(_))));
            }
        }

        #[test]
        fn answers_come_back(id in any::<u64>(), answer in answers()) {
            let bytes = encode_answer(id, &answer);
            prop_assert_eq!(decode_answer(&bytes), Ok((id, answer)));
            for end in 0..bytes.len() {
                prop_assert!(matches!(decode_answer(&bytes[..end]), Err(Malformed::Garbage(_))));
            }
        }

        /// What a later barepod adds is skipped, and another version is known whatever else is in its frame.
        #[test]
        fn later_fields_and_versions(id in 1..u64::MAX, call in calls(), v in any::<u64>(), more in text()) {
            let mut frame: serde_json::Value = serde_json::from_slice(&encode_call(id, &call)).unwrap();
            frame["later"] = more.clone().into();
            frame["ask"]["later"] = more.into();
            prop_assert_eq!(decode_call(frame.to_string().as_bytes()), Ok((id, call)));
            if v != VERSION {
                frame["v"] = v.into();
                frame["id"] = "of another kind".into();
                prop_assert_eq!(decode_call(frame.to_string().as_bytes()), Err(Malformed::Version(v)));
            }
        }

        /// Any bytes are refused or understood.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode_call(&bytes).is_err());
            prop_assert!(decode_answer(&bytes).is_err());
        }

        /// A frame with one byte changed is refused or another frame.
        #[test]
        fn a_changed_byte(id in 1..u64::MAX, call in calls(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode_call(id, &call);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok((id, call)) = decode_call(&bytes) {
                prop_assert_eq!(decode_call(&encode_call(id, &call)), Ok((id, call)));
            }
        }
    }

    #[test]
    fn on_the_wire() {
        let stop = Call::Ask(Request::Stop { grace_period_seconds: Some(3) });
        let text = r#"{"v":1,"id":7,"ask":{"kind":"stop","gracePeriodSeconds":3}}"#;
        assert_eq!(String::from_utf8(encode_call(7, &stop)).unwrap(), text);
        assert_eq!(
            decode_call(br#"{"v":1,"id":7,"ask":{"kind":"stop"}}"#).unwrap().1,
            Call::Ask(Request::Stop { grace_period_seconds: None })
        );
        let waiting = Waiting { containers: vec!["web".to_owned()], left_millis: 1, grace_millis: 2 };
        let text = r#"{"v":1,"id":7,"answer":{"kind":"waiting","containers":["web"],"leftMillis":1,"graceMillis":2}}"#;
        assert_eq!(String::from_utf8(encode_answer(7, &Answer::Waiting(waiting))).unwrap(), text);
    }

    #[test]
    fn what_is_unknown_is_said_to_be() {
        assert_eq!(decode_call(br#"{"v":1,"id":7,"ask":{"kind":"moon","phase":["new"]}}"#), Ok((7, Call::Unknown)));
        assert_eq!(
            decode_answer(br#"{"v":1,"id":7,"answer":{"kind":"printed","line":"x"}}"#),
            Ok((7, Answer::Unknown))
        );
        let unheard_of = br#"{"v":1,"id":0,"answer":{"kind":"refused","reason":"moon","message":"full"}}"#;
        let refused = Answer::Refused { reason: Reason::Unknown, message: "full".to_owned() };
        assert_eq!(decode_answer(unheard_of), Ok((0, refused)));
    }

    #[test]
    fn garbage() {
        let long = format!("{{\"v\":1,\"id\":7,\"ask\":{{\"kind\":\"kill\"}}}}{}", " ".repeat(LONGEST));
        for bytes in [
            "",
            "{}",
            "stop\n",
            "{\"v\":1}",
            "{\"v\":\"1\",\"id\":7,\"ask\":{\"kind\":\"kill\"}}",
            "{\"v\":1,\"id\":0,\"ask\":{\"kind\":\"kill\"}}",
            "{\"v\":1,\"id\":-7,\"ask\":{\"kind\":\"kill\"}}",
            "{\"v\":1,\"id\":7,\"ask\":{\"kind\":\"stop\",\"gracePeriodSeconds\":-1}}",
            "{\"v\":1,\"id\":7,\"ask\":{\"kind\":\"kill\"}}{}",
            &long,
            &"[".repeat(LONGEST),
        ] {
            assert!(matches!(decode_call(bytes.as_bytes()), Err(Malformed::Garbage(_))), "{bytes:.60}");
        }
    }
}
