//! Breaks the engine on purpose, one way after the other, and sees whether the tests notice.
//!
//! Works on copies of the crate in a temporary folder, one per core, each with a target folder of its own, so that neither
//! the sources nor the build of the repository are touched. The list is tests/mutants.txt.
//!
//! A mutant is killed by an assertion that fails: of a test, of the property test's judges, or of the engine itself. Anything
//! else is shown as what it is and fails the run: a mutant that survives, whose text isn't found once, that doesn't compile,
//! with which the tests don't end or only crash. What can't be noticed in another way is marked so in the list (`never-ends`,
//! `crashes`).
//!
//! `scripts/mutants [--quick] [NAME...]`

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use list::{Mutant, Otherwise, parse};

/// Events of the property test per mutant; enough, and quick.
const EVENTS: &str = "100000";
/// Always the same: whether a mutant is noticed must not be a matter of luck.
const SEED: &str = "2026";
/// A mutant may loop for ever: its tests get this many times what they take without a mutation, but not less and not more
/// than the two bounds.
const SLOWER: u32 = 20;
const LEAST_PATIENCE: Duration = Duration::from_secs(20);
const MOST_PATIENCE: Duration = Duration::from_secs(120);
/// The first build has to make the dependencies, on a machine that may be busy.
const BUILD_PATIENCE: Duration = Duration::from_secs(1200);
/// What `timeout` exits with where it had to end its command.
const TIMED_OUT: i32 = 124;

enum Outcome {
    /// By an assertion of this test.
    Killed(String),
    Survived,
    Broken(String),
    /// The tests noticed, but no assertion of theirs did.
    Noticed(Otherwise, String),
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
    let mut chosen: Vec<&Mutant> = all
        .iter()
        .filter(|mutant| (names.is_empty() || names.contains(&mutant.name)) && (!quick || mutant.quick))
        .collect();
    // Those that take as long as they may begin: at the end the others' workers would be idle beside them.
    chosen.sort_by_key(|mutant| mutant.expected != Some(Otherwise::NeverEnds));
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
    let mut first = Copy::make(&crate_dir, folder.0.join("0"))?;
    first.measure()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(chosen.len().max(1));
    let others = (1..workers).map(|worker| first.again(folder.0.join(worker.to_string())));
    let copies = others.collect::<Result<Vec<_>, _>>()?.into_iter().chain([first]).collect::<Vec<_>>();
    let [killed, otherwise, survived, broken, unproven] = try_all(&chosen, &copies)?;
    let seconds = began.elapsed().as_secs();
    println!(
        "{} mutants: {killed} killed, {otherwise} noticed as expected without an assertion, {survived} survived, \
         {broken} broken, {unproven} noticed by no assertion ({seconds} s)",
        chosen.len()
    );
    Ok(killed + otherwise == chosen.len() && killed > 0)
}

/// Each copy takes the next mutant until there is none; how many were killed, noticed otherwise as the list says, survived,
/// are broken, and were noticed by no assertion.
fn try_all(mutants: &[&Mutant], copies: &[Copy]) -> Result<[usize; 5], String> {
    let next = AtomicUsize::new(0);
    let counts = Mutex::new([0; 5]);
    let work = |copy: &Copy| -> Result<(), String> {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (which, line) = match copy.try_mutant(mutant)? {
                Outcome::Killed(by) => (0, format!("killed    {:<42} {by}", mutant.name)),
                Outcome::Noticed(how, by) if mutant.expected == Some(how) => {
                    (1, format!("noticed   {:<42} {}: {by}", mutant.name, how.word()))
                }
                Outcome::Survived => (2, format!("SURVIVED  {}", mutant.name)),
                Outcome::Broken(why) => (3, format!("BROKEN    {}: {why}", mutant.name)),
                Outcome::Noticed(how, by) => (4, format!("UNPROVEN  {}: {}: {by}", mutant.name, how.word())),
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
struct Copy {
    folder: PathBuf,
    /// How long its tests may take.
    patience: Duration,
}

impl Copy {
    fn make(crate_dir: &Path, to: PathBuf) -> Result<Self, String> {
        copy_dir(&crate_dir.join("src"), &to.join("src"))?;
        copy_dir(&crate_dir.join("tests"), &to.join("tests"))?;
        let manifest = read(&crate_dir.join("Cargo.toml"))?;
        write(&to.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n\n[profile.dev]\ndebug = false\n"))?;
        let lock = crate_dir.join("../../Cargo.lock");
        fs::copy(&lock, to.join("Cargo.lock")).map_err(|error| format!("{}: {error}", lock.display()))?;
        Ok(Self { folder: to, patience: MOST_PATIENCE })
    }

    /// Sees that the tests pass without a mutation, and how long a mutant's may take at most.
    fn measure(&mut self) -> Result<(), String> {
        match self.test()? {
            Outcome::Survived => {}
            Outcome::Killed(by) | Outcome::Broken(by) | Outcome::Noticed(_, by) => {
                return Err(format!("the tests fail without any mutation: {by}"));
            }
        }
        // Once more: the first time was the build's as well.
        let began = Instant::now();
        self.cargo(self.patience, &[])?;
        self.patience = (began.elapsed() * SLOWER).clamp(LEAST_PATIENCE, MOST_PATIENCE);
        Ok(())
    }

    /// Another one, with what is built already.
    fn again(&self, to: PathBuf) -> Result<Self, String> {
        let status = Command::new("cp").arg("-a").arg(&self.folder).arg(&to).status();
        match status {
            Ok(status) if status.success() => Ok(Self { folder: to, ..*self }),
            Ok(status) => Err(format!("cp: {status}")),
            Err(error) => Err(format!("cp: {error}")),
        }
    }

    fn try_mutant(&self, mutant: &Mutant) -> Result<Outcome, String> {
        let path = self.folder.join("src").join(&mutant.file);
        let text = read(&path)?;
        write(&path, &mutant.applied(&text)?)?;
        let outcome = self.test();
        write(&path, &text)?;
        outcome
    }

    fn test(&self) -> Result<Outcome, String> {
        let built = self.cargo(BUILD_PATIENCE, &["--no-run"])?;
        if built.status.code() == Some(TIMED_OUT) {
            return Ok(Outcome::Broken(format!("it isn't built within {BUILD_PATIENCE:?}")));
        }
        if !built.status.success() {
            let text = String::from_utf8_lossy(&built.stderr);
            let error = text.lines().find(|line| line.starts_with("error")).unwrap_or("it doesn't compile");
            return Ok(Outcome::Broken(error.to_owned()));
        }
        let tested = self.cargo(self.patience, &[])?;
        let log = String::from_utf8_lossy(&tested.stdout);
        Ok(match tested.status.code() {
            Some(0) => Outcome::Survived,
            // Of tests that don't end the harness says nothing, also not of others that failed.
            Some(TIMED_OUT) => Outcome::Noticed(Otherwise::NeverEnds, format!("not within {:.0?}", self.patience)),
            Some(_) | None => match summary(&log) {
                Some(by) => Outcome::Killed(by),
                None => Outcome::Noticed(Otherwise::Crashes, first_panic(&log)),
            },
        })
    }

    /// `timeout` makes a group of cargo and the test binary below it and ends both.
    fn cargo(&self, patience: Duration, more: &[&str]) -> Result<Output, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new("timeout");
        command.arg("--kill-after=5").arg(patience.as_secs().to_string());
        command.args([&cargo, "test", "--offline", "--test", "engine"]);
        command.args(more).current_dir(&self.folder);
        command.env("CARGO_TARGET_DIR", self.folder.join("target")).env("BAREPOD_PROPERTY_EVENTS", EVENTS);
        command.env("BAREPOD_PROPERTY_SEED", SEED);
        command.env("RUST_BACKTRACE", "0").env("RUSTFLAGS", "-Awarnings");
        command.output().map_err(|error| format!("cargo: {error}"))
    }
}

/// How a panic begins that nobody asserted: the language and its library give up.
const CRASHES: &[&str] = &[
    "attempt to ",
    "index out of bounds",
    "called `",
    "range ",
    "slice index",
    "internal error",
    "already ",
    "mid > len",
    "removal index",
    "insertion index",
    "swap_remove index",
    "capacity overflow",
];

/// Which tests failed by an assertion; `None` where none did.
fn summary(log: &str) -> Option<String> {
    // `---- test stdout ----`, and then what it printed; `thread 'test' panicked at FILE:`, and then why.
    let sections = log.split("\n---- ").skip(1);
    let failed: Vec<&str> = sections
        .filter_map(|section| {
            let (test, printed) = section.split_once(" stdout ----")?;
            // What a test unwraps it asserts.
            let asserted = panics(printed)
                .any(|(place, why)| !CRASHES.iter().any(|crash| why.starts_with(crash)) || place.starts_with("tests/"));
            asserted.then_some(test)
        })
        .collect();
    match failed.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        [one, rest @ ..] => Some(format!("{one} and {} more", rest.len())),
    }
}

/// Where, and why.
fn panics(printed: &str) -> impl Iterator<Item = (&str, &str)> {
    printed.split(" panicked at ").skip(1).filter_map(|panic| panic.split_once(":\n"))
}

fn first_panic(log: &str) -> String {
    let first = panics(log).next().map(|(place, why)| format!("{place}: {}", why.lines().next().unwrap_or_default()));
    first.unwrap_or_else(|| "the tests abort".into())
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
