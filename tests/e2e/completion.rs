//! What a shell offers where a pod or container can be named.

use std::fs;
use std::process::Command;

use crate::harness::Case;

/// A script that completes a line as an interactive bash does, and prints what it offers.
const OFFERED: &str = r#"
source "$SCRIPT"
read -r -a COMP_WORDS <<< "$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE=$1 COMP_POINT=${#1}
declare -a how=($(complete -p barepod))
for at in "${!how[@]}"; do [[ ${how[at]} != -F ]] || function=${how[at + 1]}; done
compopt() { :; }
"$function" barepod "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// By bash itself and the script that is installed for it; silent and harmless where there is nothing to be named.
#[test]
fn names_in_bash() {
    let Some(case) = Case::new("offered") else { return };
    let script = case.dir().join("barepod.bash");
    fs::write(&script, case.barepod(&["completion", "bash"]).stdout).unwrap();
    let bin = case.dir().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(crate::harness::binary(), bin.join("barepod")).unwrap();
    let offered = |line: &str| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", OFFERED, "bash", line]).env("SCRIPT", &script).env("BAREPOD_ROOT", case.root());
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let output = bash.env("PATH", path).current_dir(case.dir()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // No pods, and no folder that could have any.
    assert!(offered("barepod stop ").contains("--grace-period") && !offered("barepod stop ").contains("POD"));
    assert!(!case.root().join("pods").exists());
    let mut run = case.start(&case.pod().sidecar("helper", "serve helper").main("main", "say up; hold go"));
    case.wait_for("up");
    for (line, expected) in [
        ("barepod stop ", "offered"),
        ("barepod stop of", "offered"),
        ("barepod stop x", ""),
        ("barepod stop offered --grace", "--grace-period"),
        ("barepod describe pod/", "pod/offered"),
        ("barepod logs -f offered -c ", "helper main"),
        ("barepod exec offered -c h", "helper"),
        ("barepod get -n ", "default"),
        ("barepod cp of", "offered:"),
        ("barepod port-f", "port-forward"),
    ] {
        assert_eq!(offered(line), expected, "{line}");
    }
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(offered("barepod kill of"), "");
    assert_eq!(offered("barepod rm of"), "offered");
    // Who may not look is told nothing, and nothing breaks.
    fs::write(case.state().join("pod.json"), "{").unwrap();
    assert_eq!(offered("barepod logs offered -c x"), "");
    assert!(case.barepod(&["rm", "--force", "offered"]).status.success());
    case.nothing_left();
}
