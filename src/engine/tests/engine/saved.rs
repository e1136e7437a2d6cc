//! An engine can be saved and loaded at any time between two steps.

use crate::pods::*;
use crate::timeline::begin;

/// An engine that is saved in the middle and loaded again goes on as if nothing had been.
#[test]
fn a_saved_engine_goes_on() {
    let case = || always().init("i1", &[ends(1.0, 0)]).sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(2.0, 1)]);
    let mut kept = begin(case());
    let mut saved = begin(case());
    for at in 0..60 {
        kept.until(f64::from(at));
        saved.until(f64::from(at));
        let text = serde_json::to_string(&saved.simulation.engine).unwrap();
        assert!(text.len() < 16_384, "{} bytes", text.len());
        saved.simulation.engine = serde_json::from_str(&text).unwrap();
    }
    assert_eq!(kept.lines, saved.lines);
    assert_eq!(kept.status(), saved.status());
}
