//! The argument GATE and the options that run, wait, check, monitor and cat share.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::keys::{self, CommandLineOption, Heading, Key};
use crate::config::{ConfigError, GateRequest, Options, Problem, printable};

// The gate, and the requirements in addition to it or instead of it. (This is no doc comment, because clap would
// print it instead of each command's own.)
#[derive(Debug, Clone, Default, Args)]
pub struct GateOptions {
    /// The name of a gate, or a gate file if it contains a slash [default: default]
    ///
    /// Without a GATE, requirement options form a gate of their own. With a GATE, they are added to that gate.
    #[arg(value_name = "GATE")]
    gate: Option<String>,

    // Only one GATE is allowed. An unquoted glob leaves further words behind; they get a helpful message.
    #[arg(hide = true)]
    left_over: Vec<String>,

    #[command(flatten)]
    requirements: RequirementOptions,
}

// For retry and pull, whose other words are a command or an image.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedGateOptions {
    /// Wait for this gate: a name, a gate file if it contains a slash, or none [default: default]
    ///
    /// Without --gate, requirement options form a gate of their own. With --gate, they are added to that gate.
    #[arg(long, value_name = "GATE", help_heading = Heading::What.text(), overrides_with = "gate")]
    gate: Option<String>,

    #[command(flatten)]
    requirements: RequirementOptions,
}

// The options of the table of keys: what is required in addition to a gate or instead of it, and how long to wait.
#[derive(Debug, Clone, Default)]
struct RequirementOptions(Options);

impl Args for RequirementOptions {
    fn augment_args(command: Command) -> Command {
        command.args(keys::options().map(|(key, option)| argument(key, option)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        RequirementOptions::augment_args(command)
    }
}

impl FromArgMatches for RequirementOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<RequirementOptions, clap::Error> {
        let mut options = Options::default();
        for (_, option) in keys::options() {
            let values: Vec<String> = match option.value_name {
                Some(_) => matches.get_many(option.long).into_iter().flatten().cloned().collect(),
                None => matches.get_flag(option.long).then(|| "true".to_owned()).into_iter().collect(),
            };
            options.set(option, values);
        }
        Ok(RequirementOptions(options))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = RequirementOptions::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Makes a clap argument from an option. If an option with a single value is repeated, the last value counts.
fn argument(key: &Key, option: &'static CommandLineOption) -> Arg {
    let action = match option.value_name {
        None => ArgAction::SetTrue,
        Some(_) if key.takes.is_list() => ArgAction::Append,
        Some(_) => ArgAction::Set,
    };
    let mut arg = Arg::new(option.long)
        .long(option.long)
        .action(action)
        .help_heading(option.heading.text())
        .help(option.help);
    if let Some(short) = option.short {
        arg = arg.short(short);
    }
    if let Some(name) = option.value_name {
        arg = arg.value_name(name);
    }
    if !option.details.is_empty() {
        arg = arg.long_help(format!("{}\n\n{}", option.help, option.details));
    }
    if key.takes.is_list() && option.value_name.is_some() { arg } else { arg.overrides_with(option.long) }
}

impl GateOptions {
    /// Makes the options of a command line that has only the name of a gate.
    pub fn of_a_name(gate: Option<&str>) -> GateOptions {
        GateOptions { gate: gate.map(str::to_owned), ..GateOptions::default() }
    }

    /// Returns the request. Fails if there is more than one GATE.
    pub fn request(self) -> Result<GateRequest, ConfigError> {
        if let Some(first) = self.gate.as_ref().filter(|_| !self.left_over.is_empty()) {
            return Err(left_over(first, &self.left_over, self.requirements.0.values(&keys::INTERFACE)));
        }
        Ok(GateRequest { gate: self.gate, options: self.requirements.0 })
    }

    /// Returns the request of `wait`, which takes a command after `--`. `is_gate` says whether a gate has this
    /// name.
    pub fn request_before_command(
        self,
        is_gate: impl FnOnce(&str) -> bool,
    ) -> Result<GateRequest, ConfigError> {
        let Some(first) = self.gate.clone().filter(|_| !self.left_over.is_empty()) else {
            return self.request();
        };
        let mut typed = vec!["netready wait".to_owned(), self.requirements.0.as_typed()];
        let (before, after) = match is_gate(&first) {
            true => (Some(first), None),
            false => (None, Some(first)),
        };
        typed.extend(before);
        typed.push("--".to_owned());
        typed.extend(after);
        typed.extend(self.left_over.iter().cloned());
        typed.retain(|word| !word.is_empty());
        self.request().map_err(|mut error| {
            for problem in &mut error.problems {
                let typed = printable(&typed.join(" "));
                problem.message.push_str(&format!("; for a command, did you mean: {typed}"));
            }
            error
        })
    }
}

impl NamedGateOptions {
    /// Returns the request. `None` means `--gate none`: wait for nothing.
    pub fn request(&self) -> Option<GateRequest> {
        let options = self.requirements.0.clone();
        let none = self.gate.as_deref() == Some("none");
        match none && !options.require_something() {
            true => None,
            false => Some(GateRequest { gate: self.gate.clone().filter(|_| !none), options }),
        }
    }
}

/// Returns the message about more than one GATE. Probably the shell has replaced a glob by several names.
fn left_over(first: &str, more: &[String], interface: &[String]) -> ConfigError {
    let names: Vec<&str> = interface
        .last()
        .into_iter()
        .map(String::as_str)
        .chain([first])
        .chain(more.iter().map(String::as_str))
        .collect();
    let glob = format!("{}*", common_start(&names));
    // `check *` gives all names of a folder. Show only a few of them.
    let few = |words: &[&str], separator: &str| {
        let rest = if words.len() > 4 { " …" } else { "" };
        format!("{}{rest}", words.get(..4).unwrap_or(words).join(separator))
    };
    let words: Vec<&str> = std::iter::once(first).chain(more.iter().map(String::as_str)).collect();
    ConfigError::from(Problem {
        origin: "command line".to_owned(),
        line: None,
        message: format!(
            "one GATE at most, but here are {} words ({}); for links, quote the glob: -i '{glob}', \
             or name each: -i {}",
            words.len(),
            few(&words, " "),
            few(&names, " -i ")
        ),
    })
}

fn common_start<'a>(names: &[&'a str]) -> &'a str {
    let Some((first, others)) = names.split_first() else {
        return "";
    };
    let mut start = *first;
    while !others.iter().all(|name| name.starts_with(start)) {
        let mut chars = start.chars();
        chars.next_back();
        start = chars.as_str();
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        gate: GateOptions,
    }

    fn request(args: &str) -> Result<GateRequest, String> {
        let args = std::iter::once("netready").chain(args.split_whitespace());
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        cli.gate.request().map_err(|error| error.to_string())
    }

    #[test]
    fn definitions_are_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    /// One case a line: options, and other options with the same meaning.
    #[test]
    fn every_option_is_taken_and_may_be_repeated() {
        for (args, same) in [
            ("", ""),
            ("-i va0 --interface va*", "--interface va0 --interface va*"),
            ("-4 -6 -4", "--ipv4 --ipv6"),
            ("--ipv4", "-4"),
            ("-a ip --address ipv6", "--address ip --address ipv6"),
            ("-r default --route 10.0.0.0/8", "--route default --route 10.0.0.0/8"),
            ("--table 1 --table 2", "--table 2"),
            ("--route-to ::1 --route-to ::2", "--route-to ::1 --route-to ::2"),
            ("--from ::1 --from ::2", "--from ::2"),
            ("--any --any", "--any"),
            ("--quorum 1 --quorum 2", "--quorum 2"),
            ("--nameserver --nameserver", "--nameserver"),
            ("-t 1s --timeout 2s", "--timeout 2s"),
            ("--no-carrier-timeout 1 --no-carrier-timeout 2", "--no-carrier-timeout 2"),
            ("--settle 1 --settle 2", "--settle 2"),
        ] {
            taken(args, same);
        }
        // Check every row of the table, not only those above.
        for (key, option) in keys::options() {
            let long = option.typed();
            let one = option.value_name.map_or(String::new(), |_| " a".to_owned());
            let other = option.value_name.map_or(String::new(), |_| " b".to_owned());
            let is_list = option.value_name.is_some() && key.takes.is_list();
            let both = format!("{long}{one} {long}{other}");
            taken(&both, &if is_list { both.clone() } else { format!("{long}{other}") });
            if let Some(short) = option.short {
                taken(&format!("-{short}{one}"), &format!("{long}{one}"));
            }
        }
    }

    #[test]
    fn the_message_about_a_command_without_dashes_names_them() {
        for (args, said) in [
            ("echo hi", "did you mean: netready wait -- echo hi"),
            ("lab echo hi", "did you mean: netready wait lab -- echo hi"),
            ("-a ipv4 echo hi", "did you mean: netready wait -a ipv4 -- echo hi"),
        ] {
            let line = std::iter::once("netready").chain(args.split(' '));
            let options = Cli::try_parse_from(line).unwrap().gate;
            let error = options.request_before_command(|name| name == "lab").unwrap_err().to_string();
            assert!(error.ends_with(said), "{error}");
        }
    }

    #[track_caller]
    fn taken(args: &str, same: &str) {
        let options = netready_core::testing::options(same);
        assert_eq!(request(args), Ok(GateRequest { gate: None, options: options.clone() }), "{args}");
        let with_gate = GateRequest { gate: Some("uplink".to_owned()), options };
        assert_eq!(request(&format!("{args} uplink")), Ok(with_gate.clone()), "{args}");
        assert_eq!(request(&format!("uplink {args}")), Ok(with_gate), "{args}");
    }

    #[test]
    fn words_left_over_are_explained() {
        for (args, said) in [
            (
                "va0 va1",
                "command line: one GATE at most, but here are 2 words (va0 va1); for links, quote the glob: -i 'va*', or name each: -i va0 -i va1",
            ),
            (
                "-i va0 va1 va2",
                "command line: one GATE at most, but here are 2 words (va1 va2); for links, quote the glob: -i 'va*', or name each: -i va0 -i va1 -i va2",
            ),
            (
                "a1 a2 a3 a4 a5",
                "command line: one GATE at most, but here are 5 words (a1 a2 a3 a4 …); for links, quote the glob: -i 'a*', or name each: -i a1 -i a2 -i a3 -i a4 …",
            ),
            (
                "eth0 wlan0",
                "command line: one GATE at most, but here are 2 words (eth0 wlan0); for links, quote the glob: -i '*', or name each: -i eth0 -i wlan0",
            ),
        ] {
            assert_eq!(request(args), Err(said.to_owned()));
        }
    }
}
