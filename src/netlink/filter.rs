//! A classic BPF program for the event socket: route messages that no requirement can want are dropped
//! by the kernel, before they wake anybody or fill the receive buffer. 100,000 changes of other routes
//! cost nothing that way; unfiltered they cost 10,000 wake-ups and an overrun.
//!
//! What it cannot judge, it passes. Offsets: struct nlmsghdr (linux/netlink.h), struct rtmsg
//! (linux/rtnetlink.h); instructions: linux/filter.h.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use socket2::SockFilter;

use crate::requirement::{Family, TABLE_MAIN};
use crate::wants::{SHORT, Wants};

const NLMSG_TYPE: u32 = 4;
const RTM_FAMILY: u32 = 16;
const RTM_DST_LEN: u32 = 17;
const RTM_TABLE: u32 = 20;
const RTM_TYPE: u32 = 23;
/// Where the attributes of a route message begin.
const ATTRIBUTES: u32 = 28;
/// The length of struct nlattr, which precedes the value of an attribute, in octets.
const NLA_HEADER: u32 = 4;
const RTA_DST: u32 = libc::RTA_DST as u32;
const RTN_UNICAST: u32 = libc::RTN_UNICAST as u32;
/// BPF_MAXINSNS of linux/bpf_common.h: the kernel refuses a longer program.
const MOST_INSTRUCTIONS: usize = 4096;
/// The message is passed whole.
const PASS: u32 = u32::MAX;
const DROP: u32 = 0;

const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const LOAD_WORD_AT_X: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_IND) as u16;
const LOAD_IMMEDIATE: u16 = (libc::BPF_LD | libc::BPF_IMM) as u16;
const LOAD_X: u16 = (libc::BPF_LDX | libc::BPF_IMM) as u16;
const LOAD_FROM_MEMORY: u16 = (libc::BPF_LD | libc::BPF_MEM) as u16;
const LOAD_X_FROM_MEMORY: u16 = (libc::BPF_LDX | libc::BPF_MEM) as u16;
const STORE: u16 = libc::BPF_ST as u16;
const TO_X: u16 = (libc::BPF_MISC | libc::BPF_TAX) as u16;
const XOR: u16 = (libc::BPF_ALU | libc::BPF_XOR | libc::BPF_K) as u16;
const SHIFT_RIGHT_BY_X: u16 = (libc::BPF_ALU | libc::BPF_RSH | libc::BPF_X) as u16;
const SUBTRACT_X: u16 = (libc::BPF_ALU | libc::BPF_SUB | libc::BPF_X) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const PASS_OVER: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// A load from here runs a helper: the offset of the attribute of type X, from offset A on; 0 if there is none.
const FIND_ATTRIBUTE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_NLATTR) as u32;
/// Scratch memory: the offset of RTA_DST, the prefix length, and how far to shift.
const DESTINATION: u32 = 0;
const LENGTH: u32 = 1;
const SHIFT: u32 = 2;
/// How many instructions compare a part of a word.
const PART_LINES: u32 = 11;

/// The program for what a gate wants.
///
/// ```text
/// not a route message             → pass
/// unicast, main table, with pasta → pass
/// of a family whose default route is wanted, and of a short prefix → pass
/// for each wanted prefix:  family and length the same, and the destination → pass
/// for each lookup target:  family the same, and the destination covers it  → pass
/// else                            → drop
/// ```
pub fn program(wants: &Wants) -> Vec<SockFilter> {
    let mut program = Program::default();
    // Half-words and words are loaded in network order; netlink writes them in the host's.
    let kind = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    program.push(LOAD_HALF, NLMSG_TYPE);
    program.test(IF_EQUAL, kind(libc::RTM_NEWROUTE), 2, 0);
    program.test(IF_EQUAL, kind(libc::RTM_DELROUTE), 1, 0);
    program.push(RETURN, PASS);
    // The destination's place and length, for all that follows.
    program.push(LOAD_X, RTA_DST);
    program.push(LOAD_IMMEDIATE, ATTRIBUTES);
    program.push(LOAD_WORD, FIND_ATTRIBUTE);
    program.push(STORE, DESTINATION);
    program.push(LOAD_BYTE, RTM_DST_LEN);
    program.push(STORE, LENGTH);
    if wants.pasta {
        let block = [
            (LOAD_BYTE, RTM_TABLE, None),
            (IF_EQUAL, TABLE_MAIN, Some(Unless::Next)),
            (LOAD_BYTE, RTM_TYPE, None),
            (IF_EQUAL, RTN_UNICAST, Some(Unless::Next)),
            (RETURN, PASS, None),
        ];
        program.block(&block);
    }
    for family in wants.defaults() {
        // Of this length, 0 aside: the blocks of the prefixes pass that.
        let block = [
            (LOAD_BYTE, RTM_FAMILY, None),
            (IF_EQUAL, family_byte(family), Some(Unless::Next)),
            (LOAD_FROM_MEMORY, LENGTH, None),
            (IF_AT_LEAST, 1, Some(Unless::Next)),
            (IF_AT_LEAST, u32::from(SHORT) + 1, Some(Unless::Skip(1))),
            (PASS_OVER, 1, None),
            (RETURN, PASS, None),
        ];
        program.block(&block);
    }
    let mut prefixes: Vec<IpNet> = wants.routes.iter().map(|(prefix, _)| *prefix).collect();
    prefixes.dedup();
    for prefix in prefixes {
        program.block(&same(prefix));
    }
    let targets: BTreeSet<IpAddr> = wants.route_to.iter().map(|wanted| wanted.target).collect();
    for target in targets {
        program.block(&covers(target));
    }
    program.push(RETURN, DROP);
    if program.0.len() > MOST_INSTRUCTIONS {
        // A gate of hundreds of prefixes: it is told of every route, and sorts them itself.
        return pass_everything();
    }
    program.0
}

/// The program that drops nothing.
pub fn pass_everything() -> Vec<SockFilter> {
    vec![SockFilter::new(RETURN, 0, 0, PASS)]
}

#[derive(Default)]
struct Program(Vec<SockFilter>);

/// Where a test goes that fails.
#[derive(Clone, Copy)]
enum Unless {
    /// To the next block.
    Next,
    /// This many instructions on.
    Skip(u8),
}

type Line = (u16, u32, Option<Unless>);

impl Program {
    fn push(&mut self, code: u16, k: u32) {
        self.0.push(SockFilter::new(code, 0, 0, k));
    }

    fn test(&mut self, code: u16, k: u32, then: u8, otherwise: u8) {
        self.0.push(SockFilter::new(code, then, otherwise, k));
    }

    /// A block ends in a verdict, or is left for the next one when a test fails.
    fn block(&mut self, lines: &[Line]) {
        for (at, (code, k, unless)) in lines.iter().enumerate() {
            // A block is far shorter than the 255 instructions that a jump can pass.
            let to_next = u8::try_from(lines.len() - at - 1).unwrap_or(u8::MAX);
            let otherwise = match unless {
                None => 0,
                Some(Unless::Next) => to_next,
                Some(Unless::Skip(count)) => *count,
            };
            self.test(*code, *k, 0, otherwise);
        }
    }
}

fn family_byte(family: Family) -> u32 {
    match family {
        Family::V4 => libc::AF_INET as u32,
        Family::V6 => libc::AF_INET6 as u32,
    }
}

fn words(address: IpAddr) -> Vec<u32> {
    match address {
        IpAddr::V4(v4) => vec![v4.to_bits()],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [96, 64, 32, 0].iter().map(|shift| (bits >> shift) as u32).collect()
        }
    }
}

/// Passes what has just this destination. Where no RTA_DST is found although there is a length, it
/// cannot be judged, and passes.
fn same(prefix: IpNet) -> Vec<Line> {
    let mut lines = vec![
        (LOAD_BYTE, RTM_FAMILY, None),
        (IF_EQUAL, family_byte(Family::of(prefix.addr())), Some(Unless::Next)),
        (LOAD_BYTE, RTM_DST_LEN, None),
        (IF_EQUAL, u32::from(prefix.prefix_len()), Some(Unless::Next)),
    ];
    if prefix.prefix_len() > 0 {
        lines.extend(place_of_destination());
        for (at, word) in (0_u32..).zip(words(prefix.addr())) {
            lines.push((LOAD_WORD_AT_X, NLA_HEADER + 4 * at, None));
            lines.push((IF_EQUAL, word, Some(Unless::Next)));
        }
    }
    lines.push((RETURN, PASS, None));
    lines
}

/// The offset of RTA_DST into X; a message without one passes.
fn place_of_destination() -> [Line; 4] {
    [
        (LOAD_FROM_MEMORY, DESTINATION, None),
        (IF_EQUAL, 0, Some(Unless::Skip(1))),
        (RETURN, PASS, None),
        (TO_X, 0, None),
    ]
}

/// Passes what covers a target: the first `dst_len` bits are the target's. Word by word:
///
/// ```text
/// bits left = 0    → pass
/// bits left ≥ 32   → the word must be the same, next word
/// else             → (word ^ target) >> (32 - bits left) must be 0 → pass
/// ```
fn covers(target: IpAddr) -> Vec<Line> {
    let mut lines = vec![
        (LOAD_BYTE, RTM_FAMILY, None),
        (IF_EQUAL, family_byte(Family::of(target)), Some(Unless::Next)),
        (LOAD_FROM_MEMORY, LENGTH, None),
        (IF_EQUAL, 0, Some(Unless::Skip(1))),
        (RETURN, PASS, None),
    ];
    lines.extend(place_of_destination());
    for (offset, word) in (0_u32..).step_by(4).zip(words(target)) {
        let end = 8 * offset + 32;
        let whole: [Line; 6] = [
            (LOAD_WORD_AT_X, NLA_HEADER + offset, None),
            (IF_EQUAL, word, Some(Unless::Next)),
            (LOAD_FROM_MEMORY, LENGTH, None),
            (IF_EQUAL, end, Some(Unless::Skip(1))),
            (RETURN, PASS, None),
            (PASS_OVER, PART_LINES, None),
        ];
        let part: [Line; PART_LINES as usize] = [
            (LOAD_X_FROM_MEMORY, LENGTH, None),
            (LOAD_IMMEDIATE, end, None),
            (SUBTRACT_X, 0, None),
            (STORE, SHIFT, None),
            (LOAD_X_FROM_MEMORY, DESTINATION, None),
            (LOAD_WORD_AT_X, NLA_HEADER + offset, None),
            (XOR, word, None),
            (LOAD_X_FROM_MEMORY, SHIFT, None),
            (SHIFT_RIGHT_BY_X, 0, None),
            (IF_EQUAL, 0, Some(Unless::Next)),
            (RETURN, PASS, None),
        ];
        lines.push((LOAD_FROM_MEMORY, LENGTH, None));
        lines.push((IF_AT_LEAST, end, Some(Unless::Skip(6))));
        lines.extend(whole);
        lines.extend(part);
    }
    // Longer than the address is: no such prefix, so nothing is known of it.
    lines.push((RETURN, PASS, None));
    lines
}

#[cfg(test)]
mod tests;
