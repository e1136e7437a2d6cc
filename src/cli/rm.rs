//! `barepod rm`: forgets a pod.

use super::args::{Global, RmArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::{chosen, jobs, output, recover, removal};
use crate::store::layout::Layout;
use crate::store::{Error, old_logs};

/// Removes ended pods' state and logs; with `--force` ends running ones first. What an earlier command could not remove is
/// tried again.
pub fn rm(args: &RmArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    if let Some(names) = &args.pods.chosen.jobs {
        let found = jobs::all_or(&layout, names, args.pods.chosen.namespace.as_deref())?;
        return output::exit_of_all(found.into_iter().map(|job| match job {
            Err(CliError::Store(Error::Job(_))) if args.ignore_not_found => Ok(Exit::Success),
            job => job.and_then(|job| {
                jobs::remove(&layout, &job, args.force)?;
                tell!("job {} removed, with its pods", jobs::full_name(&job));
                Ok(Exit::Success)
            }),
        }));
    }
    let names = chosen::to_act_on(&layout, &args.pods, |_| true)?;
    let removed = output::exit_of_all(names.iter().map(|name| match rm_one(&layout, name, args.force) {
        Err(CliError::Store(Error::NotFound(_))) if args.ignore_not_found => Ok(Exit::Success),
        removed => removed,
    }));
    // One of them may have been gone, and not all that was its.
    recover::sweep_orphans(&layout);
    removed
}

fn rm_one(layout: &Layout, name: &str, force: bool) -> Result<Exit, CliError> {
    let name = match recover::look(layout, name) {
        Ok(found) => {
            removal::remove(layout, &found, force)?;
            recover::full_name(&found)
        }
        Err(CliError::Store(Error::NotFound(name))) => forget_logs(layout, name)?,
        Err(error) => return Err(error),
    };
    tell!("pod {name} removed");
    Ok(Exit::Success)
}

/// Of a pod of which nothing but logs is left, since the box was restarted.
fn forget_logs(layout: &Layout, name: String) -> Result<String, CliError> {
    let [(namespace, name)] = &recover::pods_with_logs(layout, &name)?[..] else {
        return Err(Error::NotFound(name).into());
    };
    old_logs::forget_logs(layout, namespace, name)?;
    Ok(format!("{namespace}/{name}"))
}
