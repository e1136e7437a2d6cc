//! What people see of a run, and what its log files hold.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Case, Run, worker};

fn log_file(case: &Case, container: &str, attempt: u32) -> PathBuf {
    case.root().join(format!("logs/default_{}_{}/{container}/{attempt}.log", case.name(), case.uid()))
}

/// What containers print goes to the stream that they print it on, behind their names; lifecycle lines to standard error.
#[test]
fn prefixes_and_lifecycle_lines() {
    let Some(case) = Case::new("prefix") else { return };
    let pod = case
        .pod()
        .init(worker("init", "echo from init"))
        .sidecar("web", "say web up; exec serve web")
        .main("main", "await web up; echo to stdout; echo to stderr >&2; printf 'no end'");
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0);
    let out = run.stdout();
    let mut lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.remove(0), "init | from init");
    lines.sort_unstable();
    assert_eq!(lines, ["main | no end", "main | to stdout"]);
    let stderr = run.stderr();
    assert!(stderr.lines().any(|line| line == "main | to stderr"), "{stderr}");
    let told = stderr.lines().filter(|line| !line.starts_with("main |"));
    let told: Vec<String> = told.map(|line| line.split(" (").next().unwrap().to_owned()).collect();
    let expected = [
        "init started",
        "init exited 0",
        "web started",
        "main started",
        "main exited 0",
        "web is being stopped",
        "web exited 0, stopped",
        "default/prefix Succeeded",
    ];
    assert_eq!(told, expected);
}

/// R5.5: preStop hooks begin at once, and that is what is said of them; who is sent its stop signal is being stopped, in the
/// order of R5.3.
#[test]
fn stopping_is_told_in_its_order() {
    let Some(case) = Case::new("stops") else { return };
    let with_hook = |mut container: serde_json::Value| {
        container["lifecycle"] = json!({"preStop": {"exec": {"command": ["true"]}}});
        container
    };
    let pod = case
        .pod()
        .init(with_hook(crate::harness::sidecar("side", "serve side")))
        .sidecar("plain", "serve plain")
        .main("main", "exec serve main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    assert!(case.barepod(&["stop", case.name()]).status.success());
    run.end();
    let stderr = run.stderr();
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains(" stopped")).collect();
    let told: Vec<&str> = told.into_iter().map(|line| line.split([',', ':']).next().unwrap()).collect();
    let at = |line: &str| told.iter().position(|one| *one == line).unwrap_or_else(|| panic!("{line}: {stderr}"));
    assert!(at("side runs its preStop hook before it is stopped") < at("plain is being stopped"), "{stderr}");
    assert!(at("main is being stopped") < at("plain is being stopped"), "{stderr}");
    assert!(at("plain is being stopped") < at("side is being stopped"), "{stderr}");
    assert_eq!(told.iter().filter(|line| line.ends_with("is being stopped")).count(), 3, "{stderr}");
}

/// No colour in files and pipes; CLICOLOR_FORCE wants it, NO_COLOR wins over that.
#[test]
fn colour() {
    for (name, variables, coloured) in [
        ("plain", vec![], false),
        ("forced", vec![("CLICOLOR_FORCE", "1")], true),
        ("no-color", vec![("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let Some(case) = Case::new(name) else { return };
        let file = case.write(&case.pod().main("main", "echo hello").text());
        let mut command = case.command(&["run"]);
        command.arg(file).envs(variables);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        for (stream, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            assert_eq!(bytes.contains(&0x1b), coloured, "{name}: {stream}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// `--quiet`: no lifecycle lines; what containers print, and what goes wrong.
#[test]
fn quiet() {
    let Some(case) = Case::new("quiet") else { return };
    let mut run = case.start_with(&case.pod().main("main", "echo hello; exit 3"), &["--quiet"]);
    assert_eq!(run.end(), 3);
    assert_eq!(
        (run.stdout().as_str(), run.stderr().as_str()),
        ("main | hello\n", "default/quiet Failed: container \"main\" exited 3 (Error)\n")
    );
}

/// `--no-prefix`, and `--attach` of one container for whoever reads its output as it is.
#[test]
fn output_without_names() {
    let Some(case) = Case::new("raw") else { return };
    let pod =
        case.pod().init(worker("init", "echo prepared")).main("main", r"printf '<a>\033[1m</a>\n'; echo careful >&2");
    let mut run = case.start_with(&pod, &["--quiet", "--no-prefix"]);
    assert_eq!(run.end(), 0);
    assert_eq!(run.stdout(), "prepared\n<a>\x1b[1m</a>\n");
    assert_eq!(run.stderr(), "careful\n");
    let mut run = case.start_with(&pod, &["--quiet", "--attach", "main"]);
    assert_eq!(run.end(), 0);
    assert_eq!((run.stdout().as_str(), run.stderr().as_str()), ("<a>\x1b[1m</a>\n", "careful\n"));
    // To the byte: no newline is added to what doesn't end with one.
    let pod = case.pod().main("main", r"printf 'a\n\0b'; printf c >&2");
    let mut run = case.start_with(&pod, &["--quiet", "--attach", "main"]);
    assert_eq!(run.end(), 0);
    assert_eq!((run.stdout().as_str(), run.stderr().as_str()), ("a\n\0b", "c"));
    // A line of barepod's own begins where it can be read.
    let mut run = case.start_with(&pod, &["--attach", "main"]);
    assert_eq!(run.end(), 0);
    assert_eq!(run.stdout(), "a\n\0b");
    let stderr = run.stderr();
    let lines: Vec<&str> = stderr.lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert!(["main started", "c", "main exited 0"].iter().all(|line| lines.contains(line)), "{stderr}");
    let mut run = case.start_with(&pod, &["--attach", "nobody"]);
    assert_eq!(run.end(), 2);
    assert!(run.stderr().contains("it has: main"), "{}", run.stderr());
}

/// `--log-level debug`: each fact the lifecycle is told, and what it asks for.
#[test]
fn the_steps_of_a_run() {
    let Some(case) = Case::new("steps") else { return };
    let mut run = case.start_with(&case.pod().main("main", "exit 0"), &["--log-level", "debug"]);
    assert_eq!(run.end(), 0);
    for line in ["debug: told Begin", "debug: asks CreateSandbox", "debug: asks Finish { exit_code: 0 }"] {
        assert!(run.stderr().lines().any(|one| one == line), "{line} in {}", run.stderr());
    }
}

/// Lines of several containers are never torn, whatever sizes they are written in, and each container's are in order.
#[test]
fn lines_are_never_torn() {
    let Some(case) = Case::new("torn") else { return };
    // In pieces: the line's end comes with a write of its own.
    let script = "i=0; while [ $i -lt 1500 ]; do printf 'line %s ' $i; echo of NAME; i=$((i + 1)); done";
    let names = ["one", "two", "three"];
    let pod = names.iter().fold(case.pod(), |pod, name| pod.main(name, &script.replace("NAME", name)));
    let file = case.write(&pod.text());
    let mut command = case.command(&["run", "-q"]);
    command.arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    for line in str::from_utf8(&output.stdout).unwrap().lines() {
        let (name, text) = line.split_once('|').unwrap();
        let count = next.entry(name.trim()).or_default();
        assert_eq!(text, format!(" line {count} of {}", name.trim()));
        *count += 1;
    }
    assert_eq!(next, names.into_iter().map(|name| (name, 1500)).collect());
}

/// R10.9: each line with its time, stream and tag; a line without an end too, above 16 KiB in parts.
#[test]
fn log_files_are_in_cri_format() {
    let Some(case) = Case::new("cri") else { return };
    let script = "echo one; echo two >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf tail";
    assert_eq!(case.run(&case.pod().main("main", script)), 0);
    let text = fs::read_to_string(log_file(&case, "main", 0)).unwrap();
    let fields: Vec<(&str, &str, &str)> = text
        .lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 30 && time.ends_with('Z'), "{time}");
            let (stream, rest) = rest.split_once(' ').unwrap();
            let (tag, text) = rest.split_once(' ').unwrap();
            (stream, tag, text)
        })
        .collect();
    let stdout: Vec<_> = fields.iter().filter(|field| field.0 == "stdout").collect();
    let long: Vec<_> = stdout[1..stdout.len() - 1].iter().map(|field| (field.1, field.2.len())).collect();
    assert_eq!(*stdout[0], ("stdout", "F", "one"));
    assert_eq!(long, [("P", 16384), ("P", 16384), ("F", 40000 - 2 * 16384)]);
    assert_eq!(stdout[stdout.len() - 1].2, "tail");
    assert!(fields.contains(&("stderr", "F", "two")));
    // And `logs` puts it together again.
    let logs = case.logs("main", &[]);
    assert!(logs.lines().any(|line| line.len() == 40000));
    assert!(logs.lines().any(|line| line == "tail"));
}

/// Every attempt has a log of its own; `--previous` is the one before the last.
#[test]
fn a_log_for_each_attempt() {
    let Some(case) = Case::new("attempts") else { return };
    let script = "say x; n=$(wc -l < /t/log); echo attempt $n; [ $n -ge 2 ]";
    let pod = case.pod().spec(serde_json::json!({"restartPolicy": "OnFailure"})).main("main", script);
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.logs("main", &[]), "attempt 2\n");
    assert_eq!(case.logs("main", &["--previous"]), "attempt 1\n");
    assert!(log_file(&case, "main", 0).exists() && log_file(&case, "main", 1).exists());
}

/// Nothing that was written is lost, and the last bytes are there when the run is over.
#[test]
fn nothing_is_lost() {
    let Some(case) = Case::new("lost") else { return };
    let mut run = case.start_with(&case.pod().main("main", "seq 1 60000; printf end"), &["-q"]);
    assert_eq!(run.end(), 0);
    let numbers: Vec<String> = (1..=60000).map(|n| n.to_string()).chain(["end".to_owned()]).collect();
    assert_eq!(case.logs("main", &[]).lines().collect::<Vec<_>>(), numbers);
    let out = run.stdout();
    assert_eq!(out.lines().map(|line| line.strip_prefix("main | ").unwrap()).collect::<Vec<_>>(), numbers);
}

/// A reader of our output that doesn't read holds nothing up but the output: the pod goes on, and can be stopped.
#[test]
fn a_reader_that_does_not_read() {
    let Some(case) = Case::new("held") else { return };
    let pod = case.pod().main("flood", "exec yes").main("other", "say other; exec serve other");
    let file = case.write(&pod.text());
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = case.command(&["run", "-q"]);
    command.arg(file).stdout(writer).stderr(Stdio::null());
    let mut run = Run::of(&case, &mut command);
    // The command holds the writing end too.
    drop(command);
    case.wait_for("other up");
    let stop = case.barepod(&["stop", "--grace-period", "1", "held"]);
    assert!(stop.status.success());
    assert!(case.said("other term"));
    let drain = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    assert_ne!(run.end(), 0);
    let all = String::from_utf8(drain.join().unwrap()).unwrap();
    // The run waits for its reader, but not for ever: the very last line may be cut off.
    let (whole, _) = all.rsplit_once('\n').unwrap();
    assert!(whole.lines().all(|line| line == "flood | y"), "torn");
}

/// A container that prints when it is told to stop ends by itself, though nobody ever reads what is shown; the stop isn't
/// held up, what was not shown is said, and the log has it all.
#[test]
fn a_reader_that_never_reads() {
    let Some(case) = Case::new("unread") else { return };
    let script = "trap 'seq 1 20000; say done; exit 0' TERM; say up; seq 1 60000; say written; while :; do :; done";
    let pod = case.pod().spec(serde_json::json!({"terminationGracePeriodSeconds": 600})).main("main", script);
    let file = case.write(&pod.text());
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = case.command(&["run", "-q"]);
    let said = case.dir().join("stderr.txt");
    command.arg(file).stdout(writer).stderr(fs::File::create(&said).unwrap());
    let mut run = Run::of(&case, &mut command);
    drop(command);
    case.wait_for("up");
    let stop = case.barepod(&["stop", "unread"]);
    assert!(stop.status.success());
    // Long before the 600 s, and not killed.
    assert!(case.said("done"), "{:?}", case.trace());
    run.end();
    let numbers = case.logs("main", &[]);
    assert!(numbers.ends_with("\n19999\n20000\n"), "the log lost its end");
    let said = fs::read_to_string(said).unwrap();
    assert!(said.contains("of the containers' output were not shown"), "{said}");
    assert!(said.contains("barepod logs"), "{said}");
    drop(reader);
}

/// R10.9: at 10 MiB the file gets the time behind its name, as the kubelet's do; five are kept, and `logs` shows what is
/// in them as one, from the oldest line kept to the last.
#[test]
fn logs_are_rotated() {
    let Some(case) = Case::new("rotated") else { return };
    // 512 bytes a line and what CRI adds: 66 MB, of which 5 files of 10 MiB are kept.
    let script = "pad=$(head -c 505 /dev/zero | tr '\\0' x); yes $pad | head -n 120000 | cat -n; echo end";
    let file = case.write(&case.pod().main("main", script).text());
    let mut command = case.command(&["run", "-q"]);
    command.arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(0));
    let newest = log_file(&case, "main", 0);
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(newest.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().len() <= 10 * 1024 * 1024, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(names[0], "0.log");
    for name in &names[1..] {
        // 0.log.20261123-120001.123456789
        let time = name.strip_prefix("0.log.").unwrap();
        let (date, clock) = time.split_once('-').unwrap();
        assert!(date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
        assert!(clock.len() >= 6 && clock[..6].bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    }
    let logs = case.logs("main", &[]);
    let lines: Vec<&str> = logs.lines().collect();
    let (end, numbered) = lines.split_last().unwrap();
    assert_eq!(*end, "end");
    let number = |line: &str| line.split_whitespace().next().unwrap().parse::<usize>().unwrap();
    let first = number(numbered[0]);
    assert!(first > 1 && first < 60_000, "{first}");
    assert!(numbered.iter().enumerate().all(|(index, line)| number(line) == first + index), "a line is missing");
    assert_eq!(number(numbered[numbered.len() - 1]), 120_000);
    assert_eq!(case.logs("main", &["--tail", "1"]), "end\n");
}

/// R10.9: a line up to 256 KiB is shown in one piece though the file has it in parts of 16 KiB; of a longer one each
/// 256 KiB are a line on the terminal, and `logs` has it whole.
#[test]
fn long_lines_are_shown_whole() {
    let Some(case) = Case::new("long") else { return };
    let script = "head -c 200000 /dev/zero | tr '\\0' a; echo; head -c 600000 /dev/zero | tr '\\0' b; echo";
    let mut run = case.start_with(&case.pod().main("main", script), &["-q"]);
    assert_eq!(run.end(), 0);
    let out = run.stdout();
    let shown: Vec<usize> = out.lines().map(|line| line.strip_prefix("main | ").unwrap().len()).collect();
    let most = 256 * 1024;
    assert_eq!(shown, [200_000, most, most, 600_000 - 2 * most]);
    let whole: Vec<usize> = case.logs("main", &[]).lines().map(str::len).collect();
    assert_eq!(whole, [200_000, 600_000]);
}
