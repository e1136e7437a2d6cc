//! `barepod resize`: other cpu and memory for a container that runs.

use std::collections::BTreeMap;

use super::args::{Global, ResizeArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::recover;
use crate::control::{self, Resized, Resources};
use crate::store::read::Life;

/// Asks a pod's supervisor for new resources and says what became of it.
pub fn resize(args: &ResizeArgs, global: &Global) -> Result<Exit, CliError> {
    let wanted = wanted(args)?;
    let layout = global.layout()?;
    let found = recover::look(&layout, &args.pod.name)?;
    let name = recover::full_name(&found);
    let ended = || CliError::Resize { pod: name.clone(), why: "the pod has ended".to_owned() };
    match recover::life(&found)? {
        Life::Running => {}
        Life::Lost => return Err(CliError::Unsupervised(name)),
        Life::Ended | Life::Left => return Err(ended()),
    }
    let answer = control::resize(&found.dir, &wanted, || found.runs_on())?.ok_or_else(ended)?;
    let told = match answer {
        Resized::Done { container } => format!("container {container} of pod {name} resized"),
        Resized::Restarting { container } => {
            format!("container {container} of pod {name} resized; its resizePolicy has it restarted for that")
        }
        Resized::Later { container } => {
            format!("container {container} of pod {name} resized; it doesn't run now and gets them when it does")
        }
        Resized::Unchanged => format!("pod {name} not resized (no change)"),
        Resized::Refused { why } => return Err(CliError::Resize { pod: name, why }),
    };
    print(&format!("{told}\n"))
}

fn wanted(args: &ResizeArgs) -> Result<Resources, CliError> {
    let mut wanted = Resources { container: args.container.clone(), ..Resources::default() };
    for (list, into) in [(&args.requests, &mut wanted.requests), (&args.limits, &mut wanted.limits)] {
        for (resource, amount) in list {
            add(into, resource, amount)?;
        }
    }
    for (resource, said) in [("cpu", &args.cpu), ("memory", &args.memory)] {
        match said.as_deref().map(|text| text.split_once(':').ok_or(text)) {
            None => {}
            Some(Ok((request, limit))) => {
                add(&mut wanted.requests, resource, request)?;
                add(&mut wanted.limits, resource, limit)?;
            }
            Some(Err(_)) if wanted.requests.contains_key(resource) || wanted.limits.contains_key(resource) => {
                return Err(TWICE);
            }
            Some(Err(amount)) => add(&mut wanted.amounts, resource, amount)?,
        }
    }
    if wanted == (Resources { container: wanted.container.clone(), ..Resources::default() }) {
        return Err(CliError::Usage("say what to change: --cpu, --memory, --requests or --limits"));
    }
    Ok(wanted)
}

const TWICE: CliError = CliError::Usage("a resource is given twice");

fn add(list: &mut BTreeMap<String, String>, resource: &str, amount: &str) -> Result<(), CliError> {
    match list.insert(resource.to_owned(), amount.to_owned()) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    fn of(line: &str) -> Result<Resources, CliError> {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Resize(args) = cli.command else { panic!("{line} resizes") };
        wanted(&args)
    }

    fn list(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn amounts_of_each_kind() {
        let got = of("barepod resize web -c main --cpu 200m --memory 64Mi:128Mi").unwrap();
        let wanted = Resources {
            container: Some("main".to_owned()),
            amounts: list(&[("cpu", "200m")]),
            requests: list(&[("memory", "64Mi")]),
            limits: list(&[("memory", "128Mi")]),
        };
        assert_eq!(got, wanted);
        let got = of("barepod resize web --requests cpu=100m,memory=64Mi --limits cpu=200m").unwrap();
        assert_eq!(got.requests, list(&[("cpu", "100m"), ("memory", "64Mi")]));
        assert_eq!(got.limits, list(&[("cpu", "200m")]));
    }

    #[test]
    fn too_much_and_too_little() {
        for line in [
            "barepod resize web",
            "barepod resize web -c main",
            "barepod resize web --cpu 1 --limits cpu=2",
            "barepod resize web --cpu 1:2 --requests cpu=2",
            "barepod resize web --limits cpu=2,cpu=3",
        ] {
            assert!(matches!(of(line), Err(CliError::Usage(_))), "{line}");
        }
    }
}
