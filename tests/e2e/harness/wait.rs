//! Waiting for a condition, never for time to pass.

use std::time::{Duration, Instant};

/// How long a condition may take to come true. Grows with `$BAREPOD_TEST_PATIENCE` (a factor, for slow machines).
pub fn patience() -> Duration {
    Duration::from_secs(20) * factor()
}

/// Whether this machine is a slow one: tests that repeat themselves do it less often.
pub fn slow() -> bool {
    factor() > 1
}

fn factor() -> u32 {
    std::env::var("BAREPOD_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Looks at `condition` until it holds, as often as [`wait_until`] does.
///
/// # Panics
/// Where it doesn't within [`patience`]; says `what` it was.
#[track_caller]
pub fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Like [`wait`], and gives what was found.
#[track_caller]
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    let in_time = wait_until(Instant::now() + patience(), || {
        found = find();
        found.is_some()
    });
    assert!(in_time, "never came true: {what}");
    found.expect("it has come true")
}

/// Looks at `condition` until it holds, or it is so late; whether it does. Between two looks are 2 ms (10 on a slow machine),
/// and at least the time that a look takes: one that runs a command would else use a whole processor, which on an emulated
/// machine is what the test waits for.
pub fn wait_until(deadline: Instant, mut condition: impl FnMut() -> bool) -> bool {
    let least = Duration::from_millis(if slow() { 10 } else { 2 });
    loop {
        let began = Instant::now();
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        let pause = began.elapsed().clamp(least, Duration::from_millis(200));
        // Bounded polling of a condition, not synchronisation by time.
        #[allow(clippy::disallowed_methods, reason = "a bounded look at a condition that has no descriptor")]
        std::thread::sleep(pause);
    }
}
