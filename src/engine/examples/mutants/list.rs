//! The list of mutants, tests/mutants.txt, whose head says how it is written.

/// One way to break the engine.
pub struct Mutant {
    pub name: String,
    pub quick: bool,
    /// How it is noticed where no assertion can.
    pub expected: Option<Otherwise>,
    pub file: String,
    from: String,
    to: String,
}

impl Mutant {
    /// `text` of its file with the mutation, or why there is none.
    pub fn applied(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.from).count() {
            1 if !self.from.is_empty() => Ok(text.replacen(&self.from, &self.to, 1)),
            count => Err(format!("its text is {count} times in {}", self.file)),
        }
    }
}

/// How one is noticed where no assertion can.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    NeverEnds,
    Crashes,
}

impl Otherwise {
    /// As in the list.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeverEnds => "never-ends",
            Self::Crashes => "crashes",
        }
    }
}

/// The list, or which line of it is wrong.
pub fn parse(text: &str) -> Result<Vec<Mutant>, String> {
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
            let (mut quick, mut expected) = (false, None);
            for word in words {
                match word {
                    "quick" => quick = true,
                    "never-ends" => expected = Some(Otherwise::NeverEnds),
                    "crashes" => expected = Some(Otherwise::Crashes),
                    _ => return Err(wrong("neither quick, never-ends nor crashes")),
                }
            }
            mutants.push(Mutant { name, quick, expected, file: String::new(), from: String::new(), to: String::new() });
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
