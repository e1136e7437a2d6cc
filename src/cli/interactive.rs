//! `run --stdin`, `--tty`: the container that the terminal is given from its beginning on.

use barepod_engine::spec::{ContainerIndex, ContainerSpec};
use k8s_openapi::api::core::v1;

use super::args::RunArgs;
use super::container::DEFAULT_CONTAINER;
use super::error::CliError;
use super::raw;
use crate::runtime::detach::Report;
use crate::runtime::exec::TerminalSize;
use crate::supervisor::FirstClient;

/// For the supervisor: who will be attached, where somebody will.
///
/// # Errors
/// As [`container`].
pub fn client(
    args: &RunArgs,
    pod: &v1::Pod,
    containers: &[ContainerSpec],
    report: Option<&mut Report>,
) -> Result<Option<FirstClient>, CliError> {
    if !args.is_interactive() {
        return Ok(None);
    }
    let name = container(args, pod)?;
    let links = report.map(Report::take_links).unwrap_or_default();
    let at = (0..).zip(containers).find(|(_, one)| one.name == name);
    let (Some((at, _)), Ok([door, stdout, stderr])) = (at, <[_; 3]>::try_from(links)) else { return Ok(None) };
    let size = raw::size();
    let size = TerminalSize { rows: size.ws_row, columns: size.ws_col };
    let stdin = args.stdin;
    Ok(Some(FirstClient { container: ContainerIndex(at), stdin, size, by: None, door, stdout, stderr }))
}

/// Its name: that which the annotation names, else the only one with `stdin` or `tty`.
///
/// # Errors
/// Where there is none, or more than one, or where it hasn't what is asked for.
pub fn container(args: &RunArgs, pod: &v1::Pod) -> Result<String, CliError> {
    let refuse = |why: String| Err(CliError::Words(why));
    let spec = pod.spec.as_ref();
    let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let all: Vec<&v1::Container> = inits.chain(spec.into_iter().flat_map(|spec| &spec.containers)).collect();
    let annotation = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DEFAULT_CONTAINER));
    let named = annotation.and_then(|name| all.iter().find(|one| one.name == *name));
    let could: Vec<&&v1::Container> =
        all.iter().filter(|one| one.stdin == Some(true) || one.tty == Some(true)).collect();
    let chosen = match (named, &could[..]) {
        (Some(named), _) => named,
        (None, [only]) => only,
        (None, []) => {
            return refuse("-i, -t: no container of the pod has `stdin: true` or `tty: true`".to_owned());
        }
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
            let names = names.join(", ");
            return refuse(format!(
                "-i, -t: several containers have `stdin` or `tty`: {names}; name one by the annotation {DEFAULT_CONTAINER}"
            ));
        }
    };
    let lacks = [
        ("-i", "stdin", args.stdin && chosen.stdin != Some(true)),
        ("-t", "tty", args.tty && chosen.tty != Some(true)),
    ];
    match lacks.iter().find(|(_, _, lacks)| *lacks) {
        Some((option, field, _)) => {
            refuse(format!("{option}: container {:?} hasn't `{field}: true` in its manifest", chosen.name))
        }
        None => Ok(chosen.name.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    /// What is chosen for options like `-it`, or the words of what is wrong.
    fn chosen(options: &str, annotation: &str, inits: &str, mains: &str) -> String {
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{annotation}}},
            "spec":{{"initContainers":{inits},"containers":{mains}}}}}"#
        );
        let Command::Run(args) = Cli::try_parse_from(["barepod", "run", options, "p.yaml"]).unwrap().command else {
            panic!()
        };
        container(&args, &serde_json::from_str(&text).unwrap()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_container_that_is_meant() {
        const ONE: &str = r#"[{"name":"a"},{"name":"b","tty":true,"stdin":true}]"#;
        const TWO: &str = r#"[{"name":"a","stdin":true},{"name":"b","tty":true}]"#;
        let named = |name: &str| format!(r#"{{"{DEFAULT_CONTAINER}":"{name}"}}"#);
        assert_eq!(chosen("-it", "{}", r#"[{"name":"i"}]"#, ONE), "b");
        assert_eq!(chosen("-t", "{}", r#"[{"name":"i","tty":true}]"#, r#"[{"name":"a"}]"#), "i");
        assert_eq!(chosen("-i", &named("a"), "[]", TWO), "a");
        assert_eq!(chosen("-i", &named("x"), "[]", ONE), "b");
        assert!(chosen("-i", "{}", "[]", TWO).contains("have `stdin` or `tty`: a, b; name one by"));
        assert!(chosen("-it", &named("a"), "[]", TWO).contains("-t: container \"a\" hasn't `tty: true`"));
        assert!(
            chosen("-it", "{}", "[]", r#"[{"name":"b","tty":true}]"#)
                .contains("-i: container \"b\" hasn't `stdin: true`")
        );
        assert!(chosen("-i", "{}", "[]", r#"[{"name":"a"}]"#).contains("no container of the pod has"));
    }
}
