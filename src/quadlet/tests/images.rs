//! Images and what else containers are made of: whose gate they have, and which need none.

use super::*;

/// The gate of `i-image.service` in a user's manager, or of another unit.
fn gate_of(unit: &str, files: &[(&str, &str)]) -> Option<String> {
    let plan = plan(&input(Manager::User, WaitUnit::Absent, files));
    let drop_in = plan.drop_ins.into_iter().find(|drop_in| drop_in.unit == unit)?;
    let after = drop_in.text.lines().find_map(|line| line.strip_prefix("After="))?.to_owned();
    Some(after.trim_end_matches(".service").trim_start_matches("netready@").to_owned())
}

const IMAGE: (&str, &str) = ("i.image", "[Image]\nImage=r/i\n");

/// A container's lines, and the gate of the image then. The container has `Gate=lan`.
#[test]
fn an_image_has_the_gate_of_the_container_that_uses_it() {
    for (lines, gate) in [
        ("Image=i.image", "lan"),
        ("Image=\"i.image\"", "lan"),
        ("Image=x\nMount=type=image,source=i.image,destination=/etc/c", "lan"),
        ("Image=x\nMount=type=image,src=i.image,dst=/etc/c,rw=true", "lan"),
        ("Image=x\nMount=destination=/etc/c,source=i.image,type=image", "lan"),
        ("Image=x\nMount=type=tmpfs,destination=/x\nMount=type=image,source=i.image,destination=/y", "lan"),
        ("Image=x\nMount=\"type=image,source=i.image,destination=/a b\"", "lan"),
        ("Image=x\nVolume=v.volume:/data:ro", "lan"),
        ("Image=x\nVolume=other.volume:/o\nVolume=v.volume:/data", "lan"),
        ("Image=x\nMount=type=volume,source=v.volume,destination=/data", "lan"),
        ("Rootfs=/r\nMount=type=image,source=i.image,destination=/etc/c", "lan"),
        ("Image=b.build", "lan"),
        // Not named.
        ("Image=x", "netready"),
        ("Image=x\nMount=type=image,source=i.image,destination=/y\nMount=", "netready"),
        ("Image=x\nMount=type=image,source=j.image,destination=/y", "netready"),
        ("Image=x\nMount=type=bind,source=/i.image,destination=/y", "netready"),
        ("Image=x\nVolume=plain.volume:/data", "netready"),
    ] {
        let container = format!("[Container]\n{lines}\n[X-Netready]\nGate=lan\n");
        let files = [
            IMAGE,
            ("c.container", container.as_str()),
            ("v.volume", "[Volume]\nDriver=image\nImage=i.image\n"),
            // Without the driver Podman does not look at Image=.
            ("plain.volume", "[Volume]\nImage=i.image\n"),
            ("b.build", "[Build]\nImageTag=b\nVolume=v.volume:/v\n"),
        ];
        assert_eq!(gate_of("i-image.service", &files).as_deref(), Some(gate), "{lines}");
    }
}

#[test]
fn its_users_must_agree_and_its_own_gate_comes_first() {
    let mount = "Image=x\nMount=type=image,source=i.image,destination=/y\n";
    let lan = format!("[Container]\n{mount}[X-Netready]\nGate=lan\n");
    let wan = format!("[Container]\n{mount}[X-Netready]\nGate=wan\n");
    let unsaid = format!("[Container]\n{mount}");
    let member = format!("[Container]\n{mount}Pod=p.pod\n");
    let pod = "[Pod]\n[X-Netready]\nGate=lan\n";
    let gate = |files: &[(&str, &str)]| gate_of("i-image.service", &[&[IMAGE], files].concat());
    assert_eq!(gate(&[("a.container", &lan), ("b.container", &lan)]).as_deref(), Some("lan"));
    assert_eq!(gate(&[("a.container", &lan), ("b.container", &wan)]).as_deref(), Some("netready"));
    assert_eq!(gate(&[("a.container", &lan), ("b.container", &unsaid)]).as_deref(), Some("netready"));
    // Of one in a pod it is the pod's.
    assert_eq!(gate(&[("a.container", &member), ("p.pod", pod)]).as_deref(), Some("lan"));
    let with_volume = "[Pod]\nVolume=v.volume:/v\n[X-Netready]\nGate=lan\n";
    let volume = ("v.volume", "[Volume]\nDriver=image\nImage=i.image\n");
    assert_eq!(gate(&[("p.pod", with_volume), volume]).as_deref(), Some("lan"));
    let none = format!("[Container]\n{mount}[X-Netready]\nGate=none\n");
    assert_eq!(gate(&[("a.container", &none)]), None);
    let own = ("i.image", "[Image]\nImage=r/i\n[X-Netready]\nGate=own\n");
    assert_eq!(gate_of("i-image.service", &[own, ("a.container", &lan)]).as_deref(), Some("own"));
    // Artifacts too, and what names itself in a circle ends.
    let artifact = ("m.artifact", "[Artifact]\nArtifact=r/m\n");
    let model = "[Container]\nImage=x\nMount=type=artifact,source=m.artifact,destination=/m\n[X-Netready]\nGate=lan\n";
    assert_eq!(gate_of("m-artifact.service", &[artifact, ("a.container", model)]).as_deref(), Some("lan"));
    let circle = [
        ("b.build", "[Build]\nImageTag=b\nVolume=v.volume:/v\n"),
        ("v.volume", "[Volume]\nDriver=image\nImage=b.build\n"),
    ];
    assert_eq!(gate_of("b-build.service", &circle).as_deref(), Some("netready"));
}

#[test]
fn an_image_that_is_on_this_host_waits_for_no_gate() {
    let user = with("Gate=lan").replace("docker.io/library/app:1", "i.image");
    for (image, gate) in [
        ("docker-archive:/srv/i.tar", None),
        ("docker-archive:/srv/i.tar:tag", None),
        ("oci:/srv/i", None),
        ("oci-archive:/srv/i.tar", None),
        ("dir:/srv/i", None),
        ("containers-storage:localhost/i", None),
        ("\"oci:/srv/i\"", None),
        ("docker://r.example/i", Some("lan")),
        ("r.example:5000/i", Some("lan")),
        ("oci.example/i:1", Some("lan")),
        ("dir/i:1", Some("lan")),
        ("docker-archive", Some("lan")),
    ] {
        let text = format!("[Image]\nImage={image}\n");
        let files = [("i.image", text.as_str()), ("c.container", user.as_str())];
        assert_eq!(gate_of("i-image.service", &files).as_deref(), gate, "{image}");
        assert_eq!(gate_of("c.service", &files).as_deref(), Some("lan"), "{image}");
        // Whoever names a gate means it.
        let own = format!("{text}[X-Netready]\nGate=own\n");
        assert_eq!(gate_of("i-image.service", &[("i.image", &own)]).as_deref(), Some("own"), "{image}");
    }
}

#[test]
fn an_image_that_is_on_this_host_is_not_pulled_again() {
    for (name, text) in
        [("a.container", "[Container]\nImage=oci:/srv/i\n"), ("i.image", "[Image]\nImage=oci:/srv/i\n")]
    {
        let own = format!("{text}[X-Netready]\nPullRetry=3\n");
        let said =
            format!("/q0/{name}:4: PullRetry…: oci:/srv/i is on this host, so there is nothing to try again");
        assert_eq!(system(&[(name, &own)]), [said]);
        let (_, kind) = name.split_once('.').unwrap();
        assert_eq!(
            system(&[(name, text), (&format!("{kind}.d/x.conf"), "[X-Netready]\nPullRetry=3\n")]),
            NONE
        );
    }
}

/// `container.d/50-pull.conf` is for those that have a pull.
#[test]
fn a_drop_in_for_all_says_nothing_of_those_without_a_pull() {
    let files = [
        ("web.container", "[Container]\nImage=r/web\n"),
        ("built.container", "[Container]\nImage=built.build\n"),
        ("based.container", "[Container]\nImage=base.image\n"),
        ("root.container", "[Container]\nRootfs=/srv/r\n"),
        ("a-b.container", "[Container]\nRootfs=/srv/r\n"),
        ("masked.container", ""),
    ];
    let pull = "web.service: pull --gate none --retries 8 --policy missing r/web";
    let setting = "[X-Netready]\nPullRetry=8\n";
    assert_eq!(system(&[&files[..], &[("container.d/50-pull.conf", setting)]].concat()), [pull]);
    assert_eq!(system(&[&files[..], &[("1:container.d/50-pull.conf", setting)]].concat()), [pull]);
    assert_eq!(system(&[&files[..], &[("a-.container.d/50-pull.conf", setting)]].concat()), NONE);
    // What is written for one is meant for it.
    assert_eq!(
        system(&[&files[..], &[("root.container.d/50-pull.conf", setting)]].concat()),
        ["/q0/root.container.d/50-pull.conf:2: PullRetry…: there is no Image= to pull"]
    );
}
