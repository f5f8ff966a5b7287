//! `RestartWhenReady=`: which units have a helper, and what is in it.

use super::*;

/// What the drop-in says of a helper, and the units that there are; then the complaints.
fn healing(manager: Manager, wait_unit: WaitUnit, files: &[(&str, &str)]) -> Vec<String> {
    let plan = plan(&input(manager, wait_unit, files));
    let own = plan.units.iter().map(|unit| unit.name.clone());
    let parts = plan.drop_ins.iter().flat_map(|drop_in| {
        drop_in
            .text
            .lines()
            .filter(|line| line.starts_with("PartOf="))
            .map(|line| format!("{}: {line}", drop_in.unit))
    });
    parts.chain(own).chain(plan.problems.iter().map(|problem| problem.to_string())).collect()
}

#[test]
fn what_started_too_early_is_restarted_where_that_is_asked_for() {
    let of_app = [
        "app.service: PartOf=netready-restart-app.service",
        "netready-restart-app.service",
        "netready-restart-podman.target",
    ];
    let yes = with("RestartWhenReady=yes");
    for wait_unit in [WaitUnit::Gated, WaitUnit::Absent] {
        assert_eq!(healing(Manager::User, wait_unit, &[("app.container", &yes)]), of_app);
        // For all of a user's containers.
        let files = [
            ("app.container", APP),
            ("container.d/50-netready.conf", "[X-Netready]\nRestartWhenReady=yes\n"),
        ];
        assert_eq!(healing(Manager::User, wait_unit, &files), of_app);
    }
    for (name, text, said) in [
        ("app.container", with("RestartWhenReady=no"), &NONE[..]),
        ("app.container", with("RestartWhenReady=yes\nRestartWhenReady="), &[]),
        ("app.container", with("RestartWhenReady=yes\nGateRequired=yes"), &[]),
        (
            "app.container",
            with("RestartWhenReady=yes\nGate=none"),
            &["/q0/app.container:4: RestartWhenReady: there is no gate to wait for; write Gate=podman"],
        ),
        (
            "app.container",
            with("RestartWhenReady=maybe"),
            &["/q0/app.container:4: RestartWhenReady: takes yes or no, not \"maybe\""],
        ),
        (
            "app.container",
            format!("[Container]\nPod=p.pod\n{}", with("RestartWhenReady=yes")),
            &[
                "/q0/app.container:6: RestartWhenReady: the pod has the network; write this setting into the .pod file",
            ],
        ),
        (
            "i.image",
            "[Image]\nImage=i\n[X-Netready]\nRestartWhenReady=yes\n".to_owned(),
            &["/q0/i.image:4: RestartWhenReady: a .image file has no container to restart"],
        ),
        (
            "p.pod",
            "[Pod]\nPodName=p\n[X-Netready]\nGate=lan\nRestartWhenReady=yes\n".to_owned(),
            &[
                "p-pod.service: PartOf=netready-restart-p-pod.service",
                "netready-restart-lan.target",
                "netready-restart-p-pod.service",
            ],
        ),
        (
            "web@.container",
            yes.clone(),
            &[
                "web@.service: PartOf=netready-restart-web@%i.service",
                "netready-restart-podman.target",
                "netready-restart-web@.service",
            ],
        ),
    ] {
        assert_eq!(healing(Manager::User, WaitUnit::Gated, &[(name, &text)]), said, "{name}: {text}");
    }
    // A drop-in for all does not complain of those that it cannot help.
    let files = [
        ("app.container", with("Gate=none")),
        ("container.d/x.conf", "[X-Netready]\nRestartWhenReady=yes\n".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    assert_eq!(healing(Manager::User, WaitUnit::Gated, &files), NONE);
    // The system's quadlets wait for network-online.target, if nothing else is said.
    assert_eq!(
        healing(Manager::System, WaitUnit::Absent, &[("app.container", &yes)]),
        ["/q0/app.container:4: RestartWhenReady: there is no gate to wait for; write Gate=default"]
    );
}

#[test]
fn the_whole_text_of_a_helper() {
    let text = with("RestartWhenReady=yes");
    let of_user = plan(&input(Manager::User, WaitUnit::Gated, &[("app.container", &text)]));
    assert_eq!(
        of_user.drop_ins[0].text,
        "# Made by netready-generator from /q0/app.container\n\
         \n\
         [Unit]\n\
         Wants=netready-restart-app.service\n\
         After=netready-restart-app.service netready-restart-podman.target\n\
         PartOf=netready-restart-app.service\n"
    );
    assert_eq!(
        of_user.units[0].text,
        "# Made by netready-generator: RestartWhenReady=yes of app.service\n\
         \n\
         [Unit]\n\
         Description=Restart of app.service once network gate podman is ready\n\
         # As the unit itself, so that the gate is looked at when it would start.\n\
         After=netready.service podman-user-wait-network-online.service\n\
         Wants=netready-restart-podman.target\n\
         After=netready-restart-podman.target\n\
         PartOf=netready-restart-podman.target\n\
         \n\
         [Service]\n\
         Type=exec\n\
         StandardOutput=null\n\
         ExecCondition=/bin/sh -c \"\\\"$$0\\\" check \\\"$$1\\\"; test $$? = 1\" /usr/bin/netready podman\n\
         ExecStart=/usr/bin/netready wait podman --quiet --timeout infinity --no-carrier-timeout infinity -- \
         systemctl --user --no-block restart netready-restart-podman.target\n"
    );
    let text = with("Gate=lan\nRestartWhenReady=yes");
    let of_system = plan(&input(Manager::System, WaitUnit::Absent, &[("web@.container", &text)]));
    let text = &of_system.units[1].text;
    assert!(
        text.contains("Restart of web@%i.service once") && text.contains("After=netready@lan.service\n"),
        "{text}"
    );
    assert!(text.ends_with("-- systemctl --no-block restart netready-restart-lan.target\n"), "{text}");
}
