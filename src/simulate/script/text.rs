//! The script as it is written. `docs/simulate.md` explains every key; a test holds the two together.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// All of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScriptText {
    /// How long the box takes for things.
    pub latencies: LatenciesText,
    /// The pod's namespaces, cgroup and volumes.
    pub sandbox: SandboxText,
    /// By name, attempt by attempt.
    pub containers: BTreeMap<String, Vec<AttemptText>>,
    /// Stop requests.
    pub requests: Vec<RequestText>,
    /// When to end the simulation.
    pub until: Option<TimeText>,
}

/// See [`barepod_engine::world::script::Latencies`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LatenciesText {
    pub sandbox: Option<TimeText>,
    pub remove_sandbox: Option<TimeText>,
    pub image: Option<TimeText>,
    pub pull: Option<TimeText>,
    pub create: Option<TimeText>,
    pub start: Option<TimeText>,
    pub kill: Option<TimeText>,
    pub remove: Option<TimeText>,
}

/// The sandbox.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SandboxText {
    /// How often it can't be made before it can.
    pub fails: u32,
    pub hangs: bool,
}

/// A stop request, or something else that comes from outside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestText {
    pub at: Option<TimeText>,
    pub grace_period_seconds: Option<u32>,
    pub force: bool,
    pub exceeds: Option<ExceedsText>,
    pub sandbox_lost: bool,
}

/// A limit of disk use that is exceeded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExceedsText {
    pub empty_dir: Option<String>,
    pub container: Option<String>,
    pub pod: bool,
    pub limit: Option<String>,
}

/// One attempt of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AttemptText {
    pub image: Option<ImageText>,
    pub create: Option<CreateText>,
    pub start_fails: bool,
    pub start_hangs: bool,
    pub exits: Option<ExitsText>,
    pub on_stop: Option<OnStopText>,
    pub post_start: Option<HookText>,
    pub pre_stop: Option<HookText>,
    pub startup_probe: Option<ProbeText>,
    pub liveness_probe: Option<ProbeText>,
    pub readiness_probe: Option<ProbeText>,
}

/// Its image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageText {
    pub fails: u32,
    pub reason: String,
    pub hangs: bool,
    pub absent: bool,
    pub pull_fails: u32,
    pub pull_hangs: bool,
    pub stop_signal: Option<String>,
}

/// Its creation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CreateText {
    pub fails: u32,
    pub reason: String,
    pub hangs: bool,
}

/// How it ends by itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExitsText {
    pub after: Option<TimeText>,
    pub code: Option<u8>,
    pub signal: Option<String>,
    pub oom_killed: bool,
    pub never: bool,
}

/// What it does with its stop signal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OnStopText {
    pub after: Option<TimeText>,
    pub code: Option<u8>,
    pub signal: Option<String>,
    pub ignores: bool,
}

/// What a hook's handler does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HookText {
    pub takes: Option<TimeText>,
    pub fails: bool,
    pub hangs: bool,
}

/// What a probe finds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProbeText {
    pub takes: Option<TimeText>,
    pub succeeds_after: Option<TimeText>,
    pub fails_after: Option<TimeText>,
    pub fails: bool,
    pub errors: bool,
}

/// A length of time as it is written: `300ms`, `3s`, `1m30s`. A bare number is kept, so that it can be told what it lacks.
#[derive(Clone, Debug)]
pub enum TimeText {
    /// `3s`
    Text(String),
    /// `3`
    Number(i32),
}

impl TimeText {
    /// The length; on failure what is wrong and what to do.
    pub fn parse(&self) -> Result<Duration, (String, String)> {
        match self {
            Self::Number(0) => Ok(Duration::ZERO),
            Self::Number(number) => {
                Err((format!("Invalid value: {number}: a time needs a unit"), format!("write {number}s for seconds")))
            }
            Self::Text(text) => {
                let wrong = |what| {
                    let help = "write it like 300ms, 3s or 1m30s".to_owned();
                    (format!("Invalid value: {text:?}: {what}"), help)
                };
                let span: jiff::SignedDuration = text.parse().map_err(|_| wrong("not a time"))?;
                Duration::try_from(span).map_err(|_| wrong("a time can't be negative"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = TimeText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 3s")
            }

            fn visit_i32<E>(self, number: i32) -> Result<TimeText, E> {
                Ok(TimeText::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<TimeText, E> {
                Ok(TimeText::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
