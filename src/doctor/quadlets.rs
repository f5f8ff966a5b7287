//! Finds quadlets of which Podman's generator makes no unit, and errors in the section that netready reads.
//!
//! In every version of Podman, the units that the generator prints tell which quadlets become units. Its
//! complaints only tell why the others do not. Versions differ in what they do with a file that they cannot
//! read: Podman 4.4 and 4.5 skip the file and say so, 4.6 to 4.9 skip it silently, and 5.0 and later skip
//! every quadlet of the same folder too, but not those of the folders below.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::programs::ProgramOutput;
use super::{DoctorReport, Finding, FindingCode, Host, unit_files};
use crate::config::Problem;
use crate::quadlet::unit_file::{self, UnitFile};
use crate::quadlet::{self, Kind, Manager, QuadletInput, Unit};

/// The paths at which Podman installs its generator.
const GENERATORS: [&str; 4] = [
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/lib/systemd/system-generators/podman-system-generator",
    "/usr/local/libexec/podman/quadlet",
];

/// Keys, the first version of Podman that knows each, and what to write for older versions.
const LATER: [(&str, &str, &str); 2] = [
    ("Retry", "5.5", "[X-Netready] PullRetry=8    # instead of it; netready pulls with any Podman"),
    (
        "RetryDelay",
        "5.5",
        "[X-Netready] PullRetryDelay=2s    # instead of it; netready pulls with any Podman",
    ),
];

/// Examines the quadlets: what Podman's generator makes of them, and what is wrong with netready's section.
pub fn look(host: &Host, input: &QuadletInput, quadlets: &[Unit], report: &mut DoctorReport) {
    if input.directories.iter().all(|folder| folder.quadlets.is_empty() && folder.unread.is_empty()) {
        return;
    }
    let refused = refused(input);
    let reload = host.reload();
    let problems = quadlet::plan(input).problems;
    let ours = problems.iter().filter(|problem| !refused.iter().any(|file| file.is_about(problem)));
    report.findings.extend(ours.map(|problem| setting(problem, reload)));
    let what = "what Podman makes of the quadlets";
    let traps = traps(input);
    report.findings.extend(traps.iter().map(|(path, kind)| trapped(path, kind, reload)));
    if let Some((first, _)) = traps.first() {
        return report.unseen(what, format!("its generator would wait for {first}"));
    }
    let Some(generator) = generator(host) else {
        report.unseen(what, "Podman's generator was not found");
        return;
    };
    let words: &[&str] = match host.manager {
        Manager::System => &["--dryrun"],
        Manager::User => &["--user", "--dryrun"],
    };
    match host.programs.ask_at(&generator, words) {
        Ok(said) if said.cut => report.unseen(what, "its generator prints more than 4 MiB"),
        Ok(said) => {
            let seen = format!("{} --dryrun", generator.display());
            let (expected, masked) = expected(input);
            let (expected, masked) = (&expected, &masked);
            let judge = Judge { expected, masked, quadlets, refused: &refused, seen, reload };
            report.findings.extend(judge.judge(&said));
        }
        Err(error) => report.unseen(what, error),
    }
}

/// Quadlets and drop-ins that would block Podman's generator when it opens them, each with what it is: a FIFO
/// or a device.
fn traps(input: &QuadletInput) -> Vec<(&str, &'static str)> {
    let unread = input.directories.iter().flat_map(|folder| &folder.unread);
    unread.filter_map(|path| Some((path.as_str(), trap(Path::new(path))?))).collect()
}

fn trap(path: &Path) -> Option<&'static str> {
    let file = path.metadata().ok()?;
    let kind = file.file_type();
    let is_null = kind.is_char_device() && file.rdev() == libc::makedev(1, 3);
    match () {
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_block_device() || (kind.is_char_device() && !is_null) => Some("a device"),
        () => None,
    }
}

fn trapped(path: &str, kind: &str, reload: &str) -> Finding {
    Finding {
        code: FindingCode::QuadletRefused,
        subject: file_name(path),
        what: format!("is {kind}: Podman's generator waits for it, and so does {reload}"),
        seen: path.to_owned(),
        mend: vec![format!("remove {path}, then {reload}")],
    }
}

/// A quadlet, or a drop-in, with a line for which Podman refuses the file, according to netready's own
/// reader.
#[derive(Debug)]
struct RefusedQuadlet {
    path: String,
    line: usize,
}

impl RefusedQuadlet {
    /// Whether a problem is about this line. Podman explains such a line better than netready.
    fn is_about(&self, problem: &Problem) -> bool {
        problem.origin == self.path && problem.line == Some(self.line)
    }
}

/// A quadlet that should make a unit.
#[derive(Debug)]
struct Expected {
    name: String,
    path: String,
    kind: Kind,
}

/// The quadlets that Podman should make a unit of, and the names of those that are masked.
///
/// Of several files with the same name, Podman takes the first one that it can read. An empty file or a link
/// to /dev/null is a mask, unless the kind needs no key: then it is a unit like any other.
fn expected(input: &QuadletInput) -> (Vec<Expected>, BTreeSet<String>) {
    let mut first = BTreeMap::new();
    for (name, source) in input.directories.iter().flat_map(|directory| &directory.quadlets) {
        if let Some(kind) = Kind::of(name).filter(|_| unit_file::read(&source.path, &source.text).is_ok()) {
            first.entry(name).or_insert((kind, source));
        }
    }
    let mut expected = Vec::new();
    let mut masked = BTreeSet::new();
    for (name, (kind, source)) in first {
        if kind.needs_keys() && source.text.trim().is_empty() {
            masked.insert(name.clone());
        } else {
            expected.push(Expected { name: name.clone(), path: source.path.clone(), kind });
        }
    }
    (expected, masked)
}

fn refused(input: &QuadletInput) -> Vec<RefusedQuadlet> {
    let directories = &input.directories;
    let drop_ins = directories.iter().flat_map(|directory| directory.drop_ins.values().flatten());
    let quadlets = directories.iter().flat_map(|directory| &directory.quadlets);
    let read = quadlets.chain(drop_ins).map(|(_, source)| unit_file::read(&source.path, &source.text));
    read.filter_map(Result::err)
        .map(|refused| RefusedQuadlet { path: refused.place.file.to_string(), line: refused.place.line })
        .collect()
}

fn generator(host: &Host) -> Option<PathBuf> {
    GENERATORS.iter().map(|path| host.at(path)).find(|path| path.is_file())
}

fn setting(problem: &Problem, reload: &str) -> Finding {
    let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
    Finding {
        code: FindingCode::QuadletSetting,
        subject: file_name(&problem.origin),
        what: problem.message.clone(),
        seen: format!("{}{line}; netready-generator --dry-run prints it too", problem.origin),
        mend: vec![match problem.line {
            Some(_) => format!("correct that line, then {reload}"),
            None => format!("change or rename {}, then {reload}", problem.origin),
        }],
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// One complaint of Podman's generator.
#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    /// It cannot read this file.
    Load { path: String, why: String },
    /// It makes no unit of this quadlet.
    Convert { name: String, why: String },
}

impl Complaint {
    /// Parses a line of stderr. `None` if the line is not a complaint about a file.
    fn of(line: &str) -> Option<Complaint> {
        // If the generator joins errors, each further one is on a line without the program's name.
        let text = match line.split_once("]: ") {
            Some((program, rest)) if program.starts_with("quadlet-generator[") => rest,
            Some(_) | None => line,
        };
        // Podman 4.4 and 4.5: 'NAME', ignoring: WHY. Later ones: "NAME": WHY, or "NAME", WHY.
        let after = |words: [&str; 2]| words.iter().find_map(|word| quoted(text.strip_prefix(word)?));
        if let Some((path, why)) = after(["error loading ", "Error loading "]) {
            return Some(Complaint::Load { path, why });
        }
        let (name, why) = after(["converting ", "Error converting "])?;
        Some(Complaint::Convert { name, why })
    }
}

/// `"foo.container": why`, `"/path/foo.container", why` or `'foo.container', ignoring: why`.
fn quoted(text: &str) -> Option<(String, String)> {
    let (name, rest) = match text.strip_prefix('\'') {
        Some(rest) => {
            let (name, why) = rest.split_once("', ignoring: ")?;
            (name.to_owned(), why)
        }
        None => in_double_quotes(text)?,
    };
    Some((name, rest.trim_start_matches([':', ',']).trim().to_owned()))
}

/// Parses a text in double quotes, as Go's %q writes it. Returns the text and what follows.
fn in_double_quotes(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some((name, characters.as_str())),
            '\\' => match characters.next()? {
                plain @ ('"' | '\\') => name.push(plain),
                other => name.extend(['\\', other]),
            },
            other => name.push(other),
        }
    }
}

/// The units that the generator prints, by the file name of the quadlet that each is made of.
fn made(stdout: &str) -> BTreeMap<String, UnitFile> {
    let mut made = BTreeMap::new();
    let mut text = String::new();
    let mut finish = |text: &mut String| {
        let unit = unit_files::read("", &std::mem::take(text));
        if let Some(path) = unit.last("Unit", "SourcePath").map(|entry| file_name(&entry.value)) {
            made.insert(path, unit);
        }
    };
    for line in stdout.lines() {
        if line.len() > 6 && line.starts_with("---") && line.ends_with("---") {
            finish(&mut text);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    finish(&mut text);
    made
}

/// The folder of a path, without symbolic links. Podman before 5.3 prints paths as configured, and later
/// versions print them resolved.
fn folder_of(path: &str) -> PathBuf {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// What is compared with the output of the generator.
struct Judge<'a> {
    expected: &'a [Expected],
    /// Names of quadlets of which no unit is wanted.
    masked: &'a BTreeSet<String>,
    /// The units of the quadlets, as netready understands them.
    quadlets: &'a [Unit],
    /// The quadlets for which Podman refuses a line.
    refused: &'a [RefusedQuadlet],
    seen: String,
    reload: &'a str,
}

impl Judge<'_> {
    fn finding(&self, code: FindingCode, subject: &str, what: String, mend: Vec<String>) -> Finding {
        Finding { code, subject: subject.to_owned(), what, seen: self.seen.clone(), mend }
    }

    fn judge(&self, said: &ProgramOutput) -> Vec<Finding> {
        let complaints: Vec<Complaint> = said.stderr.lines().filter_map(Complaint::of).collect();
        let made = made(&said.stdout);
        let mut findings = Vec::new();
        let mut explained = BTreeSet::new();
        // The names of the quadlets that Podman cannot read, by their folder.
        let mut broken: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for complaint in &complaints {
            match complaint {
                Complaint::Load { path, why } => {
                    let name = file_name(path);
                    let folder = folder_of(path);
                    if folder.extension().is_some_and(|extension| extension == "d") {
                        let what = format!("Podman ignores this drop-in: {why}");
                        let mend = vec![format!("correct {path}, then {}", self.reload)];
                        findings.push(self.finding(FindingCode::DropInIgnored, &name, what, mend));
                        continue;
                    }
                    let what = format!("Podman cannot read it: {why}");
                    let mend = vec![format!("correct or remove {path}, then {}", self.reload)];
                    findings.push(self.finding(FindingCode::QuadletRefused, &name, what, mend));
                    explained.insert(name.clone());
                    broken.entry(folder).or_default().push(name);
                }
                // Podman complains about a mask as about a quadlet without Image=, so skip it.
                Complaint::Convert { name, .. } if self.masked.contains(&file_name(name)) => {}
                Complaint::Convert { name, why } => {
                    findings.push(self.not_made(&file_name(name), why));
                    explained.insert(file_name(name));
                }
            }
        }
        if said.code.is_none() {
            // A signal ended the generator, so the units that it did not print prove nothing.
            return findings;
        }
        let silent = |name: &str| !made.contains_key(name) && !explained.contains(name);
        let mut dropped: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
        for unit in self.expected.iter().filter(|unit| silent(&unit.name)) {
            let folder = folder_of(&unit.path);
            if broken.contains_key(&folder) {
                dropped.entry(folder).or_default().push(&unit.name);
            } else {
                findings.push(self.not_made_silently(unit));
            }
        }
        for (folder, lost) in &dropped {
            let names = broken.get(folder).map(|names| names.join(", ")).unwrap_or_default();
            let what = format!(
                "Podman makes no unit of {} either, because it cannot read {names} in the same folder",
                lost.join(", ")
            );
            let mend = vec![format!("correct or remove {names}, then {}", self.reload)];
            let subject = format!("folder {}", folder.display());
            findings.push(self.finding(FindingCode::QuadletDropped, &subject, what, mend));
        }
        let is_quadlet =
            |file: &&RefusedQuadlet| folder_of(&file.path).extension().is_none_or(|it| it != "d");
        for file in self.refused.iter().filter(is_quadlet).filter(|file| silent(&file_name(&file.path))) {
            let what = format!(
                "Podman silently ignores it: line {} is not a section, a key=value or a comment",
                file.line
            );
            let mend = vec![format!("correct that line, then {}", self.reload)];
            findings.push(self.finding(FindingCode::QuadletRefused, &file_name(&file.path), what, mend));
        }
        for (name, unit) in &made {
            findings.extend(named_quadlets(name, &self.seen, unit, self.quadlets));
        }
        findings
    }

    fn not_made(&self, name: &str, why: &str) -> Finding {
        let key = why.split('\'').nth(1).filter(|_| why.starts_with("unsupported key"));
        let later = LATER.iter().find(|(name, ..)| Some(*name) == key);
        let mut mend = vec![match key {
            Some(key) => format!("remove {key}=, then {}", self.reload),
            None => format!("correct it, then {}", self.reload),
        }];
        let since = later.map(|(_, since, _)| format!(" (Podman {since} has it)")).unwrap_or_default();
        mend.extend(later.map(|(.., instead)| (*instead).to_owned()));
        let what = format!("Podman makes no unit of it: {why}{since}");
        self.finding(FindingCode::QuadletRefused, name, what, mend)
    }

    /// The finding about a quadlet that the generator skips silently, because this version of Podman does not
    /// know its kind or its folder.
    fn not_made_silently(&self, unit: &Expected) -> Finding {
        let what = "Podman makes no unit of it, and does not say why".to_owned();
        let since = match unit.kind {
            Kind::Artifact => ".artifact files need Podman 5.7",
            Kind::Build => ".build files need Podman 5.2",
            Kind::Pod => ".pod files need Podman 5.0",
            Kind::Image => ".image files need Podman 4.8",
            Kind::Container | Kind::Kube | Kind::Network | Kind::Volume => {
                "folders below the folder of quadlets need Podman 4.7, $XDG_RUNTIME_DIR/containers/systemd 5.3, \
                 /usr/share/containers/systemd/users 6.0"
            }
        };
        let mend = vec![format!("podman --version    # {since}")];
        self.finding(FindingCode::QuadletRefused, &unit.name, what, mend)
    }
}

/// The keys of systemd.unit(5) whose values are names of other units, by section.
const NAMING: [(&str, &[&str]); 2] = [
    (
        "Unit",
        &[
            "After",
            "Before",
            "Wants",
            "Requires",
            "Requisite",
            "BindsTo",
            "PartOf",
            "Upholds",
            "Conflicts",
            "OnFailure",
            "OnSuccess",
            "PropagatesReloadTo",
            "ReloadPropagatedFrom",
            "PropagatesStopTo",
            "StopPropagatedFrom",
            "JoinsNamespaceOf",
        ],
    ),
    ("Install", &["WantedBy", "RequiredBy", "UpheldBy", "Also"]),
];

/// Finds file names of quadlets where systemd expects names of units. Podman 5.5 and later translate such
/// names in `[Unit]` of quadlets; nothing translates the others.
pub fn named_quadlets(name: &str, seen: &str, file: &UnitFile, quadlets: &[Unit]) -> Option<Finding> {
    let mut named: Vec<String> = Vec::new();
    let mut mend: Vec<String> = Vec::new();
    for (section, keys) in NAMING {
        for key in keys {
            let words = file.every(section, key).into_iter().flat_map(str::split_whitespace);
            for word in words.filter(|word| Kind::of(word).is_some()) {
                named.push(format!("{key}={word}"));
                let unit = quadlets.iter().find(|unit| unit.name == word);
                mend.extend(unit.map(|unit| format!("{key}={}    # in place of {word}", unit.service)));
            }
        }
    }
    if named.is_empty() {
        return None;
    }
    if mend.is_empty() {
        mend.push("write the name of the unit that Podman makes of it, which ends in .service".to_owned());
    }
    Some(Finding {
        code: FindingCode::QuadletName,
        subject: name.to_owned(),
        what: format!("names a quadlet's file where systemd needs a unit's name: {}", named.join(", ")),
        seen: seen.to_owned(),
        mend,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::input_of;

    fn found_of(
        quadlets: &[(&str, &str)],
        refused: &[RefusedQuadlet],
        stdout: &str,
        stderr: &str,
    ) -> Vec<String> {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        let said = ProgramOutput { code: Some(1), stdout, stderr, cut: false };
        let input = input_of(quadlets);
        let (units, (expected, masked)) = (quadlet::units(&input), expected(&input));
        let (seen, reload) = ("g".to_owned(), "daemon-reload");
        let (expected, masked) = (&expected, &masked);
        let judge = Judge { expected, masked, quadlets: &units, refused, seen, reload };
        let line =
            |f: &Finding| format!("{} {}: {}; {}", f.code.as_str(), f.subject, f.what, f.mend.join("; "));
        judge.judge(&said).iter().map(line).collect()
    }

    fn found(stderr: &str) -> Vec<String> {
        found_of(&[], &[], "", stderr)
    }

    const GOOD: &str = "[Container]\nImage=x\n";

    fn unit(name: &str, more: &str) -> String {
        format!(
            "---{name}.service---\n[X-Container]\nImage=x\n\n[Unit]\nSourcePath=/q/{name}.container\n{more}\n"
        )
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
                "quadlet-refused a.container: Podman makes no unit of it: unsupported key 'Retry' in group 'Container' in /q/a.container (Podman 5.5 has it); remove Retry=, then daemon-reload; [X-Netready] PullRetry=8    # instead of it; netready pulls with any Podman",
                "quadlet-refused b.container: Podman makes no unit of it: requested Quadlet unit none.network was not found; correct it, then daemon-reload",
            ]
        );
        assert_eq!(
            found(
                "quadlet-generator[7]: Loading source unit file /q/c.container\n\
                 quadlet-generator[7]: No files parsed from [/q]\n\
                 quadlet-generator[7]: error loading \"/q/c.container\", file contains line 2: “nonsense” which is not a key-value pair, group, or comment\n"
            ),
            [
                "quadlet-refused c.container: Podman cannot read it: file contains line 2: “nonsense” which is not a key-value pair, group, or comment; correct or remove /q/c.container, then daemon-reload"
            ]
        );
    }

    /// An empty file, or a link to /dev/null, hides the files of its name below; Podman complains of it all the same.
    #[test]
    fn a_mask_is_no_finding_and_an_empty_pod_is_a_unit() {
        let complaint = |name: &str| format!("converting \"{name}\": no Image or Rootfs key specified\n");
        for (text, count) in [("", 0), ("\n \n", 0), ("# not empty\n", 1), ("[Container]\n", 1)] {
            let said = found_of(&[("m.container", text)], &[], "", &complaint("m.container"));
            assert_eq!(said.len(), count, "{text:?}: {said:?}");
        }
        for name in ["p.pod", "n.network", "v.volume"] {
            let said = found_of(&[(name, "")], &[], "", "error loading \"/q/x.container\", y\n");
            let dropped =
                format!("Podman makes no unit of {name} either, because it cannot read x.container");
            assert!(said.iter().any(|line| line.contains(&dropped)), "{said:?}");
        }
    }

    #[test]
    fn each_spelling_of_a_complaint_is_understood() {
        let load = |path: &str, why: &str| Some(Complaint::Load { path: path.into(), why: why.into() });
        let convert = |name: &str, why: &str| Some(Complaint::Convert { name: name.into(), why: why.into() });
        for (line, complaint) in [
            // Podman 4.4 and 4.5.
            (
                "quadlet-generator[7]: Error loading '/q/a.container', ignoring: no such file",
                load("/q/a.container", "no such file"),
            ),
            (
                "quadlet-generator[7]: Error converting 'a.kube', ignoring: no Yaml key",
                convert("a.kube", "no Yaml key"),
            ),
            (
                "quadlet-generator[7]: Error loading '/q/it's.volume', ignoring: x",
                load("/q/it's.volume", "x"),
            ),
            // 4.6 to 5.4, where errors are joined.
            (
                "quadlet-generator[7]: error loading \"/q/a.pod\", open /q/a.pod: permission denied",
                load("/q/a.pod", "open /q/a.pod: permission denied"),
            ),
            ("converting \"a.image\": no Image key", convert("a.image", "no Image key")),
            ("error loading \"/q/a \\\"b\\\".container\", x", load("/q/a \"b\".container", "x")),
            // 5.5 and later.
            (
                "quadlet-generator[7]: converting \"a.container\": unable to translate dependency for b.pod",
                convert("a.container", "unable to translate dependency for b.pod"),
            ),
            ("quadlet-generator[7]: processing encountered some errors", None),
            ("quadlet-generator[7]: Error converting", None),
            ("quadlet-generator[7]: error loading \"/q/cut", None),
            ("", None),
        ] {
            assert_eq!(Complaint::of(line), complaint, "{line}");
        }
    }

    /// What one unreadable file takes with it: in its folder, and not in the folders below.
    #[test]
    fn one_broken_file_drops_its_neighbours() {
        let quadlets = [
            ("a.container", GOOD),
            ("b.volume", "[Volume]\n"),
            ("c.container", GOOD),
            ("mask.container", ""),
        ];
        let dangling = "quadlet-generator[7]: error loading \"/q/z.container\", open /q/z.container: no such file or directory\n";
        let refused = "quadlet-refused z.container: Podman cannot read it: open /q/z.container: no such file or directory; correct or remove /q/z.container, then daemon-reload";
        assert_eq!(
            found_of(&quadlets, &[], "", dangling),
            [
                refused,
                "quadlet-dropped folder /q: Podman makes no unit of a.container, b.volume, c.container either, because it cannot read z.container in the same folder; correct or remove z.container, then daemon-reload"
            ]
        );
        // Two that are broken, and one that is refused for itself.
        let two = format!(
            "{dangling}error loading \"/q/y.pod\", read /q/y.pod: is a directory\nconverting \"c.container\": no Image\n"
        );
        let found = found_of(&quadlets, &[], "", &two);
        assert!(found[3].starts_with("quadlet-dropped folder /q: Podman makes no unit of a.container, b.volume either, because it cannot read z.container, y.pod in"), "{found:?}");
        assert_eq!(found.len(), 4);
        // Podman 4.4 and 4.5 pass over that file only.
        let old = "quadlet-generator[7]: Error loading '/q/z.container', ignoring: open /q/z.container: no such file or directory\n";
        let made = unit("a", "") + &unit("c", "");
        assert_eq!(found_of(&[quadlets[0], quadlets[2], quadlets[3]], &[], &made, old), [refused]);
        // It is broken elsewhere: what is not made here has another reason.
        let elsewhere = dangling.replace("/q/", "/q/sub/");
        let found = found_of(&quadlets[..1], &[], "", &elsewhere);
        assert!(
            found[1]
                .starts_with("quadlet-refused a.container: Podman makes no unit of it, and does not say why"),
            "{found:?}"
        );
    }

    #[test]
    fn what_podman_passes_over_without_a_word() {
        let made = unit("a", "");
        assert_eq!(found_of(&[("a.container", GOOD)], &[], &made, ""), Vec::<String>::new());
        let found_of_build =
            found_of(&[("a.container", GOOD), ("b.build", "[Build]\nImageTag=x\n")], &[], &made, "");
        assert_eq!(
            found_of_build,
            [
                "quadlet-refused b.build: Podman makes no unit of it, and does not say why; podman --version    # .build files need Podman 5.2"
            ]
        );
        let broken = [RefusedQuadlet { path: "/q/z.container".to_owned(), line: 3 }];
        let silent = [
            "quadlet-refused z.container: Podman silently ignores it: line 3 is not a section, a key=value or a comment; correct that line, then daemon-reload",
        ];
        assert_eq!(found_of(&[("a.container", GOOD)], &broken, &made, ""), silent);
        let said = "error loading \"/q/z.container\", file contains line 3: …\n";
        assert_eq!(found_of(&[("a.container", GOOD)], &broken, &made, said).len(), 1, "it is said once");
        // A drop-in costs itself only.
        let drop_in = "error loading \"/q/a.container.d/x.conf\", file contains line 1: …\n";
        let broken = [RefusedQuadlet { path: "/q/a.container.d/x.conf".to_owned(), line: 1 }];
        assert_eq!(
            found_of(&[("a.container", GOOD)], &broken, &made, drop_in),
            [
                "drop-in-ignored x.conf: Podman ignores this drop-in: file contains line 1: …; correct /q/a.container.d/x.conf, then daemon-reload"
            ]
        );
    }

    #[test]
    fn nothing_is_told_of_what_a_generator_did_not_finish() {
        let said = ProgramOutput { code: None, stdout: String::new(), stderr: String::new(), cut: false };
        let (expected, masked) = expected(&input_of(&[("a.container", GOOD)]));
        let judge = Judge {
            expected: &expected,
            masked: &masked,
            quadlets: &[],
            refused: &[],
            seen: String::new(),
            reload: "",
        };
        assert_eq!(judge.judge(&said), []);
    }

    /// Lines of a generated unit; what systemd drops of them.
    #[test]
    fn names_of_quadlets_in_units() {
        let quadlets = [("a.container", GOOD), ("db.container", GOOD), ("web.pod", "[Pod]\nPodName=web\n")];
        for (more, expected) in [
            ("After=db.service basic.target\nWants=x.socket", ""),
            (
                "After=db.container",
                "names a quadlet's file where systemd needs a unit's name: After=db.container; After=db.service    # in place of db.container",
            ),
            (
                "Wants=db.container\nRequires=none.volume\n[Install]\nWantedBy=web.pod default.target",
                "names a quadlet's file where systemd needs a unit's name: Wants=db.container, Requires=none.volume, WantedBy=web.pod; Wants=db.service    # in place of db.container; WantedBy=web-pod.service    # in place of web.pod",
            ),
            (
                "BindsTo=none@%i.kube",
                "names a quadlet's file where systemd needs a unit's name: BindsTo=none@%i.kube; write the name of the unit that Podman makes of it, which ends in .service",
            ),
            ("After=db.container\nAfter=", ""),
            ("Documentation=file:db.container\n[Service]\nAfter=db.container", ""),
        ] {
            let made =
                unit("a", more) + &unit("db", "") + "---web-pod.service---\n[Unit]\nSourcePath=/q/web.pod\n";
            let expected: Vec<String> = match expected {
                "" => Vec::new(),
                expected => vec![format!("quadlet-name a.container: {expected}")],
            };
            assert_eq!(found_of(&quadlets, &[], &made, ""), expected, "{more}");
        }
    }

    #[test]
    fn files_that_never_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.container"), GOOD).unwrap();
        nix::unistd::mkfifo(&at("b.pod"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, target) in [
            ("c.volume", "/dev/zero"),
            ("d.volume", "/dev/null"),
            ("e.kube", "/nonexistent"),
            ("f.kube", "b.pod"),
        ] {
            std::os::unix::fs::symlink(target, at(name)).unwrap();
        }
        let names = ["a.container", "b.pod", "c.volume", "d.volume", "e.kube", "f.kube"];
        let unread = names.map(|name| at(name).display().to_string()).to_vec();
        let directories = vec![quadlet::Directory { unread, ..quadlet::Directory::default() }];
        let input = QuadletInput { directories, ..input_of(&[]) };
        let found: Vec<(String, &str)> =
            traps(&input).iter().map(|(path, kind)| (file_name(path), *kind)).collect();
        let expected = [("b.pod", "a FIFO"), ("c.volume", "a device"), ("f.kube", "a FIFO")];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn what_podman_says_better_is_left_to_it() {
        let problem = |line: usize, message: &str| Problem {
            origin: "/q/a.container".to_owned(),
            line: Some(line),
            message: message.to_owned(),
        };
        let refused = RefusedQuadlet { path: "/q/a.container".to_owned(), line: 3 };
        assert!(refused.is_about(&problem(3, "whatever it says")));
        assert!(!refused.is_about(&problem(4, "whatever it says")));
        let finding = setting(&problem(4, "Gat: unknown key; write Gate"), "");
        assert_eq!((finding.subject.as_str(), finding.code), ("a.container", FindingCode::QuadletSetting));
    }
}
