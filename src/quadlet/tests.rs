mod healing;
mod images;
mod names;
mod networks;
mod notify;
mod takeover;

use super::unit::drop_in_folders;
use super::*;
use proptest::prelude::*;

/// Files by path: `foo.container`, `foo.container.d/a.conf`, with `1:` in front in the second directory.
fn input(manager: Manager, wait_unit: WaitUnit, files: &[(&str, &str)]) -> QuadletInput {
    let mut directories = vec![Directory::default(), Directory::default()];
    for (path, text) in files {
        let (directory, path) = match path.strip_prefix("1:") {
            Some(path) => (1, path),
            None => (0, *path),
        };
        let source = Source { path: format!("/q{directory}/{path}"), text: (*text).to_owned() };
        match path.split_once('/') {
            Some((folder, name)) => {
                let drop_ins = directories[directory].drop_ins.entry(folder.to_owned()).or_default();
                drop_ins.insert(name.to_owned(), source);
            }
            None => {
                directories[directory].quadlets.insert(path.to_owned(), source);
            }
        }
    }
    let netready = "/usr/bin/netready".to_owned();
    QuadletInput { manager, wait_unit, netready, directories, taken: BTreeSet::new(), waiting: Vec::new() }
}

/// `UNIT: line; line`, without comments and headers, then the complaints.
fn shown(plan: &Plan) -> Vec<String> {
    let drop_ins = plan.drop_ins.iter().map(|drop_in| {
        let lines: Vec<&str> = drop_in
            .text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
            .map(|line| line.trim_start_matches("ExecStartPre=/usr/bin/netready "))
            .collect();
        format!("{}: {}", drop_in.unit, lines.join("; "))
    });
    drop_ins.chain(plan.problems.iter().map(|problem| problem.to_string())).collect()
}

fn user(wait_unit: WaitUnit, files: &[(&str, &str)]) -> Vec<String> {
    shown(&plan(&input(Manager::User, wait_unit, files)))
}

fn system(files: &[(&str, &str)]) -> Vec<String> {
    shown(&plan(&input(Manager::System, WaitUnit::Absent, files)))
}

const APP: &str = "[Container]\nImage=docker.io/library/app:1\n";

fn with(section: &str) -> String {
    format!("{APP}[X-Netready]\n{section}\n")
}

const NONE: [&str; 0] = [];
const EMPTIED: &str = "podman-user-wait-network-online.service: ExecStart=; ExecStart=/bin/sh -c :";

#[test]
fn a_plain_quadlet_waits_for_the_users_gate() {
    let files = [("app.container", APP)];
    assert_eq!(user(WaitUnit::Gated, &files), NONE);
    assert_eq!(user(WaitUnit::Replaced, &files), NONE);
    assert_eq!(
        user(WaitUnit::Absent, &files),
        ["app.service: Wants=netready.service; After=netready.service"]
    );
    assert_eq!(system(&files), NONE);
}

#[test]
fn the_whole_text() {
    let text = with("Gate=uplink\nGateRequired=yes\nPullRetry=8\nPullRetryDelay=2s\nPullRetryMaxDelay=1min");
    let plan = plan(&input(Manager::System, WaitUnit::Absent, &[("app.container", &text)]));
    assert_eq!(plan.problems, []);
    assert_eq!(plan.drop_ins.len(), 1);
    assert_eq!(plan.drop_ins[0].path(), "app.service.d/50-netready.conf");
    assert_eq!(
        plan.drop_ins[0].text,
        "# Made by netready-generator from /q0/app.container\n\
         \n\
         [Unit]\n\
         Wants=netready@uplink.service\n\
         After=netready@uplink.service\n\
         \n\
         [Service]\n\
         TimeoutStartSec=infinity\n\
         ExecStartPre=/usr/bin/netready wait uplink --timeout infinity --no-carrier-timeout infinity\n\
         ExecStartPre=/usr/bin/netready pull --gate uplink --retries 8 --delay 2s --max-delay 1min \
         --policy missing docker.io/library/app:1\n"
    );
}

#[test]
fn a_gate_of_its_own_empties_podmans_wait_unit() {
    let (app, lan) = (APP, with("Gate=lan"));
    let own = "lan.service: Wants=netready@lan.service; After=netready@lan.service";
    let plain = "app.service: Wants=netready.service; After=netready.service";
    let files = [("app.container", app), ("lan.container", lan.as_str())];
    assert_eq!(user(WaitUnit::Gated, &files), [plain, own, EMPTIED]);
    assert_eq!(user(WaitUnit::Absent, &files), [plain, own]);
    // Who replaced the drop-in gates by hand.
    assert_eq!(user(WaitUnit::Replaced, &files), [own]);
    assert_eq!(system(&files), [own]);
    // Podman does not order this one after its wait unit.
    let lan = format!("{lan}[Quadlet]\nDefaultDependencies=false\n");
    assert_eq!(user(WaitUnit::Gated, &[("app.container", app), ("lan.container", &lan)]), [own]);
}

/// The section's lines, then what comes of it with Podman's wait unit there and without it.
#[test]
fn gates() {
    for (section, gated, absent) in [
        ("Gate=podman", &NONE[..], &["app.service: Wants=netready.service; After=netready.service"][..]),
        ("Gate=none", &[EMPTIED], &[]),
        ("Gate=lan\nGate=", &[], &["app.service: Wants=netready.service; After=netready.service"]),
        (
            "GateRequired=yes",
            &[
                "app.service: TimeoutStartSec=infinity; wait podman --timeout infinity --no-carrier-timeout infinity",
            ],
            &[
                "app.service: Wants=netready.service; After=netready.service; TimeoutStartSec=infinity; wait podman --timeout infinity --no-carrier-timeout infinity",
            ],
        ),
        (
            "Gate=none\nGateRequired=1",
            &[EMPTIED, "/q0/app.container:5: GateRequired: there is no gate to require; write Gate=podman"],
            &["/q0/app.container:5: GateRequired: there is no gate to require; write Gate=podman"],
        ),
        ("[Quadlet]\nDefaultDependencies=false", &[], &[]),
        (
            "Gate=podman\n[Quadlet]\nDefaultDependencies=no",
            &["app.service: Wants=netready.service; After=netready.service"],
            &["app.service: Wants=netready.service; After=netready.service"],
        ),
    ] {
        let text = with(section);
        let files = [("app.container", text.as_str())];
        assert_eq!(user(WaitUnit::Gated, &files), gated, "{section}");
        assert_eq!(user(WaitUnit::Absent, &files), absent, "{section}");
    }
}

/// To require another gate than the one that was meant could hold the container back for ever.
#[test]
fn a_gate_that_is_not_known_is_not_required() {
    let required =
        "app.service: TimeoutStartSec=infinity; wait podman --timeout infinity --no-carrier-timeout infinity";
    let said = user(WaitUnit::Gated, &[("app.container", &with("Gate=\"lan\"\nGateRequired=yes"))]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("/q0/app.container:4: Gate: "), "{said:?}");
    assert!(said[1].starts_with("/q0/app.container:5: GateRequired: ignored"), "{said:?}");
    // Said again, rightly or not at all, it is known.
    for section in ["Gate=a b\nGate=podman\nGateRequired=yes", "GateRequired=yes\nGate=a b\nGate="] {
        let said = user(WaitUnit::Gated, &[("app.container", &with(section))]);
        assert_eq!(said[0], required, "{section}");
    }
}

#[test]
fn what_is_wrong_in_a_drop_in_for_all_is_said_once() {
    let files = [
        ("a.container", APP),
        ("b.container", APP),
        ("c.container", APP),
        ("container.d/all.conf", "[X-Netready]\nGate=a b\nPullretry=3\n[X-NETREADY]\n"),
        ("container.d/none.conf", "nonsense\n"),
    ];
    let said = user(WaitUnit::Gated, &files);
    let lines: Vec<&str> = said.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        lines,
        [
            "/q0/container.d/none.conf:1",
            "/q0/container.d/all.conf:4",
            "/q0/container.d/all.conf:2",
            "/q0/container.d/all.conf:3"
        ],
        "{said:?}"
    );
}

/// File, text; the drop-in in a system manager.
#[test]
fn units_are_named_as_podman_names_them() {
    for (file, section, service) in [
        ("a.container", "Container", "a.service"),
        ("a.kube", "Kube", "a.service"),
        ("a.pod", "Pod", "a-pod.service"),
        ("a.image", "Image", "a-image.service"),
        ("a.build", "Build", "a-build.service"),
        ("a.b.container", "Container", "a.b.service"),
        ("a@.container", "Container", "a@.service"),
        ("a@1.container", "Container", "a@1.service"),
        ("a@1.image", "Image", "a@1-image.service"),
    ] {
        let text = format!("[{section}]\nk=v\n[X-Netready]\nGate=g\n");
        let said = format!("{service}: Wants=netready@g.service; After=netready@g.service");
        assert_eq!(system(&[(file, &text)]), [said], "{file}");
        let text = format!("[{section}]\nServiceName=other\n[X-Netready]\nGate=g\n");
        let said = "other.service: Wants=netready@g.service; After=netready@g.service";
        assert_eq!(system(&[(file, &text)]), [said], "{file}");
    }
}

#[test]
fn a_drop_in_reaches_no_other_unit() {
    let long = "a".repeat(241);
    for name in [
        "",
        "../evil",
        "a/b",
        "/a",
        "a-",
        "a-@1",
        "@x",
        ".a",
        "..",
        "a b",
        "%p",
        "a%i",
        "a\tb",
        "a\u{1b}[2J",
        "a\0b",
        "a\u{202e}b",
        "a\"b",
        "a'b",
        "$x",
        "é",
        "a;b",
        "a=b",
        "\u{fffd}",
        &long,
    ] {
        let text = format!("[Container]\nServiceName={name}\nImage=x\n[X-Netready]\nGate=g\n");
        let said = system(&[("a.container", &text), ("b.container", &with("Gate=g"))]);
        assert_eq!(said.iter().filter(|line| line.starts_with("b.service: ")).count(), 1, "{name}");
        if !name.is_empty() {
            assert_eq!(said.len(), 2, "{name}: {said:?}");
            assert!(said[1].contains("not a unit name"), "{said:?}");
            assert!(!said[1].contains(crate::escape::is_unsafe), "{said:?}");
        }
        // The file's own name is no better.
        if !name.is_empty() && !name.contains('/') {
            let file = format!("{name}.container");
            let said = system(&[(&file, &with("Gate=g\nRestartWhenReady=yes"))]);
            assert!(said.len() == 1 && said[0].contains("not a unit name"), "{said:?}");
        }
    }
}

#[test]
fn pulls() {
    let pull = |rest: &str| vec![format!("app.service: pull --gate none --retries 3 {rest}")];
    for (file, container, said) in [
        ("app.container", "Image=i", pull("--policy missing i")),
        ("app.container", "Image=i:%i", pull("--policy missing i:%i")),
        ("app.container", "Image=${REGISTRY}/i", pull("--policy missing ${REGISTRY}/i")),
        ("app.container", "Image=i\nPull=newer", pull("--policy newer i")),
        ("app.container", "Image=i\nPull=always", pull("--policy always i")),
        ("app.container", "Image=i\nPull=never", vec![]),
        ("app.container", "Image=i\nPodmanArgs=--pull=never", vec![]),
        (
            "app.container",
            "Image=i\nContainersConfModule=/m.conf\nGlobalArgs=--log-level=debug --root '/a b'",
            pull(
                "--policy missing --global-arg=--module=/m.conf --global-arg=--log-level=debug --global-arg=--root \"--global-arg=/a b\" i",
            ),
        ),
        (
            "app.container",
            "Image=i\nPodmanArgs=--authfile /a --memory 1g --tls-verify=false\nPodmanArgs=--platform=linux/arm64",
            pull("--policy missing i -- --authfile=/a --tls-verify=false --platform=linux/arm64"),
        ),
        (
            "app.container",
            "Image=x.image",
            vec!["/q0/app.container:4: PullRetry…: x.image belongs to another unit; write this setting there".to_owned()],
        ),
        (
            "app.container",
            "Rootfs=/r",
            vec!["/q0/app.container:4: PullRetry…: there is no Image= to pull".to_owned()],
        ),
        (
            "app.container",
            "Image=i\u{202e}\u{1b}[2J",
            pull("--policy missing \"i\\u202e\\x1b[2J\""),
        ),
        (
            "app.container",
            "Image=i\u{fffd}",
            vec!["/q0/app.container:4: PullRetry…: the image or its options contain text that a unit file cannot hold".to_owned()],
        ),
        (
            "app.container",
            "Image=i\nGlobalArgs=--log-level=a\0b",
            vec!["/q0/app.container:4: PullRetry…: the image or its options contain text that a unit file cannot hold".to_owned()],
        ),
    ] {
        let text = format!("[Container]\n{container}\n[X-Netready]\nPullRetry=3\n");
        let mut found = system(&[(file, &text)]);
        for line in &mut found {
            // The line depends on the case.
            if let Some(rest) = line.strip_prefix("/q0/app.container:") {
                *line = format!("/q0/app.container:4{}", rest.trim_start_matches(char::is_numeric));
            }
        }
        assert_eq!(found, said, "{container}");
    }
}

#[test]
fn an_image_is_pulled_as_podman_would() {
    let text = "[Image]\nImage=r/i\nAuthFile=/run/auth file\nTLSVerify=false\nAllTags=yes\nArch=arm64\n\
                PodmanArgs=--quiet\n[X-Netready]\nPullRetryDelay=90s\n";
    let said = "i-image.service: NotifyAccess=all; pull --gate none --delay 90s --policy always r/i -- --arch=arm64 \
                \"--authfile=/run/auth file\" --all-tags --tls-verify=false --quiet";
    assert_eq!(system(&[("i.image", text)]), [said]);
}

#[test]
fn kinds_without_a_pull_say_so() {
    let own = "has no pull of its own; write this setting into a .container or .image file";
    for (name, text, said) in [
        ("p.pod", "[Pod]\nPodName=p\n", format!("a .pod file {own}")),
        ("b.build", "[Build]\nImageTag=i\n", format!("a .build file {own}")),
        ("k.kube", "[Kube]\nYaml=k.yml\n", format!("a .kube file {own}")),
        (
            "a.artifact",
            "[Artifact]\nArtifact=r/a:1\n",
            "netready pulls images only; for Podman 5.7 and later, write Retry= into [Artifact]".to_owned(),
        ),
    ] {
        let own = format!("{text}[X-Netready]\nPullRetry=3\n");
        assert_eq!(system(&[(name, &own)]), [format!("/q0/{name}:4: PullRetry…: {said}")]);
        let (_, kind) = name.split_once('.').unwrap();
        let drop_in = format!("{kind}.d/x.conf");
        assert_eq!(
            system(&[(name, text), (&drop_in, "[X-Netready]\nPullRetryDelay=3s\n")]),
            [format!("/q0/{drop_in}:2: PullRetry…: {said}")]
        );
    }
}

/// The section's lines; the complaints about them, without the file.
#[test]
fn a_bad_line_costs_its_own_setting() {
    for (section, complaints) in [
        ("gate=g\nGate=g", "4: gate: unknown key; write Gate"),
        ("Gates=h\nGate=g", "4: Gates: unknown key; write Gate"),
        (
            "Nonsense=h\nGate=g",
            "4: Nonsense: unknown key; the keys of [X-Netready] are Gate, GateRequired, RestartWhenReady, PullRetry, PullRetryDelay, PullRetryMaxDelay",
        ),
        (
            "Gate=g\nGate=a b",
            "5: Gate: \"a b\" is not a gate's name; a name has letters, digits, '-', '_', '.' and ':', as in Gate=uplink; or write none",
        ),
        ("Gate=g\nGate=lan.toml", "5: Gate: write the name of a gate without .toml: Gate=lan"),
        (
            "Gate=g\nGate=/etc/x.toml",
            "5: Gate: takes a gate's name, not a file: Gate=uplink is /etc/netready/uplink.toml",
        ),
        ("Gate=g\nGateRequired=maybe", "5: GateRequired: takes yes or no, not \"maybe\""),
        ("Gate=g\nPullRetry=many", "5: PullRetry: takes a number, as in PullRetry=8, not \"many\""),
        ("Gate=g\nPullRetry=-1", "5: PullRetry: takes a number, as in PullRetry=8, not \"-1\""),
        (
            "Gate=g\nPullRetryDelay=soon",
            "5: PullRetryDelay: takes a duration, as in PullRetryDelay=2s, not \"soon\"",
        ),
        (
            "Gate=g\nPullRetryMaxDelay=infinity",
            "5: PullRetryMaxDelay: takes a duration, as in PullRetryMaxDelay=2s, not \"infinity\"",
        ),
    ] {
        let text = with(section);
        let said = system(&[("app.container", &text)]);
        assert_eq!(
            said,
            [
                "app.service: Wants=netready@g.service; After=netready@g.service".to_owned(),
                format!("/q0/app.container:{complaints}")
            ],
            "{section}"
        );
    }
    let text = format!("{APP}[X-NetReady]\nGate=g\n");
    assert_eq!(
        system(&[("app.container", &text)]),
        ["/q0/app.container:3: [X-NetReady]: unknown section; write [X-Netready]"]
    );
    let text = with("PullRetryDelay=5s\nPullRetryMaxDelay=1s");
    assert_eq!(
        system(&[("app.container", &text)]),
        [
            "app.service: pull --gate none --delay 5s --policy missing docker.io/library/app:1",
            "/q0/app.container:5: PullRetryMaxDelay: is less than PullRetryDelay=; write both or leave it out"
        ]
    );
    assert_eq!(system(&[("app.container", &with("PullRetry=0\nPullRetryDelay=5s"))]), NONE);
    assert_eq!(system(&[("app.container", &with("PullRetry=3\nPullRetry="))]), NONE);
}

#[test]
fn drop_ins_are_read_as_podman_reads_them() {
    assert_eq!(
        drop_in_folders("a-b@c.container"),
        ["a-b@c.container.d", "a-b@.container.d", "a-@.container.d", "a-.container.d", "container.d"]
    );
    assert_eq!(drop_in_folders("a.pod"), ["a.pod.d", "pod.d"]);
    let gate = |name: &str| format!("[X-Netready]\nGate={name}\n");
    let own =
        |name: &str| format!("a-b.service: Wants=netready@{name}.service; After=netready@{name}.service");
    let (one, two) = (gate("one"), gate("two"));
    for (files, name) in [
        (&["a-b.container.d/x.conf"][..], "one"),
        (&["a-.container.d/x.conf"], "one"),
        (&["container.d/x.conf"], "one"),
        (&["1:container.d/x.conf"], "one"),
        // Of one name, the most special counts; of several, the last.
        (&["container.d/x.conf", "a-b.container.d/x.conf"], "two"),
        (&["container.d/x.conf", "a-b.container.d/a.conf"], "one"),
        (&["1:a-b.container.d/x.conf", "a-b.container.d/x.conf"], "two"),
    ] {
        let mut all = vec![("a-b.container", APP)];
        all.extend(files.iter().zip([one.as_str(), two.as_str()]).map(|(file, text)| (*file, text)));
        assert_eq!(system(&all), [own(name)], "{files:?}");
    }
}

#[test]
fn the_first_directory_wins() {
    let (one, two) = (with("Gate=one"), with("Gate=two"));
    let said =
        |name: &str| vec![format!("a.service: Wants=netready@{name}.service; After=netready@{name}.service")];
    assert_eq!(system(&[("a.container", &one), ("1:a.container", &two)]), said("one"));
    // Masked.
    assert_eq!(system(&[("a.container", ""), ("1:a.container", &two)]), NONE);
    // Podman refuses the first and takes the second.
    let refused =
        "/q0/a.container:1: Podman refuses this file: the line is not a section, a key=value or a comment";
    assert_eq!(
        system(&[("a.container", "broken"), ("1:a.container", &two)]),
        [said("two"), vec![refused.to_owned()]].concat()
    );
}

#[test]
fn gates_go_with_pods_and_images() {
    let pod = "[Pod]\nPodName=p\n[X-Netready]\nGate=lan\n";
    let member = "[Container]\nImage=i\nPod=p.pod\n";
    assert_eq!(
        user(WaitUnit::Absent, &[("p.pod", pod), ("m.container", member)]),
        [
            "m.service: Wants=netready@lan.service; After=netready@lan.service",
            "p-pod.service: Wants=netready@lan.service; After=netready@lan.service"
        ]
    );
    let image = "[Image]\nImage=r/i\n";
    let (lan, wan) = ("[Container]\nImage=i.image\n[X-Netready]\nGate=lan\n", "[Container]\nImage=i.image\n");
    assert_eq!(
        user(WaitUnit::Absent, &[("i.image", image), ("c.container", lan)]),
        [
            "c.service: Wants=netready@lan.service; After=netready@lan.service",
            "i-image.service: Wants=netready@lan.service; After=netready@lan.service"
        ]
    );
    // Where its users disagree, the image has the user's gate.
    assert_eq!(
        user(WaitUnit::Absent, &[("i.image", image), ("c.container", lan), ("d.container", wan)])[2],
        "i-image.service: Wants=netready.service; After=netready.service"
    );
    // No network is needed to create one.
    let network = "[Network]\nSubnet=10.0.0.0/24\n";
    assert_eq!(user(WaitUnit::Absent, &[("n.network", network), ("v.volume", "[Volume]\nUser=0\n")]), NONE);
}

#[test]
fn a_required_gate_lifts_the_timeout_of_a_pod() {
    let text = "[Pod]\nPodName=p\n[X-Netready]\nGate=g\nGateRequired=yes\n";
    let said = &system(&[("p.pod", text)])[0];
    assert!(said.contains("; TimeoutStartSec=infinity; NotifyAccess=all; wait g "), "{said}");
    let text = format!("{text}[Service]\nTimeoutStartSec=5min\n");
    let said = &system(&[("p.pod", &text)])[0];
    assert!(!said.contains("TimeoutStartSec"), "{said}");
}

/// The lines of `[Service]`, and whether the drop-in lifts the limit of the start.
#[test]
fn a_limit_of_the_quadlets_own_stays() {
    for (service, lifted) in [
        ("", true),
        ("TimeoutStartSec=900", false),
        ("TimeoutSec=900", false),
        ("TimeoutStartSec=infinity", false),
        ("TimeoutStartSec=900\nTimeoutStartSec=", false),
        ("TimeoutStartSec=", true),
        ("TimeoutStopSec=900", true),
        ("Restart=no", true),
        // systemd starts the unit again, and it waits again.
        ("Restart=on-failure", false),
        ("Restart=always\nTimeoutStartSec=900", false),
        ("Type=oneshot", false),
    ] {
        let text = with(&format!("Gate=g\nGateRequired=yes\n[Service]\n{service}"));
        let said = &system(&[("app.container", &text)])[0];
        assert_eq!(said.contains("; TimeoutStartSec=infinity; "), lifted, "{service:?}: {said}");
        assert!(said.contains("; wait g --timeout infinity "), "{service:?}: {said}");
        // A pull alone is bounded by --max-elapsed, and needs no start without a limit.
        let text = with(&format!("Gate=g\nPullRetry=3\n[Service]\n{service}"));
        let said = &system(&[("app.container", &text)])[0];
        assert!(!said.contains("TimeoutStartSec"), "{service:?}: {said}");
    }
}

#[test]
fn units_of_others_are_left_alone() {
    let text = with("Gate=g");
    let mut input = input(Manager::System, WaitUnit::Absent, &[("app.container", &text)]);
    input.taken.insert("app.service".to_owned());
    assert_eq!(shown(&plan(&input)), NONE);
}

/// A line of a unit file, right or broken.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[Container]".to_owned()),
        Just("[X-Netready]".to_owned()),
        Just("[Quadlet]".to_owned()),
        Just("[Image]".to_owned()),
        "(Gate|GateRequired|RestartWhenReady|PullRetry|PullRetryDelay|PullRetryMaxDelay)=[ -~]{0,12}",
        Just("RestartWhenReady=yes".to_owned()),
        "(Image|ServiceName|Pull|Pod|PodmanArgs|GlobalArgs|ContainersConfModule)=[ -~]{0,24}",
        "(DefaultDependencies|AuthFile|TLSVerify)=[ -~]{0,8}",
        "[ -~]{0,16}\\\\",
        any::<String>(),
    ]
}

fn any_file() -> impl Strategy<Value = String> {
    proptest::collection::vec(any_line(), 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    /// Whatever the others are, a good quadlet has its drop-in, and what is written is a unit file.
    #[test]
    fn a_broken_file_costs_itself_only(
        files in proptest::collection::btree_map(
            "[a-c]{1,2}(@|@x|-)?\\.(container|image|kube|pod|build|network|volume|artifact)(\\.d/x\\.conf)?",
            any_file(),
            0..6,
        ),
        is_user in any::<bool>(),
        wait_unit in prop_oneof![Just(WaitUnit::Absent), Just(WaitUnit::Gated), Just(WaitUnit::Replaced)],
    ) {
        let good = with("Gate=lan\nPullRetry=8");
        let mut all: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        all.push(("good.container", &good));
        let manager = if is_user { Manager::User } else { Manager::System };
        let input = input(manager, wait_unit, &all);
        let plan = plan(&input);
        prop_assert_eq!(&plan, &super::plan(&input));
        let alone = super::plan(&QuadletInput {
            directories: vec![Directory {
                quadlets: input.directories[0].quadlets.iter().filter(|(name, _)| *name == "good.container").map(|(name, source)| (name.clone(), source.clone())).collect(),
                ..Directory::default()
            }],
            ..input.clone()
        });
        let of = |plan: &Plan| plan.drop_ins.iter().find(|drop_in| drop_in.unit == "good.service").cloned();
        let named_so = files.values().any(|text| text.contains("ServiceName=good"));
        prop_assert!(named_so || of(&plan) == of(&alone));
        for unit in &plan.units {
            prop_assert!(unit.name.starts_with("netready-restart-") && !unit.name.contains('/'));
            prop_assert!(unit_file::read("u", &unit.text).is_ok(), "{}", unit.text);
        }
        let mut units = BTreeSet::new();
        for drop_in in &plan.drop_ins {
            prop_assert!(units.insert(&drop_in.unit), "{} twice", drop_in.unit);
            prop_assert!(!drop_in.path().starts_with('/') && drop_in.path().split('/').count() == 2);
            prop_assert!(!drop_in.unit.contains("..") || !drop_in.unit.contains('/'));
            prop_assert!(drop_in.text.starts_with("# Made by netready-generator"), "{}", drop_in.text);
            prop_assert!(!drop_in.text.replace('\n', "").contains(crate::escape::is_unsafe), "{:?}", drop_in.text);
            let read = unit_file::read("d", &drop_in.text);
            prop_assert!(read.is_ok(), "{}", drop_in.text);
            for entry in read.unwrap().entries {
                prop_assert!(
                    ["Wants", "After", "PartOf", "ExecStartPre", "ExecStart", "TimeoutStartSec", "NotifyAccess"].contains(&entry.key.as_str()),
                    "{}", drop_in.text
                );
                if entry.key == "ExecStartPre" {
                    prop_assert!(command_line::split(&entry.value).is_some_and(|words| words[0] == "/usr/bin/netready"));
                }
            }
        }
    }
}
