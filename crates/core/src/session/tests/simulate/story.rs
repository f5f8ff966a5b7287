//! Stories: what happens, in words, and made by chance.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::truth::WISHES;
use crate::testing::operations::OPERATIONS;

/// splitmix64: a story is its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Somebody does something on the host.
    Operation(String),
    /// The kernel does so many pieces of the work in hand.
    Kernel(u64),
    /// The session takes so many inputs.
    Session(u64),
    /// The session is woken, for whatever reason.
    Wake,
    /// So many milliseconds pass. Nobody is woken: a timer may be late.
    Pass(u64),
    /// So many milliseconds pass, and netready is woken in time for all that its timers and the kernel's do.
    Quiet(u64),
    /// Time passes, and a timer may be late, until the end of a route is so many milliseconds away.
    NearEnd(u64),
    /// The receive buffer overruns; so many messages are left in it.
    Overrun(u64),
    /// The next message cannot be decoded.
    Garble,
    /// The read that is under way is interrupted by changes, again and again.
    Interrupt,
    /// The read that is under way fails.
    Fail,
    /// Another gate is loaded.
    Reload(u64),
    /// The server of the probe answers from now on, or does not.
    Server(bool),
    /// A try of a probe comes to its end.
    Answer,
}

/// Makes a step of its number.
type Make = fn(u64) -> Step;

/// What each step is called, with its number in place of `#`.
const WORDS: &[(&str, Make)] = &[
    ("the kernel does # pieces of its work", Step::Kernel),
    ("netready takes # inputs", Step::Session),
    ("netready is woken", |_| Step::Wake),
    ("# ms pass", Step::Pass),
    ("# ms pass, and netready keeps up", Step::Quiet),
    ("a route has # ms left", Step::NearEnd),
    ("all but # messages are lost", Step::Overrun),
    ("a message cannot be decoded", |_| Step::Garble),
    ("the read is interrupted", |_| Step::Interrupt),
    ("the read fails", |_| Step::Fail),
    ("gate # is loaded", Step::Reload),
    ("the server answers", |_| Step::Server(true)),
    ("the server is silent", |_| Step::Server(false)),
    ("a try of the probe ends", |_| Step::Answer),
];

impl Step {
    fn number(&self) -> u64 {
        match self {
            Step::Kernel(n)
            | Step::Session(n)
            | Step::Pass(n)
            | Step::Quiet(n)
            | Step::NearEnd(n)
            | Step::Overrun(n)
            | Step::Reload(n) => *n,
            Step::Operation(_)
            | Step::Wake
            | Step::Garble
            | Step::Interrupt
            | Step::Fail
            | Step::Server(_)
            | Step::Answer => 0,
        }
    }

    /// The same step with a smaller number, where it has one.
    pub fn with_number(&self, number: u64) -> Option<Step> {
        let (_, make) =
            WORDS.iter().find(|(words, make)| words.contains('#') && make(self.number()) == *self)?;
        (number < self.number()).then(|| make(number))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Step::Operation(line) = self {
            return f.write_str(line);
        }
        let words = WORDS.iter().find(|(_, make)| make(self.number()) == *self).map(|(words, _)| *words);
        write!(f, "-- {}", words.unwrap_or("?").replace('#', &self.number().to_string()))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Step, String> {
        let Some(said) = line.strip_prefix("-- ") else { return Ok(Step::Operation(line.to_owned())) };
        let number = said.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0_u64);
        let is_it = |words: &&str| words.replace('#', &number.to_string()) == said;
        let found = WORDS.iter().find(|(words, _)| is_it(words));
        found.map(|(_, make)| make(number)).ok_or_else(|| format!("{line}?"))
    }
}

/// A gate, and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    pub wish: usize,
    pub settle: Duration,
    /// va0 is a real card, whose carrier is told once a second.
    pub hardware: bool,
    pub steps: Vec<Step>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let card = if self.hardware { "a card" } else { "a veth" };
        let millis = self.settle.as_millis();
        writeln!(f, "gate {}, settle {millis} ms, va0 is {card}    ({})", self.wish, WISHES[self.wish].text)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Story {
    type Err = String;

    fn from_str(text: &str) -> Result<Story, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let head = lines.next().ok_or("no story")?;
        let number = |after: &str| {
            let rest = head.split_once(after).map(|(_, rest)| rest).ok_or_else(|| format!("{head}?"))?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().map_err(|error| error.to_string())
        };
        Ok(Story {
            wish: usize::try_from(number("gate ")?).map_err(|error| error.to_string())?,
            settle: Duration::from_millis(number("settle ")?),
            hardware: head.contains("a card"),
            steps: lines.map(str::parse).collect::<Result<Vec<Step>, String>>()?,
        })
    }
}

/// Operations that only the simulated kernel knows.
const SIMULATED: &[&str] = &["duplicate 2001:db8::7"];

/// The kinds of operations that a story has: all, or a few, which then meet more often. Most stories have no
/// operations of a family that their gate does not ask for.
fn theme(random: &mut Random, wish: &str) -> Vec<&'static str> {
    const FAMILIES: [&[&str]; 2] =
        [&["ipv4", "-4 ", "192.0.2.", "198.51.100.", "203.0.113."], &["ipv6", "-6 ", "2001:db8:"]];
    let is_of = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    let strict = random.below(4) != 0;
    let left_out = FAMILIES.into_iter().filter(|words| strict && !is_of(wish, words)).collect::<Vec<_>>();
    // A gate that names no family depends on both.
    let left_out = if left_out.len() == FAMILIES.len() { Vec::new() } else { left_out };
    let few = random.below(2) == 0;
    let chosen = |random: &mut Random| !few || random.below(4) == 0;
    let all = || OPERATIONS.iter().flat_map(|kind| *kind).copied();
    let kinds = OPERATIONS.iter().filter(|_| chosen(random)).flat_map(|kind| *kind).copied();
    let lines: Vec<&str> = kinds.filter(|line| !left_out.iter().any(|words| is_of(line, words))).collect();
    if lines.is_empty() { all().collect() } else { lines }
}

impl Story {
    pub fn of_seed(seed: u64) -> Story {
        let mut random = Random::new(seed);
        let settle = match random.below(2) {
            0 => 0,
            _ => 1 + random.below(3000),
        };
        let wish = usize::try_from(random.below(WISHES.len() as u64)).unwrap();
        let hardware = random.below(2) == 0;
        let length = 4 + random.below(60);
        let lines = theme(&mut random, WISHES[wish].text);
        let steps = (0..length).map(|_| step(&mut random, &lines)).collect();
        Story { wish, settle: Duration::from_millis(settle), hardware, steps }
    }
}

fn step(random: &mut Random, lines: &[&str]) -> Step {
    match random.below(40) {
        0..=14 => {
            Step::Operation(lines[usize::try_from(random.below(lines.len() as u64)).unwrap()].to_owned())
        }
        15..=18 => Step::Kernel(1 + random.below(3)),
        19..=27 => Step::Session(1 + random.below(12)),
        28 => Step::Wake,
        29 => Step::Pass(1 + random.below(60)),
        30 => Step::NearEnd(random.below(20)),
        31 => Step::Pass(200 + random.below(3000)),
        32 => Step::Quiet(random.below(2) * random.below(4000)),
        33 => Step::Overrun(random.below(4)),
        34 => Step::Garble,
        35 => Step::Interrupt,
        36 => Step::Fail,
        37 => Step::Reload(random.below(WISHES.len() as u64)),
        38 => match random.below(30) {
            0 => Step::Operation(SIMULATED[0].to_owned()),
            n => Step::Server(n % 2 == 0),
        },
        _ => Step::Answer,
    }
}
