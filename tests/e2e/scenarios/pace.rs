//! How fast a scenario goes, and whether the machine kept up with that.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

/// What all times of a scenario are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) times: u32,
    pub(super) over: u32,
}

impl Pace {
    pub(super) fn slower(self) -> Option<Self> {
        let Self { times, over } = self;
        match (over, times) {
            (1, 1) => Some(Self { times: 3, over }),
            (1, _) => None,
            _ => Some(Self { times, over: 1 }),
        }
    }

    pub(super) fn of(self, time: Duration) -> Duration {
        time * self.times / self.over
    }

    fn of_seconds(self, key: &str, seconds: u64) -> u64 {
        let multiplied = seconds * u64::from(self.times);
        assert_eq!(multiplied % u64::from(self.over), 0, "{key}: {seconds} is no multiple of {}", self.over);
        multiplied / u64::from(self.over)
    }
}

/// Gives every time in a manifest or a script another pace.
pub(super) fn change_times(value: &mut Value, pace: Pace) {
    const SECONDS: [&str; 6] = [
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "periodSeconds",
        "initialDelaySeconds",
        "seconds",
        "gracePeriodSeconds",
    ];
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| change_times(one, pace)),
        Value::Object(all) => {
            for (key, one) in all {
                if SECONDS.contains(&key.as_str()) {
                    *one = json!(pace.of_seconds(key, one.as_u64().unwrap()));
                } else if key == "barepod.dev/sidecar-grace-seconds" {
                    *one = json!(pace.of_seconds(key, one.as_str().unwrap().parse().unwrap()).to_string());
                } else {
                    change_times(one, pace);
                }
            }
        }
        Value::String(text) => {
            if let Some(time) = time(text) {
                *text = format!("{}ms", pace.of(time).as_millis());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn time(text: &str) -> Option<Duration> {
    let letters = text.find(|letter: char| !letter.is_ascii_digit()).filter(|at| *at > 0)?;
    let (number, unit) = text.split_at(letters);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.parse::<u64>().ok()? * millis))
}

/// What the machine's CPUs have done since it was started, in ticks.
pub(super) struct CpuTime {
    idle: u64,
    all: u64,
}

impl CpuTime {
    pub(super) fn now() -> Self {
        // user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
        let text = fs::read_to_string("/proc/stat").unwrap();
        let ticks: Vec<u64> =
            text.lines().next().unwrap().split_whitespace().skip(1).take(8).map(|one| one.parse().unwrap()).collect();
        Self { idle: ticks[3], all: ticks.iter().sum() }
    }

    /// Whether less than half of their time since then was to spare.
    pub(super) fn was_busy(&self) -> bool {
        let now = Self::now();
        (now.idle - self.idle) * 2 < now.all - self.all
    }
}

/// The slowest pace has the last word.
#[test]
fn paces_become_slower() {
    let paces: Vec<u64> = std::iter::successors(Some(Pace { times: 1, over: 5 }), |pace| pace.slower())
        .map(|pace| pace.of_seconds("periodSeconds", 10))
        .collect();
    assert_eq!(paces, [2, 10, 30]);
}
