//! Breaks the engine on purpose, one way after the other, and sees whether the tests notice.
//!
//! Works on a copy of the crate in a temporary folder, with a target folder of its own there, so that neither the
//! sources nor the build of the repository are touched. The list is tests/mutants.txt. A mutant whose text isn't found
//! once or that doesn't compile is an error, not a success: the list must be kept.
//!
//! `scripts/mutants [--quick] [NAME...]`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Events of the property test per mutant; enough, and quick.
const EVENTS: &str = "100000";
/// A mutant may loop for ever: that is noticed too.
const PATIENCE: Duration = Duration::from_secs(120);

struct Mutant {
    name: String,
    quick: bool,
    file: String,
    from: String,
    to: String,
}

enum Outcome {
    Killed(String),
    Survived,
    Broken(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("mutants: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let crate_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut quick = false;
    let mut names = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            name if name.starts_with('-') => return Err(format!("unknown option {name}; only --quick and names")),
            name => names.push(name.to_owned()),
        }
    }
    let list = read(&crate_dir.join("tests/mutants.txt"))?;
    let all = parse(&list)?;
    if let Some(name) = names.iter().find(|name| all.iter().all(|mutant| mutant.name != **name)) {
        return Err(format!("no mutant is named {name}"));
    }
    let chosen: Vec<&Mutant> = all
        .iter()
        .filter(|mutant| (names.is_empty() || names.contains(&mutant.name)) && (!quick || mutant.quick))
        .collect();
    let copy = Copy::make(&crate_dir)?;
    if let Outcome::Killed(by) | Outcome::Broken(by) = copy.test()? {
        return Err(format!("the tests fail without any mutation: {by}"));
    }
    let began = Instant::now();
    let (mut killed, mut survived, mut broken) = (0, 0, 0);
    for mutant in &chosen {
        match copy.try_mutant(mutant)? {
            Outcome::Killed(by) => {
                killed += 1;
                println!("killed    {:<42} {by}", mutant.name);
            }
            Outcome::Survived => {
                survived += 1;
                println!("SURVIVED  {}", mutant.name);
            }
            Outcome::Broken(why) => {
                broken += 1;
                println!("BROKEN    {}: {why}", mutant.name);
            }
        }
    }
    let seconds = began.elapsed().as_secs();
    println!("{} mutants: {killed} killed, {survived} survived, {broken} broken ({seconds} s)", chosen.len());
    Ok(survived == 0 && broken == 0 && killed > 0)
}

fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("mutants.txt:{}: {what}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (mark, rest) = line.split_at(1);
        if mark == "=" {
            let mut words = rest.split_whitespace();
            let name = words.next().ok_or_else(|| wrong("a name is missing"))?.to_owned();
            let quick = words.next() == Some("quick");
            mutants.push(Mutant { name, quick, file: String::new(), from: String::new(), to: String::new() });
            continue;
        }
        let mutant = mutants.last_mut().ok_or_else(|| wrong("before the first \"=\""))?;
        match mark {
            "@" => rest.trim().clone_into(&mut mutant.file),
            "-" => push_line(&mut mutant.from, rest),
            "+" => push_line(&mut mutant.to, rest),
            _ => return Err(wrong("neither = @ - nor +")),
        }
    }
    Ok(mutants)
}

fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// A copy of the crate; removed in the end.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Copy {
    fn make(crate_dir: &Path) -> Result<Self, String> {
        let copy = Self(std::env::temp_dir().join(format!("barepod-mutants-{}", std::process::id())));
        copy_dir(&crate_dir.join("src"), &copy.0.join("src"))?;
        copy_dir(&crate_dir.join("tests"), &copy.0.join("tests"))?;
        let manifest = read(&crate_dir.join("Cargo.toml"))?;
        write(&copy.0.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n\n[profile.dev]\ndebug = false\n"))?;
        let lock = crate_dir.join("../../Cargo.lock");
        fs::copy(&lock, copy.0.join("Cargo.lock")).map_err(|error| format!("{}: {error}", lock.display()))?;
        Ok(copy)
    }

    fn try_mutant(&self, mutant: &Mutant) -> Result<Outcome, String> {
        let path = self.0.join("src").join(&mutant.file);
        let text = read(&path)?;
        let count = text.matches(&mutant.from).count();
        if mutant.from.is_empty() || count != 1 {
            return Ok(Outcome::Broken(format!("its text is {count} times in {}", mutant.file)));
        }
        write(&path, &text.replacen(&mutant.from, &mutant.to, 1))?;
        let outcome = self.test();
        write(&path, &text)?;
        outcome
    }

    fn test(&self) -> Result<Outcome, String> {
        let built = self.cargo(&["--no-run"])?;
        let built = built.wait_with_output().map_err(|error| format!("cargo: {error}"))?;
        if !built.status.success() {
            let text = String::from_utf8_lossy(&built.stderr);
            let error = text.lines().find(|line| line.starts_with("error")).unwrap_or("it doesn't compile");
            return Ok(Outcome::Broken(error.to_owned()));
        }
        let log = self.0.join("log");
        let out = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut tests =
            self.command(&[]).stdout(out).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let began = Instant::now();
        loop {
            if let Some(status) = tests.try_wait().map_err(|error| error.to_string())? {
                let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
                return Ok(if status.success() { Outcome::Survived } else { Outcome::Killed(summary(&text)) });
            }
            if began.elapsed() > PATIENCE {
                self.end(&mut tests);
                return Ok(Outcome::Killed("the tests don't end".into()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The test binary is cargo's child: `timeout` makes a group of the two and ends both.
    fn end(&self, tests: &mut Child) {
        let _ = tests.kill();
        let _ = tests.wait();
    }

    fn cargo(&self, more: &[&str]) -> Result<Child, String> {
        let mut command = self.command(more);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|error| format!("cargo: {error}"))
    }

    fn command(&self, more: &[&str]) -> Command {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new("timeout");
        command.args([&(PATIENCE.as_secs() - 5).to_string(), &cargo, "test", "--offline", "--test", "engine"]);
        command.args(more).current_dir(&self.0);
        command.env("CARGO_TARGET_DIR", self.0.join("target")).env("BAREPOD_PROPERTY_EVENTS", EVENTS);
        command.env("RUST_BACKTRACE", "0").env("RUSTFLAGS", "-Awarnings");
        command
    }
}

/// Which tests noticed.
fn summary(log: &str) -> String {
    let failed: Vec<&str> =
        log.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).collect();
    match failed.as_slice() {
        [] => "the tests don't end or abort".into(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

fn copy_dir(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(problem)?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(problem)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
