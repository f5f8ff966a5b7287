//! Tries each fault once with plain `podman pull` and once with `netready pull`, all at the same time in one guest.
//! The resulting table is in docs/pull-faults.md.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::rows::{Ours, Plain, Row, Wrong, rows};
use super::{Pulled, Puller, Site};
use crate::registry::{Door, Fault, Lasts, NameFault, Names};
use crate::table;

/// How long plain Podman is observed, in seconds: longer than any fault, and than all of Podman's own attempts here.
const LOOKED_AT: u64 = 90;

/// The fault of one row, set up for one command.
struct Scene<'a> {
    row: &'a Row,
    puller: Puller<'a>,
    door: Door,
    names: Option<Names>,
    image: String,
}

impl<'a> Scene<'a> {
    fn set(site: &'a Site, row: &'a Row, name: &str, n: u16) -> Scene<'a> {
        let mut puller = Puller::new(&site.guest, name);
        if let Some(seconds) = row.up_for {
            puller.up_for(seconds);
        }
        let port = 6000 + n;
        let (door, domain) = match row.wrong {
            Wrong::WithCertificate(certificate) => {
                (site.registry.door_with_tls(port, certificate), "tls.example.org")
            }
            _ => (site.registry.door(port), "registry.example.org"),
        };
        let names = matches!(row.wrong, Wrong::WithNames(_)).then(|| {
            let server = format!("10.9.0.{}", 100 + n);
            site.guest.networks().lan(&format!("addr add {server}/24 dev e0p"));
            let names = Names::on(site.guest.networks(), &server);
            puller.name_server = Some(server);
            names
        });
        Scene { row, puller, door, names, image: format!("{name}.{domain}:{port}/{}", row.image) }
    }

    /// Starts the fault. A server that does not exist cannot notice its first client, so this fault has no end at
    /// first.
    fn fail(&self, span: Option<Duration>) {
        let lasts = span.map_or(Lasts::Forever, Lasts::FromFirst);
        match (self.row.wrong, &self.names) {
            (Wrong::AtTheDoor(Fault::Refused), _) => self.door.fails(Fault::Refused, Lasts::Forever),
            (Wrong::AtTheDoor(fault), _) => self.door.fails(fault, lasts),
            (Wrong::WithNames(NameFault::Absent), Some(names)) => {
                names.fails(NameFault::Absent, Lasts::Forever);
            }
            (Wrong::WithNames(fault), Some(names)) => names.fails(fault, lasts),
            _ => {}
        }
    }

    /// Runs a command while the fault is active. If a server does not exist, it appears some time after the command
    /// announces its first attempt.
    fn run(&self, command: &str, lasts: Option<u64>) -> Pulled {
        let span = lasts.map(Duration::from_secs);
        self.fail(span);
        let mut begun = false;
        self.puller.run_heard(command, |line| {
            if begun || !line.starts_with("Trying to pull") {
                return;
            }
            begun = true;
            let Some(span) = span else { return };
            match (self.row.wrong, &self.names) {
                (Wrong::AtTheDoor(Fault::Refused), _) => self.door.fails(Fault::Refused, Lasts::For(span)),
                (Wrong::WithNames(NameFault::Absent), Some(names)) => {
                    names.fails(NameFault::Absent, Lasts::For(span));
                }
                _ => {}
            }
        })
    }

    /// If Podman is expected to fail, the fault lasts until it has: on a busy machine, Podman's own attempts may take longer
    /// than the fault.
    fn plain(&self) -> Pulled {
        let tool = match self.row.skopeo {
            false => format!("podman pull {} {}", self.row.arguments, self.image),
            true => self.skopeo(),
        };
        self.run(
            &format!("timeout {LOOKED_AT} {tool}"),
            self.row.lasts.filter(|_| self.row.plain != Plain::Fails),
        )
    }

    fn ours(&self) -> Pulled {
        self.run(&self.netready(), self.row.lasts)
    }

    fn netready(&self) -> String {
        let again = "--retries 60 --delay 4s --max-delay 8s --max-elapsed 5min";
        match self.row.skopeo {
            false => {
                let (options, arguments) = (self.row.options, self.row.arguments);
                format!("netready pull {again} {options} {} -- {arguments}", self.image)
            }
            true => format!("netready retry {again} --classify oci -- {}", self.skopeo()),
        }
    }

    fn skopeo(&self) -> String {
        format!("skopeo copy docker://{} containers-storage:{}", self.image, self.image)
    }

    /// Ends the fault. Returns whether the image can be pulled now, so that nothing that failed before is in the way.
    fn comes_once_healed(&self) -> bool {
        match (self.row.wrong, &self.names) {
            (Wrong::AtTheDoor(_), _) => self.door.heals(),
            (Wrong::WithNames(_), Some(names)) => names.heals(),
            // The image that was requested does not exist, which does not change.
            _ => return true,
        }
        self.puller.run(&self.netready()).code == 0 && self.has_image()
    }

    /// What the door and the name server received.
    fn asked(&self) -> String {
        let requests = self.door.requests();
        let mut text = format!("{} connections", self.door.connections());
        if let Some(names) = &self.names {
            let _ = write!(text, ", {} queries", names.queries());
        }
        for request in &requests {
            let at = request.at - requests[0].at;
            let _ = write!(text, "\n{:7.3} {} {:?}", at.as_secs_f64(), request.line, request.fault);
        }
        text
    }

    fn has_image(&self) -> bool {
        self.puller.run(&format!("podman image exists {}", self.image)).code == 0
    }
}

/// The number of lines with this sign, which Podman or netready writes when it tries again.
fn count(text: &str, sign: &str) -> usize {
    text.lines().filter(|line| line.contains(sign)).count()
}

/// The number of netready's attempts, and the reasons why they failed.
fn attempts(pulled: &Pulled) -> (usize, Vec<&str>) {
    let lines = pulled.stderr.lines().filter_map(|line| line.strip_prefix("netready: "));
    let mut reasons = Vec::new();
    let mut last = usize::from(pulled.code == 0);
    for line in lines {
        if let Some((_, why)) = line.strip_prefix("attempt ").and_then(|line| line.split_once(" failed: ")) {
            reasons.push(why.rsplit_once("; next in ").map_or(why, |(why, _)| why));
        }
        if let Some((_, why)) = line.strip_prefix("given up after ").and_then(|line| line.split_once(": ")) {
            reasons.push(why);
            last = 0;
        }
    }
    (reasons.len() + last, reasons)
}

struct Seen {
    plain: Pulled,
    plain_has: bool,
    ours: Pulled,
    ours_has: bool,
    /// Whether the image can be pulled after the fault is over.
    healed: bool,
    asked: [String; 2],
}

fn look(site: &Site, row: &Row, n: u16) -> Seen {
    std::thread::scope(|scope| {
        let plain = scope.spawn(move || {
            let scene = Scene::set(site, row, &format!("plain{n}"), 2 * n);
            (scene.plain(), scene.has_image(), scene.asked())
        });
        let ours = scope.spawn(move || {
            let scene = Scene::set(site, row, &format!("ours{n}"), 2 * n + 1);
            let ours = scene.ours();
            (ours, scene.has_image(), scene.asked(), scene.comes_once_healed())
        });
        let (plain, plain_has, plain_asked) = plain.join().unwrap();
        let (ours, ours_has, ours_asked, healed) = ours.join().unwrap();
        Seen { plain, plain_has, ours, ours_has, healed, asked: [plain_asked, ours_asked] }
    })
}

impl Seen {
    fn wrong(&self, row: &Row) -> String {
        let mut wrong = String::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                let _ = writeln!(wrong, "{}: {what}", row.fault);
            }
        };
        let (made, reasons) = attempts(&self.ours);
        match row.plain {
            Plain::Fails => expect(![0, 124].contains(&self.plain.code), "plain: it does not fail"),
            Plain::Hangs => expect(self.plain.code == 124, "plain: it ends"),
            Plain::Any => {}
        }
        expect(self.plain_has == (self.plain.code == 0), "plain: the image and the exit code differ");
        match row.ours {
            Ours::Comes | Ours::ComesByItself => {
                expect(self.ours.code == 0 && self.ours_has, "no image");
                expect(made >= 2 || row.ours == Ours::ComesByItself, "one attempt only");
            }
            Ours::Final => {
                expect(self.ours.code == self.plain.code, "not the tool's own exit code");
                expect(made == 1, "more than one attempt");
                expect(self.ours.stderr.contains("waiting does not help"), "not given up as final");
            }
            Ours::Ended => {
                expect(self.ours.code == 124, "not 124");
                expect(made == 2, "not two attempts");
            }
        }
        expect(self.healed, "no image although all is well again");
        let delays =
            self.ours.stderr.lines().filter_map(|line| line.rsplit_once("; next in ")?.1.strip_suffix('s'));
        for delay in delays.filter_map(|delay| delay.parse::<f64>().ok()) {
            let (from, to) = row.next;
            expect((from..=to).contains(&delay), &format!("next in {delay} s"));
        }
        // Under load, an attempt may fail for another reason that can pass.
        let named = reasons.contains(&row.why);
        expect(named || row.ours == Ours::ComesByItself, &format!("it named {reasons:?}"));
        wrong
    }

    fn line(&self, row: &Row) -> String {
        let (made, mut reasons) = attempts(&self.ours);
        reasons.dedup();
        let reasons = if reasons.is_empty() { "-".to_owned() } else { reasons.join("; ") };
        let plain = match self.plain.code {
            124 => format!("still there after {LOOKED_AT} s"),
            code => format!("{code} after {:.1} s", self.plain.seconds),
        };
        format!(
            "| {} | {plain} | {} | {} after {:.1} s | {made} | {} |",
            row.fault,
            1 + count(&self.plain.stderr, "Failed, retrying in"),
            self.ours.code,
            self.ours.seconds,
            reasons
        )
    }
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn each_fault_without_netready_and_with_it() {
    crate::enter();
    let site = Site::boot();
    let rows = rows();
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let looks: Vec<_> = (0..)
            .zip(&rows)
            .map(|(n, row)| {
                // Start them one after the other: sixty Podman processes at once would be too late for a fault of
                // half a minute.
                std::thread::sleep(Duration::from_millis(300));
                let site = &site;
                scope.spawn(move || look(site, row, n))
            })
            .collect();
        looks.into_iter().map(|look| look.join().unwrap()).collect()
    });
    let mut table = "| fault | `podman pull`: exit code | attempts | `netready pull`: exit code | attempts | reason |\n|---|---|---|---|---|---|\n".to_owned();
    let mut log = String::new();
    let mut wrong = String::new();
    for (row, seen) in rows.iter().zip(&seen) {
        let _ = writeln!(table, "{}", seen.line(row));
        wrong += &seen.wrong(row);
        let _ = writeln!(
            log,
            "── {}\n-- plain: {}\n{}\n{}\n-- ours: {}\n{}\n{}",
            row.fault,
            seen.plain.code,
            seen.plain.stderr,
            seen.asked[0],
            seen.ours.code,
            seen.ours.stderr,
            seen.asked[1]
        );
    }
    fs::write(table::folder().join("pulls.md"), table).unwrap();
    fs::write(table::folder().join("pulls.log"), log).unwrap();
    assert!(wrong.is_empty(), "{wrong}\nwhat was said: {}", table::folder().display());
}
