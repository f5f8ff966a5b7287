//! Reads the `interface` list and its quorum: from [`Written`] texts to [`Links`].

use super::Problem;
use super::keys;
use super::suggest;
use super::written::{Place, Written, WrittenClause};
use crate::ifname::{self, Pattern};
use crate::requirement::{LinkName, Links, Quorum};

/// The length of the longest altname that the kernel accepts, in bytes (ALTIFNAMSIZ − 1 of linux/if.h).
const LONGEST_NAME: usize = 127;
/// The length of the longest hardware address that the kernel keeps, in bytes (MAX_ADDR_LEN of linux/netdevice.h).
const LONGEST_MAC: usize = 32;
/// The length of an Ethernet address, in bytes. Shorter addresses (tunnels, ARCnet) do not identify a device, so a
/// shorter text probably lacks digits.
const SHORTEST_MAC: usize = 6;

/// Reads the links that a clause with an `interface` list names. `None` means that there was a problem.
pub fn links(clause: &WrittenClause, implied: bool, problems: &mut Vec<Problem>) -> Option<Links> {
    let before = problems.len();
    let mut entries: Vec<(LinkName, &Written)> = Vec::new();
    let mut exclude: Vec<Pattern> = Vec::new();
    for written in clause.keys.all(&keys::INTERFACE) {
        match entry(&written.value, &written.place) {
            // A link that is named twice counts once.
            Ok(Entry::Wanted(name)) if entries.iter().all(|(known, _)| *known != name) => {
                entries.push((name, written));
            }
            Ok(Entry::Unwanted(pattern)) if !exclude.contains(&pattern) => exclude.push(pattern),
            Ok(Entry::Wanted(_) | Entry::Unwanted(_)) => {}
            Err(message) => problems.push(written.problem(message)),
        }
    }
    for (name, written) in &entries {
        if let Some(message) = exclude.iter().find_map(|out| excluded(name, out)) {
            problems.push(written.problem(message));
        }
    }
    if problems.len() > before {
        return None;
    }
    let mut entries: Vec<LinkName> = entries.into_iter().map(|(name, _)| name).collect();
    if entries.is_empty() {
        // The list has only exclusions, so it means every other link.
        entries.push(LinkName::Glob(pattern("*").ok()?));
        if exclude.iter().any(|out| out.as_str() == "*") {
            let message = "interface: \"!*\" excludes every link";
            problems.push(clause.place.problem(message));
            return None;
        }
    }
    let quorum = match clause.keys.one(&keys::QUORUM) {
        None => Quorum::Each,
        Some(written) => match quorum(&written.value, &entries, clause.keys.incomplete) {
            Ok(quorum) => quorum,
            Err(message) => {
                problems.push(written.problem(message));
                return None;
            }
        },
    };
    Some(Links { entries, exclude, quorum, implied })
}

/// The value of `quorum`, before the links that it counts are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// `all`: every link that a glob matches.
    All,
    /// A number; `any` is 1.
    AtLeast(usize),
}

/// Reads the value of `quorum`: `any`, `all`, or a number from 1. The error says what is wrong with the text.
pub fn count(text: &str) -> Result<Count, String> {
    match text {
        "all" => Ok(Count::All),
        "any" => Ok(Count::AtLeast(1)),
        _ => match text.parse::<i128>() {
            Ok(number) if number < 1 => {
                Err("asks for nothing; the smallest quorum is 1 (or \"any\")".to_owned())
            }
            Ok(number) => usize::try_from(number)
                .map(Count::AtLeast)
                .map_err(|_| "is larger than any number of links".to_owned()),
            Err(_) if text == "each" || text == "every" => {
                Err("is not valid; without quorum, every entry is needed".to_owned())
            }
            Err(_) => Err(match suggest::nearest(text, ["any", "all"]) {
                Some(near) => format!("is not valid; did you mean {near:?}?"),
                None => "is not valid; write \"any\", \"all\" or a number".to_owned(),
            }),
        },
    }
}

fn quorum(text: &str, entries: &[LinkName], incomplete: bool) -> Result<Quorum, String> {
    match count(text)? {
        Count::All => Ok(Quorum::All),
        Count::AtLeast(number) => {
            let has_glob = entries.iter().any(|name| match name {
                LinkName::Glob(_) => true,
                LinkName::Exact(_) | LinkName::Mac(_) => false,
            });
            if !has_glob && !incomplete && number > entries.len() {
                return Err(match entries.len() {
                    1 => "can never be reached: interface names one link".to_owned(),
                    links => format!("can never be reached: interface names {links} links"),
                });
            }
            Ok(Quorum::AtLeast(number))
        }
    }
}

#[derive(Debug, PartialEq)]
enum Entry {
    Wanted(LinkName),
    Unwanted(Pattern),
}

fn entry(text: &str, place: &Place) -> Result<Entry, String> {
    if let Some(out) = text.strip_prefix('!') {
        if out.starts_with("mac:") {
            return Err("is not valid; ! excludes a name or a glob, and not mac:".to_owned());
        }
        well_formed(out)?;
        return pattern(out).map(Entry::Unwanted);
    }
    if let Some(octets) = text.strip_prefix("mac:") {
        return mac(octets).map(|octets| Entry::Wanted(LinkName::Mac(octets)));
    }
    if let Some(advice) = with_colon(text, place.is_option()) {
        return Err(advice);
    }
    if let Some(advice) = with_commas(text, place.is_option()) {
        return Err(advice);
    }
    well_formed(text)?;
    Ok(Entry::Wanted(if is_glob(text) {
        LinkName::Glob(pattern(text)?)
    } else {
        LinkName::Exact(ifname::respell(text))
    }))
}

/// Whether an entry of the list is a glob.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Checks that a text can be a link's name or altname, and returns it in the spelling that netready compares. The
/// error says why it cannot be one.
pub fn link_name(text: &str) -> Result<String, String> {
    if text.contains(':') {
        return Err("has a colon in it; link names have none".to_owned());
    }
    well_formed(text)?;
    Ok(ifname::respell(text))
}

/// Checks what holds for both names and globs. `ip` gives no link a name with the refused characters. Other
/// programs can give a link an altname with them; for this case a byte can be written as `\xNN`, and is not checked
/// here.
fn well_formed(text: &str) -> Result<(), String> {
    let plain = ifname::without_marks(text);
    let length = ifname::bytes(text).len();
    if length == 0 {
        Err("is empty; write a link's name".to_owned())
    } else if plain.contains('/') {
        Err("has a slash in it; link names have none".to_owned())
    } else if plain.contains(char::is_whitespace) {
        Err("has white space in it; link names have none".to_owned())
    } else if plain.contains(char::is_control) {
        Err("has a control character in it; write its bytes as \\xNN".to_owned())
    } else if length > LONGEST_NAME {
        Err(format!("is longer than {LONGEST_NAME} bytes; link names are not"))
    } else {
        Ok(())
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    if text.contains("**") {
        return Err("is not a valid glob: one * is enough".to_owned());
    }
    if text.contains("[^") {
        // Shells disagree about this form, and the glob crate takes ^ literally.
        return Err("is not a valid glob: to exclude characters, write [!…]".to_owned());
    }
    Pattern::new(text).map_err(|_| "is not a valid glob: a [ has no ]".to_owned())
}

/// Reads a hardware address as `ip link` shows it, in upper or lower case.
fn mac(text: &str) -> Result<Vec<u8>, String> {
    const FORM: &str = "is not a hardware address; write mac:52:54:00:12:34:56";
    let octets: Option<Vec<u8>> = text
        .split(':')
        .map(|pair| {
            let is_pair = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(pair, 16).ok().filter(|_| is_pair)
        })
        .collect();
    let octets = octets.ok_or(FORM)?;
    if octets.len() < SHORTEST_MAC || octets.len() > LONGEST_MAC {
        return Err(format!("{FORM} (this has {} bytes)", octets.len()));
    }
    Ok(octets)
}

/// Returns advice for a text with a colon. No link's name has a colon, so the author meant something else.
fn with_colon(text: &str, in_option: bool) -> Option<String> {
    let (link, state) = text.split_once(':')?;
    if mac(text).is_ok() {
        return Some(format!("is a hardware address; write mac:{text}"));
    }
    // This also covers wait-online's form IF:MIN:MAX.
    let state = state.split(':').next().unwrap_or_default();
    let advice = suggest::in_place_of_state(link, state, in_option);
    Some(match advice {
        Some(advice) => format!("names a link and a state; write {advice}"),
        None => "has a colon in it; link names have none".to_owned(),
    })
}

/// Returns advice for several links in one text, separated by commas. In a link's name, a comma is written `\x2c`.
fn with_commas(text: &str, in_option: bool) -> Option<String> {
    if !text.contains(',') {
        return None;
    }
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let form = match in_option {
        true => names.map(|name| format!("-i {name}")).collect::<Vec<_>>().join(" "),
        false => format!("[{}]", names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")),
    };
    Some(format!("has a comma in it; name each link by itself: {form}"))
}

/// If the exclusion `out` excludes all that the entry `name` can match, returns the message about it.
fn excluded(name: &LinkName, out: &Pattern) -> Option<String> {
    let taken = match name {
        LinkName::Exact(name) => out.matches(name),
        LinkName::Glob(glob) => glob == out || out.as_str() == "*",
        LinkName::Mac(_) => out.as_str() == "*",
    };
    taken.then(|| format!("is excluded by \"!{}\" in the same list", out.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problem;
    use alloc::sync::Arc;

    fn clause(interface: &[&str], quorum: Option<&str>) -> WrittenClause {
        let place = Place { origin: Arc::from("g"), line: Some(1) };
        let written =
            |text: &&str| Written { value: (*text).to_owned(), place: place.clone(), name: String::new() };
        let mut clause = WrittenClause::at(place.clone());
        clause.keys.set(&keys::INTERFACE, interface.iter().map(written).collect());
        clause.keys.set(&keys::QUORUM, quorum.iter().map(written).collect());
        clause
    }

    fn read(interface: &[&str], quorum: Option<&str>) -> Result<Links, String> {
        let mut problems: Vec<Problem> = Vec::new();
        let links = links(&clause(interface, quorum), false, &mut problems);
        let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        links.ok_or(messages.join("\n"))
    }

    fn exact(name: &str) -> LinkName {
        LinkName::Exact(name.to_owned())
    }

    fn glob(text: &str) -> LinkName {
        LinkName::Glob(pattern(text).unwrap())
    }

    #[test]
    fn valid_lists_are_read() {
        let mac = || LinkName::Mac(vec![0x52, 0x54, 0, 0xab, 0xcd, 0xef]);
        for (interface, quorum, entries, exclude, meant) in [
            (&["va0"][..], None, vec![exact("va0")], &[][..], Quorum::Each),
            (&["va0", "va0"], None, vec![exact("va0")], &[], Quorum::Each),
            (&["en*", "lan0"], Some("any"), vec![glob("en*"), exact("lan0")], &[], Quorum::AtLeast(1)),
            (&["va0", "va1"], Some("2"), vec![exact("va0"), exact("va1")], &[], Quorum::AtLeast(2)),
            (&["va?"], Some("7"), vec![glob("va?")], &[], Quorum::AtLeast(7)),
            (&["va[0-3]"], Some("all"), vec![glob("va[0-3]")], &[], Quorum::All),
            (&["va[!0]"], None, vec![glob("va[!0]")], &[], Quorum::Each),
            (&["*", "!docker*", "!lo"], None, vec![glob("*")], &["docker*", "lo"], Quorum::Each),
            (&["!docker*"], None, vec![glob("*")], &["docker*"], Quorum::Each),
            (&["!docker*", "!veth?"], Some("2"), vec![glob("*")], &["docker*", "veth?"], Quorum::AtLeast(2)),
            (&["mac:52:54:00:ab:cd:ef", "mac:52:54:00:AB:CD:EF"], None, vec![mac()], &[], Quorum::Each),
            (
                &["lan.100", "br-0123456789ab", "bond0@x"],
                None,
                vec![exact("lan.100"), exact("br-0123456789ab"), exact("bond0@x")],
                &[],
                Quorum::Each,
            ),
        ] {
            let exclude = exclude.iter().map(|out| pattern(out).unwrap()).collect();
            let meant = Links { entries, exclude, quorum: meant, implied: false };
            assert_eq!(read(interface, quorum), Ok(meant), "{interface:?}");
        }
        assert!(read(&["x".repeat(127).as_str()], None).is_ok());
    }

    #[test]
    fn bad_lists_are_explained() {
        let long = "x".repeat(128);
        for (interface, quorum, said) in [
            (&[""][..], None, "is empty; write a link's name"),
            (&["!"], None, "is empty; write a link's name"),
            (
                &["va 0", "a/b"],
                None,
                "has white space in it; link names have none\n\
                 has a slash in it; link names have none",
            ),
            (&["va\u{1}"], None, r"has a control character in it; write its bytes as \xNN"),
            (&[long.as_str()], None, "is longer than 127 bytes; link names are not"),
            (
                &["eth0:routable"],
                None,
                "names a link and a state; write interface = \"eth0\" and route = \"default\"",
            ),
            (
                &["eth0:carrier:routable"],
                None,
                "names a link and a state; write interface = \"eth0\" and carrier = true",
            ),
            (&["eth0:1"], None, "has a colon in it; link names have none"),
            (&["52:54:00:12:34:56"], None, "is a hardware address; write mac:52:54:00:12:34:56"),
            (&["mac:52-54-00-12-34-56"], None, "is not a hardware address; write mac:52:54:00:12:34:56"),
            (
                &["mac:52:54:00:12:34"],
                None,
                "is not a hardware address; write mac:52:54:00:12:34:56 (this has 5 bytes)",
            ),
            (&["mac:52:54:0:12:34:56"], None, "is not a hardware address; write mac:52:54:00:12:34:56"),
            (&["mac:+2:54:00:12:34:56"], None, "is not a hardware address; write mac:52:54:00:12:34:56"),
            (&["!mac:52:54:00:12:34:56"], None, "is not valid; ! excludes a name or a glob, and not mac:"),
            (&["va["], None, "is not a valid glob: a [ has no ]"),
            (&["!va[0-"], None, "is not a valid glob: a [ has no ]"),
            (&["va**"], None, "is not a valid glob: one * is enough"),
            (&["va[^0]"], None, "is not a valid glob: to exclude characters, write [!…]"),
            (&["docker0", "!docker*"], None, "is excluded by \"!docker*\" in the same list"),
            (&["en*", "!en*"], None, "is excluded by \"!en*\" in the same list"),
            (&["mac:52:54:00:12:34:56", "!*"], None, "is excluded by \"!*\" in the same list"),
            (&["!*"], None, "interface: \"!*\" excludes every link"),
            (&["va0"], Some("0"), "asks for nothing; the smallest quorum is 1 (or \"any\")"),
            (&["va0"], Some("-1"), "asks for nothing; the smallest quorum is 1 (or \"any\")"),
            (&["va0"], Some("2"), "can never be reached: interface names one link"),
            (&["va0", "va1", "va0"], Some("3"), "can never be reached: interface names 2 links"),
            (&["va*"], Some("99999999999999999999"), "is larger than any number of links"),
            (&["va*"], Some("al"), "is not valid; did you mean \"all\"?"),
            (&["va*"], Some("most"), "is not valid; write \"any\", \"all\" or a number"),
            (&["va*"], Some("each"), "is not valid; without quorum, every entry is needed"),
        ] {
            assert_eq!(read(interface, quorum), Err(said.to_owned()), "{interface:?} {quorum:?}");
        }
    }
}
