//! Quadlets that make no unit, by Podman's own word, and sections of netready's that do not mean what they say.

use std::path::PathBuf;

use super::programs::Said;
use super::{Code, Finding, Report, Scene};
use crate::config::Problem;
use crate::quadlet::Manager;

/// Where Podman's generator is, by its own installation.
const GENERATORS: [&str; 4] = [
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/lib/systemd/system-generators/podman-system-generator",
    "/usr/local/libexec/podman/quadlet",
];

/// Keys that a Podman before this one does not know, and what does the same there.
const LATER: [(&str, &str, &str); 2] = [
    ("Retry", "5.5", "[X-Netready] PullRetry=8    # in its place; netready pulls, on any Podman"),
    ("RetryDelay", "5.5", "[X-Netready] PullRetryDelay=2s    # in its place; netready pulls, on any Podman"),
];

/// Asks Podman's generator what it makes of the quadlets, and ours what is wrong with netready's section.
pub fn look(scene: &Scene, problems: &[Problem], report: &mut Report) {
    report.findings.extend(problems.iter().filter_map(|problem| setting(problem, scene.reload())));
    let what = "what Podman makes of the quadlets";
    let Some(generator) = generator(scene) else {
        report.unseen(what, "Podman's generator is not here");
        return;
    };
    let words: &[&str] = match scene.manager {
        Manager::System => &["--dryrun"],
        Manager::User => &["--user", "--dryrun"],
    };
    match scene.programs.ask_at(&generator, words) {
        Ok(said) => report.findings.extend(judge(&said, &generator.display().to_string(), scene.reload())),
        Err(error) => report.unseen(what, error),
    }
}

fn generator(scene: &Scene) -> Option<PathBuf> {
    GENERATORS.iter().map(|path| scene.at(path)).find(|path| path.is_file())
}

/// What Podman refuses, Podman says better.
fn setting(problem: &Problem, reload: &str) -> Option<Finding> {
    if problem.message.starts_with("Podman refuses") {
        return None;
    }
    let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
    Some(Finding {
        code: Code::QuadletSetting,
        subject: file_name(&problem.origin),
        what: problem.message.clone(),
        seen: format!("{}{line}; netready-generator --dry-run says it too", problem.origin),
        mend: vec![format!("mend that line, then {reload}")],
    })
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn judge(said: &Said, generator: &str, reload: &str) -> Vec<Finding> {
    // Joined errors stand on lines of their own, without the program's name.
    let lines = said.stderr.lines().map(|line| match line.split_once("]: ") {
        Some((name, rest)) if name.starts_with("quadlet-generator[") => rest,
        Some(_) | None => line,
    });
    let lines: Vec<&str> = lines.collect();
    let nothing = lines.iter().any(|line| line.starts_with("No files parsed from"));
    let mut findings = Vec::new();
    for line in lines {
        let refused = line.strip_prefix("error loading ").and_then(quoted);
        let not_made = line.strip_prefix("converting ").and_then(quoted);
        let (name, why, what) = match (refused, not_made) {
            // Podman 5.4 drops every quadlet then, not only this one.
            (Some((name, why)), _) if nothing => {
                (name, why, "Podman refuses it, and every other quadlet with it")
            }
            (Some((name, why)), _) => (name, why, "Podman refuses it"),
            (None, Some((name, why))) => (name, why, "Podman makes no unit of it"),
            (None, None) => continue,
        };
        let key = why.split('\'').nth(1).filter(|_| why.starts_with("unsupported key"));
        let later = LATER.iter().find(|(name, ..)| Some(*name) == key);
        let mut mend = vec![match key {
            Some(key) => format!("take {key}= out, then {reload}"),
            None => format!("mend it, then {reload}"),
        }];
        let since = later.map(|(_, since, _)| format!(" (Podman {since} has it)")).unwrap_or_default();
        mend.extend(later.map(|(.., instead)| (*instead).to_owned()));
        findings.push(Finding {
            code: Code::QuadletRefused,
            subject: file_name(name),
            what: format!("{what}: {why}{since}"),
            seen: format!("{generator} --dryrun"),
            mend,
        });
    }
    findings
}

/// `"foo.container": why` or `"/path/foo.container", why`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('"')?.split_once('"')?;
    Some((name, rest.trim_start_matches([':', ',']).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(stderr: &str) -> Vec<String> {
        let said = Said { code: Some(1), stdout: String::new(), stderr: stderr.to_owned(), cut: false };
        judge(&said, "g", "daemon-reload")
            .iter()
            .map(|f| format!("{}: {}; {}", f.subject, f.what, f.mend.join("; ")))
            .collect()
    }

    /// As Podman 5.4.2 says it.
    #[test]
    fn complaints_of_podmans_generator() {
        assert!(found("").is_empty());
        assert!(found("quadlet-generator[7]: Loading source unit file /q/a.container\nquadlet-generator[7]: Warning: a.container specifies the image \"x\" which not a fully qualified image name.\n").is_empty());
        assert!(found("quadlet-generator[7]: No files parsed from [/q]\n").is_empty(), "there are none");
        assert_eq!(
            found(
                "quadlet-generator[7]: Loading source unit file /q/a.container\n\
                 quadlet-generator[7]: converting \"a.container\": unsupported key 'Retry' in group 'Container' in /q/a.container\n\
                 converting \"b.container\": requested Quadlet unit none.network was not found\n"
            ),
            [
                "a.container: Podman makes no unit of it: unsupported key 'Retry' in group 'Container' in /q/a.container (Podman 5.5 has it); take Retry= out, then daemon-reload; [X-Netready] PullRetry=8    # in its place; netready pulls, on any Podman",
                "b.container: Podman makes no unit of it: requested Quadlet unit none.network was not found; mend it, then daemon-reload",
            ]
        );
        assert_eq!(
            found(
                "quadlet-generator[7]: Loading source unit file /q/c.container\n\
                 quadlet-generator[7]: No files parsed from [/q]\n\
                 quadlet-generator[7]: error loading \"/q/c.container\", file contains line 2: “nonsense” which is not a key-value pair, group, or comment\n"
            ),
            [
                "c.container: Podman refuses it, and every other quadlet with it: file contains line 2: “nonsense” which is not a key-value pair, group, or comment; mend it, then daemon-reload"
            ]
        );
    }

    #[test]
    fn what_podman_says_better_is_left_to_it() {
        let problem = |message: &str| Problem {
            origin: "/q/a.container".to_owned(),
            line: Some(3),
            message: message.to_owned(),
        };
        assert_eq!(setting(&problem("Podman refuses this file: …"), ""), None);
        let finding = setting(&problem("Gat: unknown key; it is written Gate"), "").unwrap();
        assert_eq!((finding.subject.as_str(), finding.code), ("a.container", Code::QuadletSetting));
    }
}
