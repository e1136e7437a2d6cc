//! The manifests of a `run`, as files, options and the box's files have them together.

use super::super::args::RunArgs;
use super::super::error::CliError;
use super::super::files::Depth;
use super::super::given::{self, Detail, Given, GivenJob};
use super::super::{options, preflight};
use crate::manifest::{self, Jobs, Meaningless, Objects, Reading};

/// The Pods' manifests, for a command that can do with nothing else.
pub(in crate::cli) fn read(args: &RunArgs) -> Result<Vec<Given>, CliError> {
    read_all(args, Jobs::Refused).map(|(pods, _)| pods)
}

/// The manifests, read and checked with what was given beside them.
pub(super) fn read_all(args: &RunArgs, jobs: Jobs) -> Result<(Vec<Given>, Vec<GivenJob>), CliError> {
    let claims = options::claims(&args.volume)?;
    let detail = Detail::of(args.quiet, args.verbose);
    let files = given::texts(&args.files, &args.config, Depth::of(args.recursive))?;
    let mut objects = Objects::default();
    given::read_objects(&args.config, detail, &mut objects)?;
    let meaningless = if args.strict { Meaningless::Refused } else { Meaningless::LeftOut };
    let known = claims.keys().cloned().collect();
    let (namespace, objects) = (args.namespace.as_deref(), Some(&objects));
    let reading = Reading { namespace, objects, claims: Some(&known), meaningless, jobs, ..Reading::default() };
    let set = given::decode(files, &reading)?;
    set.tell(detail);
    let (mut pods, mut jobs) = (set.pods, set.jobs);
    let templates = jobs.iter().map(|job| &job.template.pod);
    preflight::check_claims(pods.iter().map(|given| &given.pod).chain(templates), &claims)?;
    if let Some(name) = &args.name {
        manifest::check_name(name).map_err(|why| CliError::Manifest(format!("error: --name {name:?}: {why}\n")))?;
        match (&mut pods[..], &mut jobs[..]) {
            ([one], []) => one.pod.metadata.name = Some(name.clone()),
            ([], [one]) => one.job.metadata.name = Some(name.clone()),
            _ => return Err(CliError::Words(format!("--name {name}: {} can't all have it", all_of(&pods, &jobs)))),
        }
    }
    Ok((pods, jobs))
}

/// `2 Pods (default/a, default/b), 1 Job (default/c)`.
pub(super) fn all_of(pods: &[Given], jobs: &[GivenJob]) -> String {
    if jobs.is_empty() {
        return listed(pods);
    }
    let names: Vec<String> = jobs.iter().map(GivenJob::shown_name).collect();
    let (plural, names) = (if jobs.len() == 1 { "" } else { "s" }, names.join(", "));
    let jobs = format!("{} Job{plural} ({names})", jobs.len());
    if pods.is_empty() { jobs } else { format!("{}, {jobs}", listed(pods)) }
}

/// `3 Pods (default/a, default/b, ops/c)`.
pub(in crate::cli) fn listed(pods: &[Given]) -> String {
    let names: Vec<String> = pods.iter().map(given::shown_name).collect();
    let plural = if pods.len() == 1 { "" } else { "s" };
    format!("{} Pod{plural} ({})", pods.len(), names.join(", "))
}
