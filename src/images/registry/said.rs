//! What a registry says of a failure, for people: its status, and the errors in its answer (OCI distribution spec, "Error
//! Codes").

use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::error::Cause;

/// The most of an answer that is read, and shown.
const READ: u64 = 64 << 10;
const SHOWN: usize = 300;

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    errors: Vec<Fault>,
    /// Token servers and others have only this.
    details: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Makes an error of an answer that is none of those wanted.
pub(super) fn refused(response: Response<Body>, host: &str, logged_in: bool) -> Cause {
    let status = response.status();
    let after = retry_after(&response);
    let mut text = status_line(status);
    let mut body = Vec::new();
    let _ = response.into_body().into_reader().take(READ).read_to_end(&mut body);
    if let Some(words) = words(&body) {
        text += &format!(" ({words})");
    }
    if let Some(after) = after {
        text += &format!(", and wants to be left alone for {} seconds", after.as_secs());
    }
    Cause::Refused { host: host.to_owned(), status: status.as_u16(), said: text, logged_in, after }
}

fn status_line(status: StatusCode) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{}{reason}", status.as_u16())
}

/// The errors in an answer's body; `None`: nothing that could be shown.
fn words(body: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    let mut faults: Vec<String> = answer
        .errors
        .into_iter()
        .filter_map(|fault| match (fault.code, fault.message) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (one, other) => one.or(other),
        })
        .collect();
    faults.extend([answer.details, answer.error_description, answer.message].into_iter().flatten());
    let text = faults.join("; ");
    let safe: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN).collect();
    let safe = safe.trim();
    (!safe.is_empty()).then(|| safe.to_owned())
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let text = header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    // By the registry's own clock, if it tells it.
    let now = header("date").and_then(date).unwrap_or_else(jiff::Timestamp::now);
    let wait = date(text)?.duration_since(now);
    Some(wait.try_into().unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::images::tests::fuzz;

    #[test]
    fn what_a_registry_says_is_shown() {
        for (body, wanted) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#,
                Some("MANIFEST_UNKNOWN: manifest unknown"),
            ),
            (r#"{"errors":[{"code":"A"},{"message":"b"}]}"#, Some("A; b")),
            (r#"{"details":"incorrect username or password"}"#, Some("incorrect username or password")),
            (r#"{"error":"invalid_grant","error_description":"expired"}"#, Some("expired")),
            ("{\"message\":\"a\\u001b[31mb\"}", Some("a [31mb")),
            ("<html>", None),
            ("", None),
            ("{}", None),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), wanted, "{body}");
        }
        fuzz::live(&[r#"{"errors":[{"code":"A","message":"b","detail":{}}],"details":"c"}"#], fuzz::JSON, |bytes| {
            words(bytes).map_or(Ok(()), |said| fuzz::is_fit(&said, bytes))
        });
        let long = format!("{{\"message\":\"{}\"}}", "\u{e4}".repeat(1000));
        assert_eq!(words(long.as_bytes()).unwrap().chars().count(), SHOWN);
    }

    #[test]
    fn a_registry_may_want_to_be_left_alone() {
        let answer = |pairs: &[(&str, &str)]| {
            let builder =
                pairs.iter().fold(Response::builder(), |builder, (name, value)| builder.header(*name, *value));
            builder.body(Body::builder().data("")).unwrap()
        };
        let date = ("date", "Mon, 30 Nov 2026 12:00:00 GMT");
        for (pairs, seconds) in [
            (&[("retry-after", "7")][..], Some(7)),
            (&[("retry-after", "Mon, 30 Nov 2026 12:00:09 GMT"), date], Some(9)),
            (&[("retry-after", "Mon, 30 Nov 2026 11:00:00 GMT"), date], Some(0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[date], None),
        ] {
            assert_eq!(retry_after(&answer(pairs)), seconds.map(Duration::from_secs), "{pairs:?}");
        }
    }
}
