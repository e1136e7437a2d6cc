//! Programs that draw on the whole terminal: what a person at it would see.

use std::time::Instant;

use rustix::termios::tcgetattr;

use super::terminals::Terminal;
use super::{finish, idle, ran};
use crate::harness::{Case, patience};

/// What a terminal shows, as far as vi needs one. A line beyond the right margin goes on in the next row, and the last row
/// scrolls: what is drawn for another size looks wrong here as well.
struct Screen {
    rows: Vec<Vec<char>>,
    columns: usize,
    at: (usize, usize),
    /// A sequence that has begun.
    begun: Vec<u8>,
}

impl Screen {
    fn new(rows: usize, columns: usize) -> Self {
        Self { rows: vec![vec![' '; columns]; rows], columns, at: (0, 0), begun: Vec::new() }
    }

    fn text(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
    }

    fn next_row(&mut self) {
        if self.at.0 + 1 == self.rows.len() {
            self.rows.remove(0);
            self.rows.push(vec![' '; self.columns]);
        } else {
            self.at.0 += 1;
        }
    }

    fn feed(&mut self, byte: u8) {
        match (self.begun.as_slice(), byte) {
            ([], 0x1b) | ([0x1b], b'[') => self.begun.push(byte),
            ([], b'\r') => self.at.1 = 0,
            ([], b'\n') => self.next_row(),
            ([], b' '..=b'~') => {
                if self.at.1 == self.columns {
                    self.next_row();
                    self.at.1 = 0;
                }
                self.rows[self.at.0][self.at.1] = byte.into();
                self.at.1 += 1;
            }
            // Bells and the like.
            ([], _) => {}
            ([0x1b, b'[', ..], b'@'..=b'~') => {
                let arguments = String::from_utf8(self.begun.split_off(2)).unwrap();
                self.begun.clear();
                self.obey(&arguments, byte);
            }
            ([0x1b, b'[', ..], _) => self.begun.push(byte),
            // Of two bytes.
            (_, _) => self.begun.clear(),
        }
    }

    /// Control sequences as in ECMA-48.
    fn obey(&mut self, arguments: &str, sequence: u8) {
        let (row, column) = self.at;
        match sequence {
            b'H' => {
                let numbers: Vec<usize> = arguments.split(';').map(|one| one.parse().unwrap_or(1)).collect();
                let place = |at: usize, size: usize| numbers.get(at).copied().unwrap_or(1).clamp(1, size) - 1;
                self.at = (place(0, self.rows.len()), place(1, self.columns));
            }
            b'K' => self.rows[row][column..].fill(' '),
            b'J' => {
                self.rows[row][column..].fill(' ');
                self.rows[row + 1..].iter_mut().for_each(|row| row.fill(' '));
            }
            // Colours and modes, and a question where the cursor is.
            b'm' | b'h' | b'l' | b'n' => {}
            other => panic!("ESC [ {arguments} {}", char::from(other)),
        }
    }

    /// Reads until the screen is as it is to be.
    #[track_caller]
    fn shows(&mut self, at: &mut Terminal, wanted: &[String]) {
        let end = Instant::now() + patience();
        while self.text() != wanted {
            let more = at.reads(end);
            assert!(!more.is_empty(), "it shows {:#?}, and not {wanted:#?}", self.text());
            more.bytes().for_each(|byte| self.feed(byte));
        }
    }
}

/// Line `number` of the text that is edited; longer than any terminal here is wide.
fn line(number: usize) -> String {
    format!("{number:03} {}", "abcdefghij".repeat(12))
}

/// vi's picture of the text's lines from `first` on, which are a hundred.
fn picture(first: usize, rows: usize, columns: usize, below: &str) -> Vec<String> {
    let lines = (first..first + rows - 1).map(|number| match number {
        1..=100 => line(number)[..columns].to_owned(),
        _ => "~".to_owned(),
    });
    lines.chain([below.to_owned()]).collect()
}

/// It draws to the terminal's size, and anew when that changes or when the shell has it back from the background; what it
/// has done to the terminal's modes is undone.
#[test]
fn an_editor() {
    let Some(case) = Case::new("exec-vi") else { return };
    let mut run = idle(&case);
    let text: String = (1..=100).map(|number| line(number) + "\n").collect();
    let write = format!("cat > /tmp/text <<END\n{text}END");
    assert_eq!(ran(&case, &[case.name()], &["sh", "-c", &write]).0, Some(0));
    let mut at = Terminal::begin_sized(&case, (24, 80), &["-it", case.name()], &["sh"]);
    let before = tcgetattr(&at.slave).unwrap();
    at.types("stty -g > /tmp/modes; vi /tmp/text\n");
    // Behind the shell's line, and what comes with its prompt.
    at.shows("\x1b[?1049h");
    let first = "- /tmp/text 1/100 1%";
    Screen::new(24, 80).shows(&mut at, &picture(1, 24, 80, first));
    at.resize(10, 40);
    let mut screen = Screen::new(10, 40);
    screen.shows(&mut at, &picture(1, 10, 40, first));
    at.types("\x1a");
    at.shows("Stopped");
    at.types("fg\n");
    at.shows("fg\r\n");
    screen = Screen::new(10, 40);
    screen.shows(&mut at, &picture(1, 10, 40, first));
    at.types("G");
    screen.shows(&mut at, &picture(96, 10, 40, "- /tmp/text 100/100 100%"));
    at.types("dd:wq\n");
    at.shows("\x1b[?1049l");
    at.types("[ \"$(stty -g)\" = \"$(cat /tmp/modes)\" ] && echo same-$((1+1)); wc -l < /tmp/text; exit 6\n");
    at.shows("same-2");
    at.shows("99\r\n");
    assert_eq!(at.end(&before), Some(6));
    finish(&mut run);
    case.nothing_left();
}
