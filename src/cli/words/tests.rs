//! What fingers type, and what becomes of it.

use clap::Parser;

use super::*;

fn understood(line: &str) -> Result<Cli, String> {
    let args = rewrite(line.split(' ').map(Into::into).collect());
    let mut cli = Cli::try_parse_from(&args).map_err(|error| advice(&error, &args).unwrap_or(error.to_string()))?;
    understand(&mut cli).map(|()| cli)
}

/// The pod that a line means.
fn pod(line: &str) -> Option<String> {
    match understood(line).unwrap().command {
        Command::Get(args) => Some(args.pods.names.join(" ")).filter(|pods| !pods.is_empty()),
        Command::Logs(args) => {
            Some(format!("{} {}", args.name.unwrap_or_default(), args.container.unwrap_or_default()))
        }
        Command::Describe(args) => Some(args.pods.names.join(" ")),
        Command::Top(args) => Some(args.pods.names.join(" ")).filter(|pods| !pods.is_empty()),
        Command::Events(args) => Some(args.pods.names.join(" ")),
        Command::Attach(args) => Some(args.pod),
        Command::Debug(args) => Some(args.pod),
        Command::Exec(args) => Some(format!("{} {}", args.pod, args.command.join(" "))),
        Command::Cp(args) => Some(format!("{:?} {:?}", args.source, args.target)),
        Command::PortForward(args) => Some(args.pod),
        Command::Stop(args) => Some(args.pods.chosen.names.join(" ")),
        Command::Kill(args) => Some(format!("{} {}", args.pods.chosen.names.join(" "), args.signal)),
        Command::Restart(args) => Some(args.pods.chosen.names.join(" ")),
        Command::Wait(args) => Some(args.pods.chosen.names.join(" ")),
        Command::Resize(args) => Some(args.pod.name),
        Command::Rm(args) => Some(format!("{} {}", args.pods.chosen.names.join(" "), args.force)),
        Command::Run(args) => {
            Some(args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" "))
        }
        Command::Simulate(args) => Some(args.file.display().to_string()),
        Command::Completion(_)
        | Command::Complete(_)
        | Command::Man(_)
        | Command::Diff(_)
        | Command::Explain(_)
        | Command::Apply(_)
        | Command::Image(_)
        | Command::Generate(_)
        | Command::Install(_)
        | Command::Uninstall(_) => None,
    }
}

#[test]
fn what_is_meant() {
    for (line, want) in [
        ("barepod get pods", None),
        ("barepod ps", None),
        ("barepod ls", None),
        ("barepod get po -A", None),
        ("barepod get pods -n ops", None),
        ("barepod get pod web", Some("web")),
        ("barepod get pod/web -o yaml", Some("web")),
        ("barepod get web -n ops", Some("ops/web")),
        ("barepod get ops/web --namespace ops", Some("ops/web")),
        ("barepod get web db", Some("web db")),
        ("barepod get pods web ops/db -o name", Some("web ops/db")),
        ("barepod get pod/web pod/ops/db", Some("web ops/db")),
        ("barepod get web db -n ops", Some("ops/web ops/db")),
        ("barepod get pods -l app=web", None),
        ("barepod top pods -A", None),
        ("barepod top pod web --containers", Some("web")),
        ("barepod top web db -n ops", Some("ops/web ops/db")),
        ("barepod describe pods web", Some("web")),
        // A pod may be called so.
        ("barepod describe pod", Some("pod")),
        ("barepod describe web pod/db -n ops", Some("ops/web ops/db")),
        ("barepod events pod/web", Some("web")),
        ("barepod events -l app=web -w", Some("")),
        ("barepod cp x pod/web:/y -n ops", Some("Box(\"x\") Pod { pod: \"ops/web\", path: \"/y\" }")),
        ("barepod port-forward pod/web 80 -n ops", Some("ops/web")),
        ("barepod stop pod web", Some("web")),
        ("barepod rm -f pod/web", Some("web true")),
        ("barepod rm pods web db -n ops", Some("ops/web ops/db false")),
        ("barepod stop pod/web pod/db", Some("web db")),
        ("barepod stop -f pod.yaml", Some("")),
        ("barepod stop -l app=web", Some("")),
        ("barepod stop pods --all -n ops", Some("")),
        ("barepod wait pod -l app=web --for=delete", Some("")),
        ("barepod kill --all -s HUP", Some(" 1")),
        ("barepod rm --all -A", Some(" false")),
        ("barepod describe pods -l app=web", Some("")),
        ("barepod describe -A", Some("")),
        ("barepod describe pods -f web.yaml", Some("")),
        ("barepod events", Some("")),
        ("barepod events pods -A", Some("")),
        ("barepod events --for pod/web -n ops --types warning,Normal", Some("ops/web")),
        ("barepod get -f web.yaml", None),
        ("barepod restart pod/web db -n ops", Some("ops/web ops/db")),
        ("barepod kill pod/web -s TERM", Some("web 15")),
        ("barepod kill web db -n ops", Some("ops/web ops/db 9")),
        ("barepod logs web main", Some("web main")),
        ("barepod logs -f web", Some("web ")),
        ("barepod logs pods -l app=web -c main", Some(" main")),
        ("barepod logs pod web -c main", Some("web main")),
        ("barepod logs -n ops web", Some("ops/web ")),
        ("barepod exec pod/web -n ops -- ls -l", Some("ops/web ls -l")),
        ("barepod exec -it web sh -c true", Some("web sh -c true")),
        ("barepod attach pod/web -n ops", Some("ops/web")),
        ("barepod debug pod/web -n ops --image rootfs:x", Some("ops/web")),
        ("barepod run -f pod.yaml", Some("pod.yaml")),
        ("barepod --root /tmp/r run --filename=pod.yaml -q", Some("pod.yaml")),
        ("barepod simulate -f -", Some("-")),
        ("barepod run pod.yaml", Some("pod.yaml")),
        ("barepod wait pod web db --for=delete", Some("web db")),
        ("barepod wait pod/web -n ops --for condition=Ready --timeout -1s", Some("ops/web")),
        ("barepod wait -f pod.yaml --for phase=Running --timeout 0", Some("")),
        ("barepod run --rm -d -f pod.yaml", Some("pod.yaml")),
        ("barepod run -d -f a.yaml -f folder -R", Some("a.yaml folder")),
        ("barepod run -d a.yaml -", Some("a.yaml -")),
        ("barepod stop -R -f folder", Some("")),
    ] {
        assert_eq!(pod(line).as_deref(), want, "{line}");
    }
}

#[test]
fn what_is_answered() {
    for (line, wants) in [
        ("barepod create -f pod.yaml", "`barepod run pod.yaml`"),
        ("barepod label web tier=x", "`barepod apply -f "),
        ("barepod up", "`barepod run FILE`"),
        ("barepod start web", "`barepod restart web`"),
        ("barepod delete pod web", "`barepod stop web`"),
        ("barepod delete -f pod.yaml", "`barepod stop -f pod.yaml`"),
        ("barepod down pod.yml", "`barepod rm --filename pod.yml`"),
        ("barepod delete pod/web --force", "`barepod rm --force web`"),
        ("barepod kill web -s TREM", "did you mean TERM?"),
        ("barepod --root /tmp/r edit web", "not there yet"),
        ("barepod inspect web", "`barepod get web -o json`"),
        ("barepod help", "barepod COMMAND --help"),
        ("barepod run -d pod.yaml --attach web", "cannot be used with '--attach"),
        ("barepod wait web --for=ready", "condition=Ready"),
        ("barepod wait web", "--for <WHAT>"),
        ("barepod run web --image=nginx", "the image stands in it"),
        ("barepod stop web --timeout 5", "write it like 300ms, 10s"),
        ("barepod stop web --now --grace-period 3", "cannot be used with"),
        ("barepod get --sort-by .a -w", "cannot be used with"),
        ("barepod events web --for pod/db", "cannot be used with"),
        ("barepod events --for deployment/web", "this is about Pods"),
        ("barepod stop web -t 5", "--grace-period N"),
        ("barepod get web -l app=web", "not both"),
        ("barepod top node", "about pods"),
        ("barepod top web -l app=web", "not both"),
        ("barepod rm deployment web", "this is about Pods"),
        ("barepod logs web -l app=web", "not both"),
        ("barepod logs", "<POD>"),
        ("barepod stop web -l app=web", "named or chosen by --selector, not both"),
        ("barepod stop -f web.yaml --all", "given by --filename or chosen by --all, not both"),
        ("barepod rm web --all", "named or chosen by --all, not both"),
        ("barepod stop --all -l app=web", "cannot be used with"),
        ("barepod stop -n ops -A --all", "cannot be used with"),
        ("barepod describe web -l app", "not both"),
        ("barepod resize a b", "one pod at a time"),
        ("barepod get deployments web", "this is about Pods"),
        ("barepod get a/web -n b", "contradict"),
    ] {
        let error = understood(line).unwrap_err();
        assert!(error.contains(wants), "{line}: {error}");
    }
}

/// A slip is clap's business, which names what is near.
#[test]
fn a_slip_is_left_to_clap() {
    assert!(understood("barepod descibe web").unwrap_err().contains("'describe'"));
}

#[test]
fn jobs_as_people_name_them() {
    let names = |line: &str| {
        let words = ["barepod"].into_iter().chain(line.split(' '));
        let mut cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        understand(&mut cli)?;
        Ok::<_, String>(match cli.command {
            Command::Get(args) => args.pods.jobs,
            Command::Stop(args) => args.pods.chosen.jobs,
            Command::Rm(args) => args.pods.chosen.jobs,
            Command::Wait(args) => args.pods.chosen.jobs,
            Command::Describe(args) => args.pods.jobs,
            Command::Events(args) => args.pods.jobs,
            Command::Logs(args) => args.job.map(|job| [job].into_iter().chain(args.container).collect()),
            _ => None,
        })
    };
    let some = |all: &[&str]| Ok(Some(all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
    for (line, expected) in [
        ("get jobs", some(&[])),
        ("get job pi", some(&["pi"])),
        ("get job/pi job/ops/db", some(&["pi", "ops/db"])),
        ("rm job pi -n ops", some(&["ops/pi"])),
        ("stop job.batch/pi", some(&["pi"])),
        ("wait --for=condition=complete job/pi", some(&["pi"])),
        ("rm jobs --all", some(&[])),
        ("describe job/pi jobs/db", some(&["pi", "db"])),
        ("describe jobs", some(&[])),
        ("events job pi -n ops", some(&["ops/pi"])),
        ("events --for job/pi", some(&["pi"])),
        ("logs job/pi -n ops", some(&["ops/pi"])),
        ("logs job.batch/pi main --all-pods", some(&["pi", "main"])),
        ("logs -l a=b --all-pods", Ok(None)),
        ("get pods", Ok(None)),
        ("rm pi", Ok(None)),
    ] {
        assert_eq!(names(line), expected, "{line}");
    }
    for line in [
        "rm jobs",
        "rm job/pi pod/web",
        "get job/pi web",
        "rm job/pi --all",
        "get jobs -l a=b",
        "top job/pi",
        "logs job/pi -l a=b",
        "logs job/pi a -c b",
        "logs web --all-pods",
    ] {
        assert!(names(line).is_err(), "{line}");
    }
}
