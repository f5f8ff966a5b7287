//! Stories that failed once, in their shortest form.

use super::story::Story;
use super::world::World;

/// What was wrong, and the story.
const KEPT: &[(&str, &str)] = &[
    (
        "an IPv4 address was announced, and bind(2) still refused it",
        "gate 5, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     addr add 192.0.2.7/32 dev va0
     -- netready takes 2 inputs",
    ),
    (
        "a gate opened by a route that had just ended, which the kernel showed without an end",
        "gate 16, settle 1903 ms, va0 is a card
     -- netready takes 5 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     -- gate 1 is loaded
     -- netready takes 2 inputs
     -- the read is interrupted",
    ),
    (
        "a message from before the dump said that an address can be used, which was tentative again",
        "gate 6, settle 0 ms, va0 is a veth
     -- netready takes 1 inputs
     sysctl net.ipv6.conf.va0.keep_addr_on_down=1
     addr add 2001:db8::7/64 dev va0
     -- the kernel does 3 pieces of its work
     -- 1500 ms pass
     -- the kernel does 1 pieces of its work
     link set va0 down",
    ),
];

#[test]
fn stories_that_failed_once_fail_no_more() {
    for (what, text) in KEPT {
        let story: Story = text.parse().unwrap();
        assert_eq!(text.parse::<Story>().unwrap().to_string().parse::<Story>().unwrap(), story);
        if let Err(why) = World::new(&story).play(&story.steps) {
            panic!("{what}: {why}\n{story}");
        }
    }
}
