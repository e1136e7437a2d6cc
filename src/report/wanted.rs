//! What somebody waits for in a pod's status, in kubectl's syntax (`kubectl wait --for`). Pure: text and status in, yes or no out.

use std::fmt;

use k8s_openapi::api::core::v1;

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
    /// There is no pod any more.
    Deleted,
}

/// All phases of a pod that has been accepted.
const PHASES: [&str; 4] = ["Pending", "Running", "Succeeded", "Failed"];

impl Wanted {
    /// `condition=TYPE[=STATUS]`, `phase=PHASE`, `delete`.
    ///
    /// # Errors
    /// What is wrong with it, and what could be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once('=').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("delete", None) => Ok(Self::Deleted),
            ("condition", Some(rest)) => Self::condition(rest),
            ("phase", Some(phase)) => match PHASES.iter().find(|known| known.eq_ignore_ascii_case(phase)) {
                Some(known) => Ok(Self::Phase((*known).to_owned())),
                None => Err(format!("{phase:?} is no phase of a pod; these are: {}", PHASES.join(", "))),
            },
            _ => Err(format!(
                "{text:?} can't be waited for; write condition=TYPE[=STATUS] (condition=Ready, condition=Ready=False), \
                 phase=PHASE or delete"
            )),
        }
    }

    /// As [`Self::parse`], where a condition may be called by its type alone: `Ready`, `Initialized=False`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_short(text: &str) -> Result<Self, String> {
        match text.split_once('=').map_or(text, |(word, _)| word) {
            "condition" | "phase" => Self::parse(text),
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

    /// Whether it is so of a pod; `None`: there is no such pod.
    pub fn holds(&self, pod: Option<&v1::Pod>) -> bool {
        let status = pod.and_then(|pod| pod.status.as_ref());
        match self {
            Self::Deleted => pod.is_none(),
            Self::Phase(phase) => status.and_then(|status| status.phase.as_ref()) == Some(phase),
            Self::Condition { kind, status: wanted } => {
                condition(status, kind).is_some_and(|one| one.status.eq_ignore_ascii_case(wanted))
            }
        }
    }

    /// As [`Self::holds`], of a pod that has ended and been forgotten, in this phase.
    pub fn held_in(&self, phase: &str) -> bool {
        matches!(self, Self::Phase(wanted) if wanted == phase)
    }

    /// Why it isn't so, as far as the pod's conditions say that.
    pub fn why_not(&self, pod: &v1::Pod) -> String {
        let Self::Condition { kind, .. } = self else { return String::new() };
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

/// As it is written.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition { kind, status } if status == "True" => write!(f, "condition {kind}"),
            Self::Condition { kind, status } => write!(f, "condition {kind}={status}"),
            Self::Phase(phase) => write!(f, "phase {phase}"),
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
        let ready = |status: &str| Wanted::Condition { kind: "Ready".to_owned(), status: status.to_owned() };
        for (text, wanted) in [
            ("condition=Ready", Some(ready("True"))),
            ("condition=Ready=false", Some(ready("False"))),
            ("condition=Ready=Maybe", None),
            ("condition=", None),
            ("condition", None),
            ("phase=running", Some(Wanted::Phase("Running".to_owned()))),
            ("phase=Done", None),
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
            ("delete", false),
        ] {
            assert_eq!(Wanted::parse(text).unwrap().holds(Some(&pod)), is, "{text}");
            let of_none = Wanted::parse(text).unwrap().holds(None);
            assert_eq!(of_none, text == "delete", "{text}");
        }
        let why = |text: &str| Wanted::parse(text).unwrap().why_not(&pod);
        assert_eq!(why("condition=ready"), "Ready is False (ContainersNotReady: not ready: [web])");
        assert_eq!(why("condition=Other"), "there is no condition Other");
        assert_eq!(why("phase=Failed"), "");
    }
}
