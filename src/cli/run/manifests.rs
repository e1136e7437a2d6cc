//! The manifests of a `run`, as files, options and the box's files have them together.

use super::super::args::RunArgs;
use super::super::error::CliError;
use super::super::files::Depth;
use super::super::given::{self, Detail, Given};
use super::super::{options, preflight};
use crate::manifest::{self, Meaningless, Objects, Reading};

/// The manifests, read and checked with what was given beside them.
pub(in crate::cli) fn read(args: &RunArgs) -> Result<Vec<Given>, CliError> {
    let claims = options::claims(&args.volume)?;
    let detail = Detail::of(args.quiet, args.verbose);
    let files = given::texts(&args.files, &args.config, Depth::of(args.recursive))?;
    let mut objects = Objects::default();
    given::read_objects(&args.config, detail, &mut objects)?;
    let meaningless = if args.strict { Meaningless::Refused } else { Meaningless::LeftOut };
    let known = claims.keys().cloned().collect();
    let (namespace, objects) = (args.namespace.as_deref(), Some(&objects));
    let reading = Reading { namespace, objects, claims: Some(&known), meaningless, ..Reading::default() };
    let set = given::decode(files, &reading)?;
    set.tell(detail);
    let mut pods = set.pods;
    preflight::check_claims(pods.iter().map(|given| &given.pod), &claims)?;
    if let Some(name) = &args.name {
        manifest::check_name(name).map_err(|why| CliError::Manifest(format!("error: --name {name:?}: {why}\n")))?;
        if pods.len() > 1 {
            return Err(CliError::Words(format!("--name {name}: {} can't all have it", listed(&pods))));
        }
        pods[0].pod.metadata.name = Some(name.clone());
    }
    Ok(pods)
}

/// `3 Pods (default/a, default/b, ops/c)`.
pub(in crate::cli) fn listed(pods: &[Given]) -> String {
    let names: Vec<String> = pods.iter().map(given::shown_name).collect();
    format!("{} Pods ({})", pods.len(), names.join(", "))
}
