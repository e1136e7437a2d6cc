//! Jobs of an ordinary user.

use serde_json::json;

use super::{ending, job, nothing_left, run, said};
use crate::harness::Case;
use crate::harness::user::Ids;

/// In the foreground, with what each pod has from its index.
#[test]
fn a_users_job() {
    let Some(case) = Case::of_user("user-job", Ids::Subordinate) else { return };
    let pod =
        case.pod().sidecar("web", "serve web").main("main", "await web up; say part $JOB_COMPLETION_INDEX as $(id -u)");
    let ran = run(&case, &pod, json!({"completions": 2, "parallelism": 1, "completionMode": "Indexed"}));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let parts: Vec<String> = case.trace().into_iter().filter(|line| line.starts_with("part")).collect();
    assert_eq!(parts, ["part 0 as 0", "part 1 as 0"]);
    assert_eq!(ending(&case), "Complete/CompletionsReached");
    nothing_left(&case);
}

/// In the background, stopped by another command, gone on with.
#[test]
fn a_users_job_in_the_background() {
    let Some(case) = Case::of_user("user-behind", Ids::Subordinate) else { return };
    let pod = case.pod().main("main", "say begun; hold go; say ended");
    let file = job(&case, &pod, json!({}));
    let started = case.command(&["run", "-d", &file]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&started.stdout), "job/default/user-behind\n", "{}", said(&started));
    case.wait_for("begun");
    let stopped = case.barepod(&["stop", "job/user-behind"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    case.release("go");
    let ran = case.command(&["run", &file]).output().unwrap();
    assert_eq!((ran.status.code(), case.times_said("ended")), (Some(0), 1), "{}", said(&ran));
    nothing_left(&case);
}
