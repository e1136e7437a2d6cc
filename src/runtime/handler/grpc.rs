//! `grpc`: one unary call of grpc.health.v1.Health/Check over HTTP/2, in clear text or by TLS without a look at the
//! certificate.

use std::io::{self, Read, Write};

use super::connect::connect;
use super::h2::{self, Answer, Body};
use super::outcome::Outcome;
use super::tls;
use crate::plan::{Names, Scheme};

/// The longest answer: a status.
const LARGEST: usize = 16 * 1024;
/// google.rpc.Code
const UNIMPLEMENTED: &str = "12";

pub(super) fn check(scheme: Scheme, host: &str, port: u16, service: &str, names: &Names) -> Outcome {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let unreachable =
        |cause: String| Outcome::Failure(format!("error: failed to connect service {authority}: {cause}"));
    let mut stream = match connect(host, port, names) {
        Ok(stream) => stream,
        Err(cause) => return unreachable(cause),
    };
    let answer = match scheme {
        Scheme::Http => call(&mut stream, "http", &authority, service),
        Scheme::Https => match tls::connect(stream, host, Some(b"h2")) {
            Ok(mut stream) => call(&mut stream, "https", &authority, service),
            Err(tls::Refusal::ClearText) => return unreachable("the server doesn't speak TLS".to_owned()),
            Err(tls::Refusal::Failed(cause)) => return unreachable(cause.to_string()),
        },
    };
    match answer {
        Ok(answer) => judge(&answer),
        Err(cause) => Outcome::Failure(format!("error: health rpc failed: {cause}")),
    }
}

fn call(stream: &mut (impl Read + Write), scheme: &str, authority: &str, service: &str) -> io::Result<Answer> {
    let fields = [
        (":method", "POST"),
        (":scheme", scheme),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", "kube-probe/1.37"),
        ("te", "trailers"),
    ];
    h2::call(stream, &fields, Some(&request_message(service)), Body::Whole(LARGEST))
}

fn judge(answer: &Answer) -> Outcome {
    let text = answer.header("grpc-message").unwrap_or_default();
    match (answer.header("grpc-status"), answer.header(":status")) {
        (Some(UNIMPLEMENTED), _) => Outcome::Failure(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {text}"
        )),
        (Some("0"), _) => match status(answer) {
            Some(1) => Outcome::Success,
            other => {
                let name = match other {
                    Some(0) => "UNKNOWN",
                    Some(2) => "NOT_SERVING",
                    Some(3) => "SERVICE_UNKNOWN",
                    _ => "no known status",
                };
                Outcome::Failure(format!("service unhealthy (responded with {name:?})"))
            }
        },
        (Some(code), _) => Outcome::Failure(format!("error: health rpc failed: code {code}: {text}")),
        (None, Some(status)) => Outcome::Failure(format!("error: health rpc failed: HTTP status {status}")),
        (None, None) => Outcome::Failure("error: health rpc failed: no answer".to_owned()),
    }
}

/// HealthCheckResponse.status: field 1, a varint; absent is 0.
fn status(answer: &Answer) -> Option<u64> {
    let [compressed, a, b, c, d, message @ ..] = answer.message.as_slice() else { return None };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    if *compressed != 0 || message.len() < length {
        return None;
    }
    match &message[..length] {
        [] => Some(0),
        [0x08, value @ 0..=0x7f, ..] => Some(u64::from(*value)),
        _ => None,
    }
}

/// HealthCheckRequest { service = 1 } behind gRPC's five bytes.
fn request_message(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length > 0x7f {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut text = vec![0];
    text.extend_from_slice(&(message.len() as u32).to_be_bytes());
    text.extend_from_slice(&message);
    text
}
