//! Whose logs `logs job/NAME` shows.

use std::cmp::Reverse;
use std::time::Duration;

use k8s_openapi::api::core::v1;

use super::super::args::LogsArgs;
use super::super::changes::{Changes, WatchFlags};
use super::super::error::CliError;
use super::super::until::Deadline;
use super::super::{jobs, recover};
use crate::store::layout::Layout;

/// How long a Job that runs may take to have a pod, as kubectl has it (`--pod-running-timeout`).
const FIRST_POD_WITHIN: Duration = Duration::from_secs(20);

/// The pods by their full names: the one that has most to show, or all with `--all-pods`, in the order in which they were made.
///
/// # Errors
/// Where there is no such Job, or none of its pods is there.
pub(super) fn pods(args: &LogsArgs, layout: &Layout, job: &str) -> Result<Vec<String>, CliError> {
    let job = jobs::find(layout, job)?;
    let deadline = Deadline::after(FIRST_POD_WITHIN);
    let changes = Changes::of(job.dir(), WatchFlags::MOVED_TO)?;
    let found = loop {
        // In this order: what comes between the two is seen.
        let runs = job.is_run()?;
        let found = jobs::pods(layout, &job)?;
        if !found.is_empty() {
            break found;
        }
        if !runs || !deadline.wait_for(&changes) {
            let shown = jobs::full_name(&job);
            return Err(CliError::Words(format!(
                "job {shown} has no pods; `barepod get job/{shown}` shows how it stands"
            )));
        }
        changes.drain();
    };
    if args.all_pods {
        return Ok(found.iter().map(recover::full_name).collect());
    }
    let count = found.len();
    let pods = found.into_iter().map(|found| (found.pod().ok().flatten(), found));
    let Some((_, first)) = pods.min_by_key(|(pod, _)| by_logging(pod.as_ref())) else { return Ok(Vec::new()) };
    if count > 1 {
        tell!("Found {count} pods, using pod/{}; --all-pods shows all of them", first.name);
    }
    Ok(vec![recover::full_name(&first)])
}

/// As kubectl prefers pods for their logs (podutils.ByLogging): begun, Ready, that for longest, restarted most often, oldest.
fn by_logging(pod: Option<&v1::Pod>) -> impl Ord + use<> {
    let status = pod.and_then(|pod| pod.status.as_ref());
    let has_begun = status.is_some_and(|status| status.phase.as_deref() != Some("Pending"));
    let mut conditions = status.into_iter().flat_map(|status| &status.conditions).flatten();
    let ready = conditions.find(|one| one.type_ == "Ready" && one.status == "True");
    let since = ready.and_then(|one| one.last_transition_time.as_ref()).map(|time| time.0.as_second());
    let mains = status.into_iter().flat_map(|status| &status.container_statuses).flatten();
    let restarts = mains.map(|one| one.restart_count).max();
    (!has_begun, since.is_none(), since, Reverse(restarts))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pod_that_has_most_to_show() {
        let pod = |phase: &str, ready: Option<&str>, restarts: i32| -> v1::Pod {
            let conditions: Vec<_> = ready
                .iter()
                .map(|since| json!({"type": "Ready", "status": "True", "lastTransitionTime": since}))
                .collect();
            let main = json!({"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": restarts});
            let status = json!({"phase": phase, "conditions": conditions, "containerStatuses": [main]});
            serde_json::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "status": status}))
                .unwrap()
        };
        let (early, late) = (Some("2026-12-01T00:00:00Z"), Some("2026-12-01T00:00:01Z"));
        let in_order = [
            pod("Running", early, 0),
            pod("Running", late, 3),
            pod("Failed", None, 2),
            pod("Succeeded", None, 0),
            pod("Pending", None, 5),
        ];
        let keys: Vec<_> = in_order.iter().map(|pod| by_logging(Some(pod))).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|two| two[0] != two[1]));
        assert!(by_logging(None) > *keys.last().unwrap());
    }
}
