//! The program `netready-probe`: makes one try of one probe, in a process of its own.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::config;
use crate::escape::escape;
use crate::model::{Answer, Question};
use crate::probe::deadline::Deadline;
use crate::probe::schedule::limit;
use crate::probe::{confine, dns, gateway, http, ping, tcp};
use crate::requirement::Probe;

/// The arguments of `netready-probe` for a question. `question` reads them back.
pub fn words(question: &Question) -> Vec<String> {
    let word = |word: &dyn ToString| word.to_string();
    match question {
        Question::Probe(Probe::Dns(name)) => vec!["dns".to_owned(), name.clone()],
        Question::Probe(Probe::Tcp(endpoint)) => vec!["tcp".to_owned(), word(endpoint)],
        Question::Probe(Probe::Http(request)) => {
            let expect = request.expect.iter().map(ToString::to_string);
            ["http".to_owned(), word(&request.url)].into_iter().chain(expect).collect()
        }
        Question::Probe(Probe::Ping { address, zone }) => {
            let zone = zone.as_ref().map_or(String::new(), |zone| format!("%{zone}"));
            vec!["ping".to_owned(), format!("{address}{zone}")]
        }
        Question::Neighbour { address, ifindex, ifname } => {
            vec!["gateway".to_owned(), word(address), word(ifindex), ifname.clone()]
        }
    }
}

fn question(words: &[String]) -> Option<Question> {
    let probe = match words {
        [kind, name] if kind == "dns" => config::parse_dns(name).ok()?,
        [kind, endpoint] if kind == "tcp" => config::parse_tcp(endpoint).ok()?,
        [kind, address] if kind == "ping" => config::parse_ping(address).ok()?,
        [kind, url, expect @ ..] if kind == "http" => {
            let expect: Result<Vec<u16>, _> = expect.iter().map(|code| code.parse()).collect();
            config::parse_http(url, &expect.ok()?).ok()?
        }
        [kind, address, ifindex, ifname] if kind == "gateway" => {
            return Some(Question::Neighbour {
                address: address.parse().ok()?,
                ifindex: ifindex.parse().ok()?,
                ifname: ifname.clone(),
            });
        }
        _ => return None,
    };
    Some(Question::Probe(probe))
}

/// Runs `netready-probe`: reads the parent's process number and the question from the command line, tries
/// once, and writes the answer to stdout.
pub fn serve() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let asked = words.split_first().and_then(|(parent, words)| Some((parent, question(words)?)));
    let Some((parent, question)) = asked else {
        // If stderr is closed, the exit code still reports the error.
        let _ = writeln!(std::io::stderr(), "netready-probe is run by netready only: netready check --tcp …");
        return ExitCode::from(2);
    };
    if !tied_to(parent, limit(&question)) {
        return ExitCode::FAILURE;
    }
    // An error is ignored: without this, the probe has the rights of its parent, and its answer is as good.
    let _ = confine::confine(&question);
    let answer = ask(&question, Deadline::of(&question));
    let line = match &answer {
        Ok(answer) => format!("met {answer}"),
        Err(why) => format!("unmet {why}"),
    };
    // An error means that the parent has ended or no longer listens.
    let _ = std::io::stdout().write_all(line.as_bytes());
    ExitCode::SUCCESS
}

fn ask(question: &Question, deadline: Deadline) -> Answer {
    match question {
        Question::Probe(Probe::Dns(name)) => dns::ask(name, deadline),
        Question::Probe(Probe::Tcp(endpoint)) => tcp::ask(endpoint, deadline),
        Question::Probe(Probe::Http(request)) => http::ask(request, deadline),
        Question::Probe(Probe::Ping { address, zone }) => ping::ask(*address, zone.as_deref(), deadline),
        Question::Neighbour { address, ifindex, .. } => gateway::ask(*address, *ifindex, deadline),
    }
}

/// Makes the kernel kill this process when its parent dies, and in any case after the time limit. Returns false if
/// the parent has already ended.
fn tied_to(parent: &str, limit: Duration) -> bool {
    let limit = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    nix::unistd::alarm::set(limit);
    let tied = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).is_ok();
    tied && nix::unistd::getppid().to_string() == parent
}

/// Parses what a try wrote. `None` if the try ended before it wrote an answer.
pub fn read(said: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(said);
    // The answer may quote what others sent.
    let clean = |text: &str| escape(text.trim_end()).into_owned();
    let met = text.strip_prefix("met ").map(|answer| Ok(clean(answer)));
    met.or_else(|| text.strip_prefix("unmet ").map(|why| Err(clean(why))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn a_question_survives_the_command_line() {
        let probes = [
            config::parse_dns("example.org"),
            config::parse_tcp("[2001:db8::7]:22"),
            config::parse_http("https://example.org/a?b", &[]),
            config::parse_http("http://example.org:8080", &[200, 401]),
            config::parse_ping("fe80::1%eth0"),
            config::parse_tcp("[fe80::1%eth0]:22"),
            config::parse_http("http://[fe80::1%25a%40b]/", &[]),
        ];
        let gateway =
            Question::Neighbour { address: Ipv6Addr::LOCALHOST.into(), ifindex: 7, ifname: "a b".to_owned() };
        for asked in probes.map(|probe| Question::Probe(probe.unwrap())).into_iter().chain([gateway]) {
            assert_eq!(question(&words(&asked)), Some(asked));
        }
        assert_eq!(question(&["dns".to_owned()]), None);
        assert_eq!(question(&["tcp".to_owned(), "x".to_owned()]), None);
    }

    #[test]
    fn only_a_whole_answer_counts() {
        for (said, answer) in [
            ("met 200", Some(Ok("200"))),
            ("unmet connection refused", Some(Err("connection refused"))),
            ("unmet a\u{1b}[31mb\n", Some(Err(r"a\x1b[31mb"))),
            ("", None),
            ("me", None),
        ] {
            let answer = answer.map(|answer| answer.map(str::to_owned).map_err(str::to_owned));
            assert_eq!(read(said.as_bytes()), answer, "{said:?}");
        }
    }
}
