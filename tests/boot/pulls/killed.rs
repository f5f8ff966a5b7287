//! `netready pull` is killed at many different moments, also in the middle of a layer. Nothing may be left running,
//! and the next pull must succeed in spite of what is left in the storage.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use super::{Puller, Site};
use crate::guest::run;
use crate::registry::{Fault, IMAGE, Lasts};
use crate::rootfs::{self, Release};
use crate::table;

/// At this rate, a pull of two megabytes takes three seconds.
const SLOW: Fault = Fault::Slow(700_000);
/// The numbers of the moments: each is this many steps after the start.
const STEPS: std::ops::Range<u64> = 0..14;
const STEP: u64 = 240;

/// The running processes of this puller, without the pause process, which holds Podman's user namespace and is meant
/// to stay.
fn left_over(puller: &Puller<'_>) -> String {
    puller.guest.sh(&format!(
        "pause=$(cat {0}/run/libpod/tmp/pause.pid 2>/dev/null)
         for process in /proc/[0-9]*; do
             pid=${{process#/proc/}}
             test \"$pid\" = \"$pause\" && continue
             tr '\\0' '\\n' <$process/environ 2>/dev/null | grep -qx 'XDG_RUNTIME_DIR={0}/run' || continue
             echo $pid $(grep State $process/status) $(tr '\\0' ' ' <$process/cmdline)
         done",
        puller.place
    ))
}

/// The image in the storage, and Podman's check of the storage.
fn checked(puller: &Puller<'_>, image: &str) -> (String, String) {
    let script = format!(
        "podman unshare sh -c \"place=\\$(podman image mount {image}) && sha256sum <\\$place/bin/busybox; \
         podman image unmount {image} >/dev/null; podman system check 2>&1\"",
    );
    let said = puller.run(&script);
    (said.stdout, said.stderr)
}

fn one_signal(site: &Site, n: u16, signal: &str, code: i32) {
    let busybox =
        run(std::process::Command::new("sha256sum").arg(rootfs::base(Release::usual()).join("bin/busybox")));
    let busybox = busybox.split_whitespace().next().unwrap();
    let puller = Puller::new(&site.guest, &format!("killed{signal}"));
    let door = site.registry.door(7000 + n);
    let image = format!("killed{n}.registry.example.org:{}/{IMAGE}", 7000 + n);
    let temporary = format!("{}/temporary", puller.place);
    assert_eq!(puller.run(&format!("mkdir {temporary}")).code, 0);
    let mut littered = 0;
    let mut log = String::new();
    for step in STEPS {
        let at = Duration::from_millis(20 + step * STEP).as_secs_f64();
        door.fails(SLOW, Lasts::Forever);
        let killed = puller
            .run(&format!("env TMPDIR={temporary} timeout --foreground --preserve-status -s {signal} {at} netready pull {image}"));
        let ended = Instant::now();
        let mut left = left_over(&puller);
        while !left.is_empty() && ended.elapsed() < Duration::from_secs(240) {
            std::thread::sleep(Duration::from_millis(100));
            left = left_over(&puller);
        }
        let gone_after = ended.elapsed();
        if !puller.guest.sh(&format!("find {temporary} -type f")).is_empty() {
            littered += 1;
        }
        puller.guest.sh(&format!("rm -rf {temporary}/*"));
        door.heals();
        let next = puller.run(&format!("netready pull {image}"));
        let (content, storage) = checked(&puller, &image);
        let _ = writeln!(
            log,
            "{signal} at {at}: {} {}\nleft after {gone_after:?}: {left:?}, littered: {littered}\nnext: {} {}\n{content}{storage}",
            killed.code, killed.stderr, next.code, next.stderr
        );
        fs::write(table::folder().join(format!("killed-{signal}.log")), &log).unwrap();
        assert!([0, code].contains(&killed.code), "{log}");
        assert_eq!(left, "", "{log}");
        assert_eq!(next.code, 0, "{log}");
        assert!(content.starts_with(busybox), "{log}");
        let removed = puller.run(&format!("podman rmi --force {image}"));
        assert_eq!(removed.code, 0, "{}\n{log}", removed.stderr);
    }
    // The folder of each attempt is removed after it, whichever process was killed.
    assert_eq!(littered, 0, "{littered} times a part of the layer was left in {temporary}:\n{log}");
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn killed_at_any_moment() {
    crate::enter();
    let site = Site::boot();
    let site = &site;
    std::thread::scope(|scope| {
        for (n, (signal, code)) in (0..).zip([("TERM", 143), ("INT", 130), ("KILL", 137)]) {
            scope.spawn(move || one_signal(site, n, signal, code));
        }
    });
}
