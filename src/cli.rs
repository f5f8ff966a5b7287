//! The commands: what is typed, and what each of them does.

pub mod cat;
mod check;
mod complete;
mod doctor;
mod ending;
mod explain;
mod guess;
mod learn;
mod list;
mod live;
mod metrics;
mod monitor;
mod options;
mod pull;
mod retry;
mod run;
mod status;
mod timeline;
mod wait;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use tracing::Level;

use crate::attempt::{self, AttemptError};
use crate::config::{self, ConfigError, Environment, GateRequest, Loaded, SaveError};
use crate::driver::Failure;
use crate::escape::{escape, escape_bytes};
use crate::kernel_line::KernelLine;
use crate::netlink::{ObserveError, RECEIVE_BUFFER};
use crate::notify::NotifyError;
use crate::proc_cmdline;
use crate::ready_fd::ReadyFdError;
use crate::requirement::Gate;
use crate::sibling;
use ending::{PATIENCE, complain, last_words, leave};
use options::GateOptions;

/// Waits until this host's network is ready, and says what is missing
#[derive(Debug, Parser)]
#[command(name = "netready", version, max_term_width = 100, disable_help_subcommand = false)]
#[command(
    after_help = "Without a command, netready runs check. Exit codes: 0 ready or done, 1 not ready or given up, \
    2 usage or configuration error, 3 the kernel's state cannot be observed, 4 the output cannot be written or one of \
    netready's own programs is missing. See netready(1) and netready.toml(5)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Evaluate a gate once, print what is met and what is missing, and exit
    Check(CheckOnceArgs),
    /// Wait until a gate is ready, then exit 0 or replace itself with CMD
    ///
    /// On a terminal, a live line shows what is missing, how long netready has waited, and how much time is left.
    Wait(WaitArgs),
    /// Print each change of a gate's requirements, its time, and its effect on the verdict
    Monitor(CheckArgs),
    /// Print a gate's file and drop-ins with their paths; given options, print the equivalent gate file
    Cat(CatArgs),
    #[command(flatten)]
    Apart(Apart),
    /// Keep a gate for a Type=notify unit: send READY=1 when the gate is ready, then watch it
    ///
    /// STATUS= always shows the present state. SIGHUP reads the gate file again. SIGUSR1 opens a gate that is shut.
    /// `netready.open` on the kernel command line opens the gate at once.
    Run(RunArgs),
}

/// The commands of `netready-tools`, which is a separate program: people run them by hand, or they wait for another
/// command. A daemon that runs for years should not have their code in memory.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Apart {
    /// Say what would break at the next boot, what this boot broke, and what to do
    ///
    /// As root, it examines the system and each user who has linger. As another user, it examines that user's side.
    /// Without --fix it changes nothing.
    Doctor(doctor::DoctorArgs),
    /// Print a gate file that requires what this host has now
    ///
    /// Run it while the network works. If the network does not work, it prints no gate file and the exit code is 1. The
    /// file leaves out leases, temporary addresses and links that software creates.
    Learn(learn::LearnArgs),
    /// Show when each link, address, route and requirement came in a boot, and what the gate waited for longest
    ///
    /// It reads this boot from the record that `run` keeps, and earlier boots from the journal.
    Timeline(timeline::TimelineArgs),
    /// Run CMD, and run it again after a temporary failure, with growing delays
    ///
    /// It starts no attempt while the gate is shut. When the network improves, it starts the next attempt at once.
    Retry(retry::RetryArgs),
    /// Pull an image if it is not on this host, and try again after a temporary failure
    Pull(pull::PullArgs),
    /// Show the gates that netready keeps now for the system and for this user: their state and what is missing
    ///
    /// The exit code is 0 if each gate is ready, 1 if one is not ready or not kept, and 3 if this user may not see one.
    Status(status::StatusArgs),
    /// List every gate that you can name, and the files that it comes from
    List(list::ListArgs),
    /// Print the state of the gates as Prometheus text
    Metrics,
    /// Say in whole sentences what a gate waits for, how long, and what happens then
    ///
    /// Each sentence names its key, and the line of the gate file or the option in which it is written. explain does
    /// not look at the network.
    Explain(explain::ExplainArgs),
    /// Print what a shell offers for the word that is being typed; the shells' completion scripts call it
    #[command(hide = true)]
    Complete(complete::CompleteArgs),
}

#[derive(Debug, Default, Args)]
#[command(mut_arg("quiet", without_live_line))]
struct CheckArgs {
    #[command(flatten)]
    gate: GateOptions,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Default, Args)]
struct CheckOnceArgs {
    #[command(flatten)]
    gate: GateOptions,
    /// Print one JSON object on stdout
    #[arg(short, long)]
    json: bool,
    /// Print no table and no warning; the exit code is the verdict
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Also print the line of the gate file, or the option, that asks for each requirement
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    tuning: Tuning,
    /// Ask no other host: probes are reported as skipped and do not count
    #[arg(long)]
    no_probes: bool,
}

#[derive(Debug, Default, Args)]
struct WaitArgs {
    #[command(flatten)]
    gate: GateOptions,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    tuning: Tuning,
    /// The command to run in place of netready when the gate is ready
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Args)]
struct CatArgs {
    #[command(flatten)]
    gate: GateOptions,
}

#[derive(Debug, Default, Args)]
#[command(mut_arg("quiet", without_live_line))]
struct RunArgs {
    #[command(flatten)]
    gate: GateOptions,
    /// Write a newline to descriptor N and close it when the gate opens, for s6, dinit and OpenRC
    ///
    /// The service manager opens the descriptor. N is at least 3.
    #[arg(long, value_name = "N", value_parser = whole_number(0, i32::MAX), overrides_with = "ready_fd")]
    ready_fd: Option<i32>,
    /// Write the state of the gate to this file, for the textfile collector of node_exporter
    ///
    /// netready writes it when the gate opens and when its state changes. The folder must belong to the user of this
    /// process, and nobody else may be able to write there.
    #[arg(long, value_name = "PATH.prom", value_hint = ValueHint::FilePath)]
    textfile: Option<PathBuf>,
    #[command(flatten)]
    volume: Volume,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Default, Args)]
struct Output {
    /// Print JSON on stdout, one object per line
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    volume: Volume,
}

#[derive(Debug, Default, Args)]
struct Volume {
    /// Print only errors on stderr, and no live line on a terminal
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print details on stderr
    #[arg(short, long)]
    verbose: bool,
}

/// The help of `--quiet` for the commands that never show a live line.
fn without_live_line(quiet: Arg) -> Arg {
    quiet.help("Print only errors on stderr")
}

impl Volume {
    fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::ERROR,
            (false, true) => Level::DEBUG,
            (false, false) => Level::INFO,
        }
    }
}

#[derive(Debug, Args)]
struct Tuning {
    /// The size of the netlink receive buffer in bytes; tests use a small one to make it overrun
    #[arg(long, value_name = "BYTES", hide = true, default_value_t = RECEIVE_BUFFER)]
    receive_buffer: usize,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { receive_buffer: RECEIVE_BUFFER }
    }
}

/// Returns a parser of whole numbers in this range. Both ends are allowed. Its error says what to write.
fn whole_number<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Copy,
{
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
    }
}

/// The command line's definition, for manual pages and completions.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// What netready's own errors end with where other exit codes are those of the command it runs.
const OWN_ERROR: u8 = 125;

/// What it ends with where the output cannot be written or one of netready's own programs is missing: no verdict,
/// and no word about the network.
const OUTPUT_OR_PROGRAM: u8 = 4;

/// What it ends with where what it is asked about cannot be seen.
const UNSEEN: u8 = 3;

/// What a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The gate is ready, or the command has done its work: exit code 0.
    Done,
    /// Not ready, or given up.
    NotReady,
    /// An exit code of its own kind: 126 and 127 for a CMD that cannot be run.
    Code(u8),
    /// Die of this signal, as one that was not caught.
    Signal(i32),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Driver(#[from] Failure),
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    #[error("stdout")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    #[error("nothing was changed")]
    Fix(#[from] crate::ipam::LeaseError),
    #[error("nothing was changed: {0}")]
    Unseen(String),
    #[error("--fix asks before it changes anything, and nobody is there to ask: add --yes")]
    NobodyToAsk,
    #[error("only root can look at the system's side: sudo netready doctor")]
    NotRoot,
    #[error(transparent)]
    ReadyFd(#[from] ReadyFdError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error("{0}")]
    NoHistory(String),
    #[error("this command is in a program of its own")]
    Tools(#[source] io::Error),
    /// While a `check` shows a live line, which must be taken away before.
    #[error("ended by signal {0}")]
    Signalled(i32),
}

impl Error {
    /// 2: what was asked for; 3: what it is asked of; 4: netready itself, or where it writes to.
    fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_)
            | Error::Notify(_)
            | Error::ReadyFd(_)
            | Error::Save(_)
            | Error::NobodyToAsk
            | Error::NotRoot
            | Error::Driver(Failure::Notify(_)) => 2,
            Error::Driver(Failure::Observe(_) | Failure::Events(_))
            | Error::Observe(_)
            | Error::Runtime(_)
            | Error::Attempt(_)
            | Error::Fix(_)
            | Error::Unseen(_)
            | Error::NoHistory(_)
            | Error::Signalled(_) => UNSEEN,
            Error::Stdout(_) | Error::Driver(Failure::Closed(_)) | Error::Tools(_) => OUTPUT_OR_PROGRAM,
        }
    }

    /// The error's text, safe to print. It is one line; for a configuration it is one line for each problem.
    fn text(&self) -> String {
        let text = crate::report::chain(self);
        if matches!(self, Error::Config(_)) { text } else { escape(&text).into_owned() }
    }

    /// stdout was closed under a command that goes on until then.
    fn nobody_reads(&self) -> bool {
        matches!(self, Error::Driver(Failure::Closed(error)) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    run(hand_over)
}

/// The same, for the program that has it all. It is also the guardian of a command, under another name.
pub fn tools() -> ExitCode {
    attempt::guardian().unwrap_or_else(|| run(Apart::execute))
}

fn run(apart: fn(Apart) -> Result<Exit, Error>) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::of_a_name(&words).map_or_else(|| Cli::of_words(&words), Ok) {
        Ok(cli) => cli,
        Err(error) => {
            // The message quotes words of the command line, which need not be the caller's own.
            let safe = words.iter().map(|word| escape_bytes(word.as_bytes()).into_owned());
            let error = Cli::try_parse_from(safe).err().unwrap_or(error);
            let runs = words.get(1).is_some_and(|word| word == "retry" || word == "pull");
            let code = if runs { OWN_ERROR } else { 2 };
            if let Some(advice) = guess::advice(&error, &words) {
                complain(&advice, asks_for_json(&words));
                return ExitCode::from(code);
            }
            return usage(&error, asks_for_json(&words), code);
        }
    };
    let json = cli.command.as_ref().is_some_and(Command::json);
    let runs = cli.command.as_ref().is_some_and(Command::runs_another);
    match cli.command.unwrap_or(Command::Check(CheckOnceArgs::default())).execute(apart) {
        Ok(exit) => leave(exit),
        Err(Error::Signalled(signal)) => leave(Exit::Signal(signal)),
        Err(error) if error.nobody_reads() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.text(), json);
            ExitCode::from(if runs { OWN_ERROR } else { error.exit_code() })
        }
    }
}

impl Cli {
    /// Reads a command line with clap. A `check` or `wait` does not free the definition of the command line, because it
    /// ends soon: that would take a tenth of its own time. A `run` lives for years, so it frees the memory.
    fn of_words(words: &[OsString]) -> Result<Cli, clap::Error> {
        let mut definition = ManuallyDrop::new(Cli::command());
        let mut matches = definition.try_get_matches_from_mut(words)?;
        let cli = Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut definition))?;
        if !matches!(cli.command, Some(Command::Check(_) | Command::Wait(_))) {
            drop(ManuallyDrop::into_inner(definition));
        }
        Ok(cli)
    }

    /// Reads a command line that has no option, as units have it. It needs no definition of all commands and options,
    /// which takes a quarter of the time of a `check`. `None` is for clap to read.
    fn of_a_name(words: &[OsString]) -> Option<Cli> {
        let (command, gate) = match words.get(1..)? {
            [] => return Some(Cli { command: None }),
            [command] => (command, None),
            [command, gate] => (command, Some(gate.to_str().filter(|word| !word.starts_with('-'))?)),
            _ => return None,
        };
        let gate = GateOptions::of_a_name(gate);
        let command = match command.to_str()? {
            "check" => Command::Check(CheckOnceArgs { gate, ..CheckOnceArgs::default() }),
            "wait" => Command::Wait(WaitArgs { gate, ..WaitArgs::default() }),
            "run" => Command::Run(RunArgs { gate, ..RunArgs::default() }),
            _ => return None,
        };
        Some(Cli { command: Some(command) })
    }
}

/// What a command line means, as far as that can be said without doing anything.
#[cfg(any(test, fuzzing))]
pub(crate) fn understand(words: Vec<OsString>) {
    let words = std::iter::once("netready".into()).chain(words);
    let gate = match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Some(Command::Check(args))) => args.gate,
        Ok(Some(Command::Wait(args))) => args.gate,
        Ok(Some(Command::Monitor(args))) => args.gate,
        Ok(Some(Command::Cat(args))) => args.gate,
        Ok(Some(Command::Run(args))) => args.gate,
        Ok(Some(Command::Apart(_)) | None) => return,
        Err(error) => return drop(error.render().to_string()),
    };
    // Options alone: files are another's business.
    let loaded = gate.request().map(|request| config::of_options(&request.options));
    if let Ok(Err(error)) = loaded {
        let _ = crate::report::chain(&error);
    }
}

impl Command {
    fn execute(self, apart: fn(Apart) -> Result<Exit, Error>) -> Result<Exit, Error> {
        match self {
            Command::Check(args) => check::execute(args),
            Command::Wait(args) => wait::execute(args),
            Command::Monitor(args) => monitor::execute(args),
            Command::Run(args) => run::execute(args),
            Command::Apart(command) => apart(command),
            Command::Cat(args) => {
                let loaded = load(&args.gate.request()?)?;
                let text = cat::print(&loaded);
                print(&if io::stdout().is_terminal() { cat::for_terminal(&text) } else { text })?;
                Ok(Exit::Done)
            }
        }
    }

    fn json(&self) -> bool {
        match self {
            Command::Check(args) => args.json,
            Command::Monitor(args) => args.output.json,
            Command::Wait(args) => args.output.json,
            Command::Apart(Apart::Doctor(args)) => args.json,
            Command::Apart(Apart::Status(args)) => args.json,
            Command::Apart(Apart::List(args)) => args.json,
            Command::Apart(Apart::Timeline(args)) => args.json,
            Command::Apart(_) | Command::Cat(_) | Command::Run(_) => false,
        }
    }

    /// Whether its exit code is another command's, so that its own errors need one apart.
    fn runs_another(&self) -> bool {
        match self {
            Command::Apart(Apart::Retry(_) | Apart::Pull(_)) => true,
            Command::Apart(_)
            | Command::Check(_)
            | Command::Wait(_)
            | Command::Monitor(_)
            | Command::Cat(_)
            | Command::Run(_) => false,
        }
    }
}

impl Apart {
    fn execute(self) -> Result<Exit, Error> {
        match self {
            Apart::Doctor(args) => doctor::execute(&args),
            Apart::Learn(args) => learn::execute(&args),
            Apart::Timeline(args) => timeline::execute(&args),
            Apart::Retry(args) => retry::execute(args),
            Apart::Pull(args) => pull::execute(args),
            Apart::Status(args) => status::execute(args),
            Apart::List(args) => list::execute(&args),
            Apart::Metrics => metrics::execute(),
            Apart::Explain(args) => explain::execute(args),
            Apart::Complete(args) => complete::execute(&args),
        }
    }
}

/// Becomes the program that has this command; the same process, so units and shells see no difference.
fn hand_over(_: Apart) -> Result<Exit, Error> {
    let path = sibling::path(sibling::TOOLS).map_err(Error::Tools)?;
    let mut words = std::env::args_os();
    let mut command = process::Command::new(&path);
    command.arg0(words.next().unwrap_or_else(|| "netready".into())).args(words);
    Err(Error::Tools(sibling::does_not_run(&path, &command.exec())))
}

/// clap's own errors, help and version among them.
fn usage(error: &clap::Error, json: bool, code: u8) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !asked_for {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        complain(first.trim_start_matches("error: "), true);
    } else if asked_for {
        if let Err(error) = print(&error.render().ansi().to_string()) {
            complain(&error.text(), false);
            return ExitCode::from(error.exit_code());
        }
    } else {
        // Where nobody can be told, the exit code still says it.
        let _ = error.print();
    }
    ExitCode::from(if asked_for { 0 } else { code })
}

/// For a command line that does not parse: whether it asks for JSON.
fn asks_for_json(words: &[OsString]) -> bool {
    let options = words.iter().skip(1).take_while(|word| *word != "--");
    options.filter_map(|word| word.to_str()).any(|word| {
        let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        word == "--json" || short.is_some_and(|letters| letters.starts_with('j') || letters.ends_with('j'))
    })
}

fn load(request: &GateRequest) -> Result<Loaded, ConfigError> {
    config::load(request, &Environment::from_process(), &LinksOfHost)
}

/// The links of this host, and the command that this process was started with.
struct LinksOfHost;

impl config::KnownLinks for LinksOfHost {
    fn command(&self) -> &str {
        let word = std::env::args_os().nth(1);
        let mut typed = ["wait", "run", "monitor", "cat", "explain"].into_iter();
        typed.find(|command| word.as_ref().is_some_and(|word| word == command)).unwrap_or("check")
    }

    fn has(&self, name: &str) -> bool {
        // The kernel passes over a colon and what follows it, which was an alias of a link once.
        !name.contains(':') && nix::net::if_::if_nametoindex(name).is_ok()
    }

    fn names(&self) -> Vec<String> {
        let links = nix::net::if_::if_nameindex();
        let names = links.iter().flat_map(|links| links.iter().map(|link| link.name().to_string_lossy()));
        names.map(Into::into).collect()
    }
}

/// Reads what the kernel command line says to gates, and warns of what is not understood.
fn kernel_line() -> KernelLine {
    let (line, problems) = proc_cmdline::read();
    for problem in problems {
        tracing::warn!("{problem}");
    }
    line
}

/// A gate as it is waited for in this boot.
fn load_forced(request: &GateRequest, line: &KernelLine) -> Result<Gate, ConfigError> {
    Ok(line.force(load(request)?.gate))
}

/// One thread: a gate has one thing to do at a time, and starts in less than a millisecond.
fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    // Never shut down: the process ends after it.
    ManuallyDrop::new(runtime.map_err(Error::Runtime)?).block_on(future)
}

/// Prints to stdout. Where it is closed, whoever read it has enough, which is no failure.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Colours of the terminal; taken out again where stdout is none.
fn paint(tone: crate::report::Tone, word: &str) -> String {
    let code = match tone {
        crate::report::Tone::Good => 32,
        crate::report::Tone::Bad => 31,
        crate::report::Tone::Dim => 2,
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        std::iter::once("netready").chain(line.iter().copied()).map(OsString::from).collect()
    }

    #[test]
    fn only_commands_with_a_live_line_mention_it() {
        let mut definition = Cli::command();
        let mut help = |command: &str| {
            let command = definition.find_subcommand_mut(command).unwrap();
            command.render_long_help().to_string()
        };
        for command in ["wait", "retry", "pull"] {
            assert!(help(command).contains("live line"), "{command}");
        }
        for command in ["run", "monitor"] {
            let help = help(command);
            assert!(help.contains("Print only errors on stderr") && !help.contains("live line"), "{help}");
        }
    }

    #[test]
    fn a_wrong_number_is_answered_with_what_to_write() {
        let octet = whole_number(0, u8::MAX);
        assert_eq!((octet("0"), octet("255")), (Ok(0), Ok(255)));
        for wrong in ["", "x", "-1", "256", "1.5"] {
            assert_eq!(octet(wrong), Err("write a whole number from 0 to 255".to_owned()), "{wrong}");
        }
        assert_eq!(whole_number(1, 9)("0"), Err("write a whole number from 1 to 9".to_owned()));
        for (line, range) in [
            (&["pull", "--retries", "x", "image"][..], "0 to 4294967295"),
            (&["retry", "--retry-on-exit", "1,x", "--", "true"], "0 to 255"),
            (&["retry", "--fatal-exit", "256", "--", "true"], "0 to 255"),
            (&["run", "--ready-fd", "x"], "0 to 2147483647"),
            (&["timeline", "--last", "0"], "1 to 4294967295"),
            (&["timeline", "--run", "x"], "1 to 4294967295"),
        ] {
            let error = Cli::try_parse_from(words(line)).unwrap_err().to_string();
            assert!(error.contains(&format!(": write a whole number from {range}\n")), "{error}");
        }
    }

    #[test]
    fn a_command_line_without_options_says_what_clap_reads_in_it() {
        for line in [
            &[][..],
            &["check"],
            &["wait"],
            &["run"],
            &["check", "uplink"],
            &["wait", "./a gate.toml"],
            &["run", ""],
            &["check", "help"],
        ] {
            let words = words(line);
            let by_clap = Cli::try_parse_from(&words).unwrap();
            assert_eq!(format!("{:?}", Cli::of_a_name(&words).unwrap()), format!("{by_clap:?}"), "{line:?}");
        }
        for line in [
            &["check", "-4"][..],
            &["check", "--help"],
            &["check", "-"],
            &["check", "--"],
            &["wait", "a", "b"],
            &["help"],
            &["-V"],
            &["monitor"],
            &["status"],
            &["uplink"],
        ] {
            assert!(Cli::of_a_name(&words(line)).is_none(), "{line:?}");
        }
    }
}
