//! Datagrams into messages: what is broken is said, and nothing is read twice or for ever.

use super::super::{BrokenFraming, frames};
use super::recorded;

/// A message of this length in its header, with this many octets behind it.
fn message(length: u32, kind: u16, payload: usize) -> Vec<u8> {
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(0x0102_u16.to_ne_bytes());
    octets.extend(7_u32.to_ne_bytes());
    octets.extend(9_u32.to_ne_bytes());
    octets.extend(std::iter::repeat_n(0xab, payload));
    octets
}

/// The kinds of the messages, and whether what follows is broken.
fn split(datagram: &[u8]) -> (Vec<u16>, bool) {
    let all: Vec<_> = frames(datagram).take(100).collect();
    assert!(all.len() < 100, "it never ends");
    let kinds = all.iter().filter_map(|frame| frame.as_ref().ok()).map(|frame| frame.kind).collect();
    let broken = all.iter().filter(|frame| matches!(frame, Err(BrokenFraming))).count();
    assert!(broken <= 1, "nothing is known behind what is broken");
    if broken == 1 {
        assert!(all.last().unwrap().is_err());
    }
    (kinds, broken == 1)
}

#[test]
fn a_frame_is_its_header_and_payload() {
    let datagram = message(20, 16, 4);
    let frame = frames(&datagram).next().unwrap().unwrap();
    assert_eq!((frame.kind, frame.flags, frame.sequence, frame.port), (16, 0x0102, 7, 9));
    assert_eq!(frame.payload, [0xab; 4]);
}

#[test]
fn messages_follow_each_other_aligned() {
    let mut datagram = message(17, 16, 1);
    datagram.extend([0; 3]);
    datagram.extend(message(16, 20, 0));
    datagram.extend(message(22, 24, 6));
    assert_eq!(split(&datagram), (vec![16, 20, 24], false), "the last one may lack its padding");
    datagram.extend([0; 2]);
    assert_eq!(split(&datagram), (vec![16, 20, 24], false), "or have it");
}

#[test]
fn broken_lengths_are_said_and_end_it() {
    for length in [0, 1, 4, 15, 21, 1000, u32::MAX] {
        let mut datagram = message(16, 20, 0);
        datagram.extend(message(length, 16, 4));
        assert_eq!(split(&datagram), (vec![20], true), "nlmsg_len {length}");
        datagram.truncate(16);
        datagram[..4].copy_from_slice(&length.to_ne_bytes());
        let sound = split(&datagram);
        assert_eq!(sound, (vec![], true), "nlmsg_len {length}, alone");
    }
}

#[test]
fn trailing_garbage_is_broken() {
    for garbage in 1..16 {
        let mut datagram = message(16, 20, 0);
        datagram.extend(vec![0xff; garbage]);
        assert_eq!(split(&datagram), (vec![20], true), "{garbage} octets");
    }
    assert_eq!(split(&[]), (vec![], false), "nothing is whole");
}

#[test]
fn every_truncation_of_a_datagram_is_seen() {
    let messages: Vec<Vec<u8>> = recorded()
        .into_iter()
        .map(|(_, octets)| octets)
        .filter(|octets| octets.len() < 200)
        .take(4)
        .collect();
    let datagram = messages.concat();
    let mut ends = vec![0];
    ends.extend(messages.iter().scan(0, |end, message| {
        *end += message.len();
        Some(*end)
    }));
    for length in 0..=datagram.len() {
        let (kinds, broken) = split(&datagram[..length]);
        assert_eq!(kinds.len(), ends.iter().filter(|end| **end <= length).count() - 1, "{length} octets");
        assert_eq!(broken, !ends.contains(&length), "{length} octets");
    }
}
