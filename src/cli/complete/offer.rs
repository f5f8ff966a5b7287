//! Decides what completion offers for a word.

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::config::keys::{self, Known};

/// What completion offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// These words. They need not begin with what the user has typed.
    Words(Vec<Candidate>),
    /// Names of files.
    Files,
    /// The name of the command after `--`, or its arguments.
    Command,
}

/// A word that completion offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The whole word.
    pub(super) word: String,
    /// A description of the word. It may be empty, and it may be text of others.
    pub(super) about: String,
}

impl Candidate {
    pub(super) fn new(word: impl Into<String>, about: impl Into<String>) -> Candidate {
        Candidate { word: word.into(), about: about.into() }
    }
}

/// The names of this host. Others chose them.
pub(super) trait HostNames {
    fn gates(&self) -> Vec<Candidate>;
    /// The names and altnames of links.
    fn links(&self) -> Vec<Candidate>;
    fn addresses(&self) -> Vec<Candidate>;
    fn vrfs(&self) -> Vec<Candidate>;
}

/// Returns what completion offers for the word `current` after these words.
pub(super) fn offer(words: &[String], current: &str, root: &Command, host: &dyn HostNames) -> Offer {
    let line = Line::read(words, root);
    if line.after_dashes {
        return if line.command.get_name() == "pull" { Offer::Files } else { Offer::Command };
    }
    if let Some(option) = line.open {
        return values(option, "", current, host);
    }
    if let Some((name, value)) = current.split_once('=').filter(|_| current.starts_with("--")) {
        let option = long(line.command, name.trim_start_matches('-'));
        let prefix = format!("{name}=");
        return option.map_or(Offer::Words(Vec::new()), |option| values(option, &prefix, value, host));
    }
    if current.starts_with('-') {
        return Offer::Words(options(&line, current));
    }
    if line.is_root() {
        // After an unknown command nothing can be offered.
        return Offer::Words(if line.given == 0 { commands(root) } else { Vec::new() });
    }
    let mut positionals = line.command.get_positionals().filter(|argument| !argument.is_last_set());
    let argument =
        positionals.find(|argument| takes_many(argument) || argument.get_index() == Some(line.given + 1));
    match argument.filter(|argument| !argument.is_hide_set()) {
        Some(argument) => values(argument, "", current, host),
        None => Offer::Words(Vec::new()),
    }
}

/// The words before the current one, as netready reads them.
struct Line<'a> {
    /// The command that the words name, or the program itself.
    command: &'a Command,
    /// The option that needs a value next.
    open: Option<&'a Arg>,
    /// How many of the arguments are not options.
    given: usize,
    /// The options that were typed.
    options: Vec<&'a Arg>,
    /// Whether `--` was typed. All later words belong to another program.
    after_dashes: bool,
}

impl<'a> Line<'a> {
    fn read(words: &[String], root: &'a Command) -> Line<'a> {
        let mut line = Line { command: root, open: None, given: 0, options: Vec::new(), after_dashes: false };
        for word in words {
            if line.open.take().is_some() {
                continue;
            }
            if word == "--" {
                line.after_dashes = true;
                break;
            }
            line.add(word);
        }
        line
    }

    fn add(&mut self, word: &str) {
        if let Some(name) = word.strip_prefix("--") {
            let (name, value) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            if let Some(option) = long(self.command, name) {
                self.options.push(option);
                self.open = Some(option).filter(|option| value.is_none() && takes_value(option));
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                let mut options = self.command.get_arguments();
                let Some(option) = options.find(|option| option.get_short() == Some(letter)) else { return };
                self.options.push(option);
                if takes_value(option) {
                    // The rest of the same word is the value.
                    self.open = Some(option).filter(|_| letters.as_str().is_empty());
                    return;
                }
            }
        } else if let Some(command) = self.command.find_subcommand(word).filter(|_| self.is_root()) {
            self.command = command;
        } else {
            self.given += 1;
        }
    }

    fn is_root(&self) -> bool {
        self.command.has_subcommands()
    }
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| argument.get_long() == Some(name))
}

fn takes_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}

fn takes_many(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map_or(String::new(), ToString::to_string)
}

/// Returns the commands that `--help` lists.
fn commands(root: &Command) -> Vec<Candidate> {
    let listed = root.get_subcommands().filter(|command| !command.is_hide_set());
    listed.map(|command| Candidate::new(command.get_name(), about(command.get_about()))).collect()
}

/// Returns the options that `--help` lists, except those that were typed and can be given only once.
fn options(line: &Line<'_>, current: &str) -> Vec<Candidate> {
    let is_there = |option: &Arg| line.options.iter().any(|typed| typed.get_id() == option.get_id());
    let more = |option: &Arg| takes_many(option) || !is_there(option);
    let listed = line.command.get_arguments().filter(|option| !option.is_hide_set() && more(option));
    let names = listed.flat_map(|option| {
        let about = about(option.get_help());
        let letter = option.get_short().map(|letter| format!("-{letter}"));
        // Offer the long names, because they explain themselves. Offer a letter only if the user has typed it.
        let letter = letter.filter(|letter| current.len() > 1 && letter == current);
        let names = option.get_long().map(|name| format!("--{name}")).into_iter().chain(letter);
        names.map(|name| Candidate::new(name, about.clone())).collect::<Vec<_>>()
    });
    names.collect()
}

/// Returns the values of an option or an argument, each after this prefix.
fn values(argument: &Arg, prefix: &str, value: &str, host: &dyn HostNames) -> Offer {
    if argument.get_value_hint() == ValueHint::FilePath {
        return Offer::Files;
    }
    if argument.get_value_hint() == ValueHint::CommandName {
        return Offer::Command;
    }
    let id = argument.get_id().as_str();
    let mut candidates: Vec<Candidate> = argument
        .get_possible_values()
        .into_iter()
        .map(|value| Candidate::new(value.get_name(), about(value.get_help())))
        .collect();
    if ["gate", "gates"].contains(&id) {
        // A value with a slash is the path of a gate file.
        if value.contains('/') {
            return Offer::Files;
        }
        candidates.extend(host.gates());
        if argument.get_long().is_some() {
            candidates.push(Candidate::new("none", "wait for no gate"));
        }
    } else if id == "boot" {
        let boots = [("0", "this boot"), ("-1", "the boot before"), ("-2", "the one before that")];
        candidates.extend(boots.map(|(boot, about)| Candidate::new(boot, about)));
    } else if let Some((_, option)) = keys::options().find(|(_, option)| option.long == id) {
        candidates.extend(option.offers.words.iter().map(|word| Candidate::new(*word, "")));
        candidates.extend(match option.offers.known {
            Some(Known::Links) => host.links(),
            Some(Known::Addresses) => host.addresses(),
            Some(Known::Vrfs) => host.vrfs(),
            None => Vec::new(),
        });
    }
    candidates.retain(|candidate| is_plain(&candidate.word));
    for candidate in &mut candidates {
        candidate.word.insert_str(0, prefix);
    }
    Offer::Words(candidates)
}

/// Whether every shell reads the word unchanged. Other words are not offered, because others choose the names of
/// links, altnames and gates, and bash inserts a word without quoting it.
fn is_plain(word: &str) -> bool {
    let is_plain = |character: char| character.is_alphanumeric() || "._-:@%+,".contains(character);
    let is_number = word.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    !word.is_empty() && (!word.starts_with('-') || is_number) && word.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    struct Made;

    impl HostNames for Made {
        fn gates(&self) -> Vec<Candidate> {
            ["default", "nas", "$(reboot)", "a b", "-x"].map(|name| Candidate::new(name, "/etc")).into()
        }

        fn links(&self) -> Vec<Candidate> {
            ["eth0", "enp1s0", "`id`", "a;b", "x*", "Büro"].map(|name| Candidate::new(name, "link")).into()
        }

        fn addresses(&self) -> Vec<Candidate> {
            vec![Candidate::new("192.0.2.1", "on eth0"), Candidate::new("2001:db8::1", "on eth0")]
        }

        fn vrfs(&self) -> Vec<Candidate> {
            vec![Candidate::new("mgmt", "VRF")]
        }
    }

    /// Returns what is offered for the last word, without words that do not begin with it.
    fn offered(line: &str) -> String {
        let mut root = Cli::command();
        root.build();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (current, before) = words.split_last().unwrap();
        match offer(before, current, &root, &Made) {
            Offer::Files => "FILES".to_owned(),
            Offer::Command => "COMMAND".to_owned(),
            Offer::Words(candidates) => {
                let words = candidates.iter().map(|candidate| candidate.word.as_str());
                words.filter(|word| word.starts_with(current.as_str())).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// One case a line: what was typed, and what is offered.
    #[test]
    fn each_place_has_its_words() {
        for (line, words) in [
            ("c", "check cat"),
            ("check ", "default nas"),
            ("check n", "nas"),
            ("check nas ", ""),
            ("check ./n", "FILES"),
            ("check /etc/netready/", "FILES"),
            ("check -i ", "eth0 enp1s0 Büro"),
            ("check -i e", "eth0 enp1s0"),
            ("check --interface=e", "--interface=eth0 --interface=enp1s0"),
            ("check -4i ", "eth0 enp1s0 Büro"),
            ("check -ieth0 n", "nas"),
            ("check -i eth0 -i en", "enp1s0"),
            ("check -a ", "ip ipv4 ipv6 link-local-ipv4 link-local-ipv6 192.0.2.1 2001:db8::1"),
            ("check --from 2", "2001:db8::1"),
            ("check -r ", "default default-ipv4 default-ipv6"),
            ("check --gateway ", "any ipv4 ipv6"),
            ("check --table ", "main mgmt"),
            ("check --quorum a", "any all"),
            ("check -t ", "infinity"),
            ("check --ping ", ""),
            ("check --q", "--quorum --quiet"),
            ("check --quiet --q", "--quorum"),
            ("check -i eth0 --inter", "--interface"),
            ("check --receive", ""),
            ("check -q", "-q"),
            ("wait -- ", "COMMAND"),
            ("wait nas -- ls -", "COMMAND"),
            ("retry --", "FOR_OPTIONS"),
            ("retry --gate ", "default nas none"),
            ("retry --classify ", "oci exit"),
            ("retry -- curl ", "COMMAND"),
            ("pull --policy ", "missing always newer never"),
            ("pull --tool ", "COMMAND"),
            ("pull image ", ""),
            ("run --textfile ", "FILES"),
            ("run n", "nas"),
            ("status nas d", "default"),
            ("timeline ", "default nas"),
            ("timeline --boot ", "0 -1 -2"),
            ("timeline --boot -", "-1 -2"),
            ("doctor --side ", "all system users"),
            ("learn ", "default nas"),
            ("metrics ", ""),
            ("comp", ""),
            ("nonesuch ", ""),
            ("--v", "--version"),
        ] {
            if words == "FOR_OPTIONS" {
                assert!(offered(line).contains("--max-delay"), "{line}");
                continue;
            }
            assert_eq!(offered(line), words, "{line}");
        }
    }

    /// Completion offers every command and every option that `--help` lists, and no other.
    #[test]
    fn what_is_hidden_is_not_offered() {
        let mut root = Cli::command();
        root.build();
        let hidden = |command: &&Command| command.is_hide_set();
        assert!(root.get_subcommands().any(|command| hidden(&command)));
        for command in root.get_subcommands() {
            let name = command.get_name();
            let commands = offered(name);
            assert_eq!(commands.split(' ').any(|word| word == name), !command.is_hide_set(), "{name}");
            if command.is_hide_set() || name == "help" {
                continue;
            }
            let options = offered(&format!("{name} --"));
            for option in command.get_arguments().filter(|option| option.get_long().is_some()) {
                let typed = format!("--{}", option.get_long().unwrap());
                let is_offered = options.split(' ').any(|word| word == typed);
                assert_eq!(is_offered, !option.is_hide_set(), "{name} {typed}");
            }
        }
    }

    #[test]
    fn nothing_is_offered_that_a_shell_would_run() {
        for word in [
            "$(reboot)",
            "`id`",
            "a;b",
            "a b",
            "a|b",
            "a&b",
            "a>b",
            "a'b",
            "~root",
            "!x",
            "#",
            "-rf",
            "x\u{1b}[2J",
            "",
            "a\nb",
            "{a,b}",
            "*",
        ] {
            assert!(!is_plain(word), "{word}");
        }
        for word in ["eth0", "eth0.5", "wg-home", "fe80::1%eth0", "a@b", "Büro", "-1"] {
            assert!(is_plain(word), "{word}");
        }
    }
}
