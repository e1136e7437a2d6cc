//! What somebody waits for in a pod's status, in kubectl's syntax (`kubectl wait --for`). Pure: text and status in, yes or no out.

use std::fmt;

use k8s_openapi::api::core::v1;
use serde_json::Value;

use super::jsonpath::{Missing, Template};

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A condition of this type has this status. Letters' case makes no difference, as with kubectl.
    Condition {
        /// `Ready`.
        kind: String,
        /// `True`, unless something else is said.
        status: String,
    },
    /// The pod's phase.
    Phase(String),
    /// One field of the pod has this value, or any.
    Field {
        /// Where it is.
        path: Template,
        /// As text.
        value: Option<String>,
    },
    /// There is no pod any more.
    Deleted,
}

/// All phases of a pod that has been accepted.
const PHASES: [&str; 4] = ["Pending", "Running", "Succeeded", "Failed"];

impl Wanted {
    /// `condition=TYPE[=STATUS]`, `phase=PHASE`, `jsonpath=PATH[=VALUE]`, `delete`.
    ///
    /// # Errors
    /// What is wrong with it, and what could be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once('=').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("delete", None) => Ok(Self::Deleted),
            ("condition", Some(rest)) => Self::condition(rest),
            ("jsonpath", Some(rest)) => Self::field(rest),
            ("phase", Some(phase)) => match PHASES.iter().find(|known| known.eq_ignore_ascii_case(phase)) {
                Some(known) => Ok(Self::Phase((*known).to_owned())),
                None => Err(format!("{phase:?} is no phase of a pod; these are: {}", PHASES.join(", "))),
            },
            _ => Err(format!(
                "{text:?} can't be waited for; write condition=TYPE[=STATUS] (condition=Ready, condition=Ready=False), \
                 phase=PHASE, jsonpath=PATH[=VALUE] (jsonpath={{.status.podIP}}) or delete"
            )),
        }
    }

    /// As [`Self::parse`], where a condition may be called by its type alone: `Ready`, `Initialized=False`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_short(text: &str) -> Result<Self, String> {
        match text.split_once('=').map_or(text, |(word, _)| word) {
            "condition" | "phase" | "jsonpath" => Self::parse(text),
            "delete" => Err("`delete` makes no sense of a pod that is being run".to_owned()),
            _ => Self::condition(text),
        }
    }

    fn condition(text: &str) -> Result<Self, String> {
        let (kind, status) = text.split_once('=').unwrap_or((text, "True"));
        let known = ["True", "False", "Unknown"];
        match (kind.is_empty(), known.iter().find(|known| known.eq_ignore_ascii_case(status))) {
            (true, _) => Err("a condition has a type, such as Ready".to_owned()),
            (false, None) => Err(format!("a condition is {}, not {status:?}", known.join(", "))),
            (false, Some(status)) => Ok(Self::Condition { kind: kind.to_owned(), status: (*status).to_owned() }),
        }
    }

    fn field(text: &str) -> Result<Self, String> {
        let (path, value) = match end_of_path(text) {
            Some(at) => (&text[..at], Some(text[at + 1..].trim_matches(['\'', '"']))),
            None => (text, None),
        };
        if value == Some("") {
            return Err("a value is missing behind the equals sign; without the sign any value will do".to_owned());
        }
        Ok(Self::Field { path: Template::parse_path(path)?, value: value.map(str::to_owned) })
    }

    /// Whether it is so of a pod; `None`: there is no such pod.
    ///
    /// # Errors
    /// Where a path leads to what can't be waited for: it is nothing that time would mend.
    pub fn holds(&self, pod: Option<&v1::Pod>) -> Result<bool, String> {
        let status = pod.and_then(|pod| pod.status.as_ref());
        Ok(match self {
            Self::Deleted => pod.is_none(),
            Self::Phase(phase) => status.and_then(|status| status.phase.as_ref()) == Some(phase),
            Self::Condition { kind, status: wanted } => {
                condition(status, kind).is_some_and(|one| one.status.eq_ignore_ascii_case(wanted))
            }
            Self::Field { path, value } => match (pod.map(|pod| found_in(path, pod)).transpose()?.flatten(), value) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(Value::Array(_) | Value::Object(_)), Some(value)) => {
                    return Err(format!(
                        "jsonpath {}: jsonpath leads to a nested object or list, which can't be compared to {value:?}",
                        path.text()
                    ));
                }
                (Some(found), Some(value)) => plain(&found).trim() == value.trim(),
            },
        })
    }

    /// As [`Self::holds`], of a pod that has ended and been forgotten, in this phase.
    pub fn held_in(&self, phase: &str) -> bool {
        match self {
            Self::Phase(wanted) => wanted == phase,
            Self::Field { .. } => {
                let status = v1::PodStatus { phase: Some(phase.to_owned()), ..v1::PodStatus::default() };
                self.holds(Some(&v1::Pod { status: Some(status), ..v1::Pod::default() })) == Ok(true)
            }
            Self::Condition { .. } | Self::Deleted => false,
        }
    }

    /// Why it isn't so, as far as the pod's conditions say that.
    pub fn why_not(&self, pod: &v1::Pod) -> String {
        let kind = match self {
            Self::Condition { kind, .. } => kind,
            Self::Field { path, .. } => {
                return match found_in(path, pod) {
                    Ok(Some(found)) => format!("{} is {}", path.text(), plain(&found)),
                    Ok(None) => format!("there is no {}", path.text()),
                    Err(why) => why,
                };
            }
            Self::Phase(_) | Self::Deleted => return String::new(),
        };
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let Some(found) = condition(pod.status.as_ref(), kind) else {
            return format!("there is no condition {kind}");
        };
        let why = [text(&found.reason), text(&found.message)].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        format!("{} is {}{why}", found.type_, found.status)
    }
}

fn condition<'a>(status: Option<&'a v1::PodStatus>, kind: &str) -> Option<&'a v1::PodCondition> {
    status?.conditions.as_ref()?.iter().find(|one| one.type_.eq_ignore_ascii_case(kind))
}

/// Where the equals sign is behind a path, in which there may be some too.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let is_end = |(_, one): &(usize, char)| {
        match (quote, one) {
            (Some(begun), _) if begun == *one => quote = None,
            (None, '"' | '\'') => quote = Some(*one),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, '=') => return depth == 0,
            (Some(_) | None, _) => {}
        }
        false
    };
    text.char_indices().find(is_end).map(|(at, _)| at)
}

/// The one value that a path leads to.
fn found_in(path: &Template, pod: &v1::Pod) -> Result<Option<Value>, String> {
    let fail = |why: String| format!("jsonpath {}: {why}", path.text());
    let pod = serde_json::to_value(pod).map_err(|error| fail(error.to_string()))?;
    let mut found = path.find(&pod, Missing::Ignored).map_err(|error| fail(error.to_string()))?.concat();
    match (found.pop(), found.is_empty()) {
        (found, true) => Ok(found.cloned()),
        (_, false) => Err(fail("given jsonpath expression matches more than one value".to_owned())),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// As it is written.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition { kind, status } if status == "True" => write!(f, "condition {kind}"),
            Self::Condition { kind, status } => write!(f, "condition {kind}={status}"),
            Self::Phase(phase) => write!(f, "phase {phase}"),
            Self::Field { path, value: None } => write!(f, "jsonpath {}", path.text()),
            Self::Field { path, value: Some(value) } => write!(f, "jsonpath {}={value}", path.text()),
            Self::Deleted => f.write_str("delete"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(status: serde_json::Value) -> v1::Pod {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "web"}, "status": status})).unwrap()
    }

    #[test]
    fn what_can_be_waited_for() {
        let field = |path: &str, value: Option<&str>| Wanted::Field {
            path: Template::parse_path(path).unwrap(),
            value: value.map(str::to_owned),
        };
        let ready = |status: &str| Wanted::Condition { kind: "Ready".to_owned(), status: status.to_owned() };
        for (text, wanted) in [
            ("condition=Ready", Some(ready("True"))),
            ("condition=Ready=false", Some(ready("False"))),
            ("condition=Ready=Maybe", None),
            ("condition=", None),
            ("condition", None),
            ("phase=running", Some(Wanted::Phase("Running".to_owned()))),
            ("phase=Done", None),
            ("jsonpath=status.podIP", Some(field(".status.podIP", None))),
            ("jsonpath={.status.phase}=Running", Some(field(".status.phase", Some("Running")))),
            ("jsonpath=.status.phase='Running'", Some(field(".status.phase", Some("Running")))),
            (
                "jsonpath={.status.conditions[?(@.type==\"a=b]\")].status}=True=",
                Some(field(".status.conditions[?(@.type==\"a=b]\")].status", Some("True="))),
            ),
            ("jsonpath=.status.phase=", None),
            ("jsonpath=", None),
            ("jsonpath={.a}{.b}", None),
            ("jsonpath", None),
            ("delete", Some(Wanted::Deleted)),
            ("delete=now", None),
            ("Ready", None),
            ("", None),
        ] {
            assert_eq!(Wanted::parse(text).ok(), wanted, "{text}");
        }
        for (text, wanted) in [
            ("Ready", Some(ready("True"))),
            ("Ready=False", Some(ready("False"))),
            ("condition=Ready", Some(ready("True"))),
            ("phase=Succeeded", Some(Wanted::Phase("Succeeded".to_owned()))),
            ("jsonpath=.status.podIP", Some(field(".status.podIP", None))),
            ("delete", None),
            ("", None),
        ] {
            assert_eq!(Wanted::parse_short(text).ok(), wanted, "{text}");
        }
    }

    #[test]
    fn whether_it_is_so() {
        let conditions = serde_json::json!([
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "not ready: [web]"},
            {"type": "Initialized", "status": "True"}
        ]);
        let pod = pod(serde_json::json!({"phase": "Running", "conditions": conditions}));
        for (text, is) in [
            ("condition=ready", false),
            ("condition=ready=FALSE", true),
            ("condition=Initialized", true),
            ("condition=Other", false),
            ("condition=Other=False", false),
            ("phase=Running", true),
            ("phase=Failed", false),
            ("jsonpath=.status.phase=Running", true),
            ("jsonpath=.status.phase=Run", false),
            ("jsonpath=.status.podIP", false),
            ("jsonpath=.status.conditions", true),
            ("jsonpath=.status.conditions[?(@.type==\"Ready\")].status=False", true),
            ("jsonpath=.status.conditions[?(@.type==\"None\")].status=False", false),
            ("delete", false),
        ] {
            assert_eq!(Wanted::parse(text).unwrap().holds(Some(&pod)), Ok(is), "{text}");
            let of_none = Wanted::parse(text).unwrap().holds(None);
            assert_eq!(of_none, Ok(text == "delete"), "{text}");
        }
        for (text, why) in [
            (
                "jsonpath=.status.conditions[*].type",
                "jsonpath {.status.conditions[*].type}: given jsonpath expression matches more",
            ),
            ("jsonpath=.status.conditions=x", "nested object or list, which can't be compared to \"x\""),
            ("jsonpath=.status.conditions[7].type", "out of bounds"),
        ] {
            let error = Wanted::parse(text).unwrap().holds(Some(&pod)).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let held = |text: &str| Wanted::parse(text).unwrap().held_in("Failed");
        assert_eq!(
            ["phase=Failed", "jsonpath=status.phase=Failed", "jsonpath=.status.podIP", "delete"].map(held),
            [true, true, false, false]
        );
        let why = |text: &str| Wanted::parse(text).unwrap().why_not(&pod);
        assert_eq!(why("condition=ready"), "Ready is False (ContainersNotReady: not ready: [web])");
        assert_eq!(why("condition=Other"), "there is no condition Other");
        assert_eq!(why("phase=Failed"), "");
        assert_eq!(why("jsonpath=.status.phase=Failed"), "{.status.phase} is Running");
        assert_eq!(why("jsonpath=.status.podIP"), "there is no {.status.podIP}");
    }
}
