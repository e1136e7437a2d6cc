//! Breaks the engine on purpose, one way after the other, and sees whether the tests notice.
//!
//! Works on copies of the crate in a temporary folder, one per core, each with a target folder of its own, so that neither
//! the sources nor the build of the repository are touched. The list is tests/mutants.txt. A mutant whose text isn't found
//! once or that doesn't compile is an error, not a success: the list must be kept.
//!
//! `scripts/mutants [--quick] [NAME...]`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Events of the property test per mutant; enough, and quick.
const EVENTS: &str = "100000";
/// A mutant may loop for ever: that is noticed too. In seconds.
const PATIENCE: &str = "60";
/// What `timeout` exits with where it had to end its command.
const TIMED_OUT: i32 = 124;

struct Mutant {
    name: String,
    quick: bool,
    file: String,
    from: String,
    to: String,
}

impl Mutant {
    /// `text` of its file with the mutation, or why there is none.
    fn applied(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.from).count() {
            1 if !self.from.is_empty() => Ok(text.replacen(&self.from, &self.to, 1)),
            count => Err(format!("its text is {count} times in {}", self.file)),
        }
    }
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
    // All of them, however few are tried: whoever moves a mutant's text learns it at once.
    let mut lost = Vec::new();
    for mutant in &all {
        let text = read(&crate_dir.join("src").join(&mutant.file))?;
        lost.extend(mutant.applied(&text).err().map(|why| format!("{}: {why}", mutant.name)));
    }
    if !lost.is_empty() {
        return Err(format!("tests/mutants.txt: {}", lost.join("; ")));
    }
    let began = Instant::now();
    let folder = Folder::make()?;
    let first = Copy::make(&crate_dir, folder.0.join("0"))?;
    if let Outcome::Killed(by) | Outcome::Broken(by) = first.test()? {
        return Err(format!("the tests fail without any mutation: {by}"));
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(chosen.len().max(1));
    let others = (1..workers).map(|worker| first.again(folder.0.join(worker.to_string())));
    let copies = others.collect::<Result<Vec<_>, _>>()?.into_iter().chain([first]).collect::<Vec<_>>();
    let [killed, survived, broken] = try_all(&chosen, &copies)?;
    let seconds = began.elapsed().as_secs();
    println!("{} mutants: {killed} killed, {survived} survived, {broken} broken ({seconds} s)", chosen.len());
    Ok(survived == 0 && broken == 0 && killed == chosen.len() && killed > 0)
}

/// Each copy takes the next mutant until there is none; how many were killed, survived and are broken.
fn try_all(mutants: &[&Mutant], copies: &[Copy]) -> Result<[usize; 3], String> {
    let next = AtomicUsize::new(0);
    let counts = Mutex::new([0; 3]);
    let work = |copy: &Copy| -> Result<(), String> {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (which, line) = match copy.try_mutant(mutant)? {
                Outcome::Killed(by) => (0, format!("killed    {:<42} {by}", mutant.name)),
                Outcome::Survived => (1, format!("SURVIVED  {}", mutant.name)),
                Outcome::Broken(why) => (2, format!("BROKEN    {}: {why}", mutant.name)),
            };
            println!("{line}");
            counts.lock().map_err(|_| "a worker panicked")?[which] += 1;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = copies.iter().map(|copy| scope.spawn(|| work(copy))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })?;
    counts.into_inner().map_err(|_| "a worker panicked".into())
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

/// Where the copies are; removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("barepod-mutants-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A copy of the crate.
struct Copy(PathBuf);

impl Copy {
    fn make(crate_dir: &Path, to: PathBuf) -> Result<Self, String> {
        copy_dir(&crate_dir.join("src"), &to.join("src"))?;
        copy_dir(&crate_dir.join("tests"), &to.join("tests"))?;
        let manifest = read(&crate_dir.join("Cargo.toml"))?;
        write(&to.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n\n[profile.dev]\ndebug = false\n"))?;
        let lock = crate_dir.join("../../Cargo.lock");
        fs::copy(&lock, to.join("Cargo.lock")).map_err(|error| format!("{}: {error}", lock.display()))?;
        Ok(Self(to))
    }

    /// Another one, with what is built already.
    fn again(&self, to: PathBuf) -> Result<Self, String> {
        let status = Command::new("cp").arg("-a").arg(&self.0).arg(&to).status();
        match status {
            Ok(status) if status.success() => Ok(Self(to)),
            Ok(status) => Err(format!("cp: {status}")),
            Err(error) => Err(format!("cp: {error}")),
        }
    }

    fn try_mutant(&self, mutant: &Mutant) -> Result<Outcome, String> {
        let path = self.0.join("src").join(&mutant.file);
        let text = read(&path)?;
        write(&path, &mutant.applied(&text)?)?;
        let outcome = self.test();
        write(&path, &text)?;
        outcome
    }

    fn test(&self) -> Result<Outcome, String> {
        let built = self.cargo(&["--no-run"])?;
        if !built.status.success() {
            let text = String::from_utf8_lossy(&built.stderr);
            let error = text.lines().find(|line| line.starts_with("error")).unwrap_or("it doesn't compile");
            return Ok(Outcome::Broken(error.to_owned()));
        }
        let tested = self.cargo(&[])?;
        Ok(match tested.status.code() {
            Some(0) => Outcome::Survived,
            Some(TIMED_OUT) => Outcome::Killed("the tests don't end".into()),
            Some(_) | None => Outcome::Killed(summary(&String::from_utf8_lossy(&tested.stdout))),
        })
    }

    /// `timeout` makes a group of cargo and the test binary below it and ends both.
    fn cargo(&self, more: &[&str]) -> Result<Output, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", PATIENCE, &cargo, "test", "--offline", "--test", "engine"]);
        command.args(more).current_dir(&self.0);
        command.env("CARGO_TARGET_DIR", self.0.join("target")).env("BAREPOD_PROPERTY_EVENTS", EVENTS);
        command.env("RUST_BACKTRACE", "0").env("RUSTFLAGS", "-Awarnings");
        command.output().map_err(|error| format!("cargo: {error}"))
    }
}

/// Which tests noticed.
fn summary(log: &str) -> String {
    let failed: Vec<&str> =
        log.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).collect();
    match failed.as_slice() {
        [] => "the tests abort".into(),
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
