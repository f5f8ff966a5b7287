use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::files::Folder;

fn header(pid: u32) -> Header {
    Header {
        boot: "this".to_owned(),
        gate: "default".to_owned(),
        pid,
        version: "0.1.0".to_owned(),
        since: Moment::after_boot(Duration::from_micros(5_000_000)),
    }
}

fn writer(folder: &Path, header: Header) -> Writer {
    let place = Place {
        folder: Some(Folder::open_own(folder).unwrap()),
        problem: None,
        stem: "default".to_owned(),
        of_unit: true,
    };
    Writer::at(place, header, None)
}

/// The writer of a unit's next `run`. systemd has made its folder anew, and has kept the earlier file.
fn next(folder: &Path, header: Header, earlier: File) -> Writer {
    Writer::at(writer(folder, header.clone()).place, header, Some(earlier))
}

fn line(number: u32) -> String {
    format!(
        "{{\"usec\":{number},\"event\":\"link\",\"link\":\"e0\",\"state\":\"carrier\",\"was\":\"no-carrier\"}}\n"
    )
}

fn read(folder: &Path) -> (Vec<Run>, bool) {
    runs(&fs::read(folder.join("default.events")).unwrap())
}

fn numbers(runs: &[Run]) -> Vec<u32> {
    let lines = runs.iter().flat_map(|run| &run.lines);
    lines.map(|line| line[8..].split(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn nothing_is_written_before_the_first_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path(), header(1));
    writer.append("");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    writer.append(&line(1));
    let (runs, missing) = read(folder.path());
    assert_eq!(runs, [Run { header: header(1), lines: vec![line(1).trim_end().to_owned()] }]);
    assert!(!missing);
}

#[test]
fn a_run_that_starts_again_goes_on_behind_a_header_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for pid in 1..=3 {
        let mut writer = writer(folder.path(), header(pid));
        writer.append(&line(10 * pid));
        writer.append(&line(10 * pid + 1));
    }
    let (runs, missing) = read(folder.path());
    assert_eq!(runs.iter().map(|run| run.header.pid).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(numbers(&runs), [10, 11, 20, 21, 30, 31]);
    assert!(!missing);
}

#[test]
fn two_runs_at_the_same_time_do_not_overwrite_each_others_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (writer(folder.path(), header(1)), writer(folder.path(), header(2)));
    one.append(&line(1));
    two.append(&line(20));
    one.append(&line(2));
    assert_eq!(numbers(&read(folder.path()).0), [1, 2]);
    drop(one);
    two.append(&line(21));
    assert_eq!(numbers(&read(folder.path()).0), [1, 2, 21]);
}

#[test]
fn a_reader_that_locks_the_file_does_not_stop_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    writer(folder.path(), header(1)).append(&line(1));
    let reader = fs::File::open(folder.path().join("default.events")).unwrap();
    let whole = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&reader, FcntlArg::F_OFD_SETLK(&whole)).unwrap();
    writer(folder.path(), header(2)).append(&line(2));
    assert_eq!(numbers(&read(folder.path()).0), [1, 2]);
}

#[test]
fn another_boots_events_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = writer(folder.path(), Header { boot: "other".to_owned(), ..header(9) });
    (0..2000).for_each(|number| other.append(&line(number)));
    drop(other);
    writer(folder.path(), header(1)).append(&line(7));
    let (runs, missing) = read(folder.path());
    assert_eq!((runs.len(), numbers(&runs), missing), (1, vec![7], false));
}

#[test]
fn the_first_and_the_latest_events_stay_and_the_size_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path(), header(1));
    let mut before = 0;
    for number in 0..20_000 {
        writer.append(&line(number));
        let size = fs::metadata(folder.path().join("default.events")).unwrap().len();
        assert!(size <= LARGEST && size >= before, "{size}");
        before = size;
    }
    let (runs, missing) = read(folder.path());
    assert!(missing);
    assert_eq!(runs.len(), 1);
    let numbers = numbers(&runs);
    let first = numbers.iter().zip(0..).take_while(|(number, index)| *number == index).count();
    let latest =
        numbers.iter().rev().zip((0..20_000).rev()).take_while(|(number, index)| *number == index).count();
    assert_eq!(first + latest, numbers.len());
    let size = line(0).len();
    assert!(first > 40_000 / size, "{first}");
    assert!(latest > 16_000 / size, "{latest}");
    // A new run continues at the end of the file.
    drop(writer);
    let mut writer = super::tests::writer(folder.path(), header(2));
    writer.append(&line(77));
    let (runs, missing) = read(folder.path());
    assert!(missing);
    assert_eq!((runs.len(), runs[1].lines.len()), (2, 1));
    assert!(runs[0].lines.len() > first);
}

#[test]
fn nothing_is_missing_until_a_part_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path(), header(1));
    let mut number = 0;
    while writer.file.as_ref().is_none_or(|file| file.part < 3) {
        if number > 0 && number % 10 == 0 {
            let (runs, missing) = read(folder.path());
            assert!(!missing, "{number}");
            assert_eq!(numbers(&runs), (0..number).collect::<Vec<_>>());
        }
        writer.append(&line(number));
        number += 1;
    }
    assert!(read(folder.path()).1);
}

/// A batch may have any size. No line is cut, and only a line that is too long for a place is dropped.
#[test]
fn a_large_batch_is_split_between_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path(), header(1));
    let batch: String = (0..400).map(line).collect();
    writer.append(&batch);
    let (runs, missing) = read(folder.path());
    assert_eq!((numbers(&runs), missing), ((0..400).collect(), false));
    let huge = format!("{{\"usec\":1,\"text\":\"{}\"}}\n", "x".repeat(20_000));
    writer.append(&format!("{}{huge}{}", line(400), line(401)));
    assert_eq!(numbers(&read(folder.path()).0), (0..402).collect::<Vec<_>>());
    writer.append(&huge);
    writer.append(line(402).trim_end());
    writer.append(&line(403));
    assert_eq!(numbers(&read(folder.path()).0), (0..404).collect::<Vec<_>>());
    let size = fs::metadata(folder.path().join("default.events")).unwrap().len();
    assert!(size <= LARGEST);
}

#[test]
fn a_file_cut_at_any_octet_gives_every_whole_line_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = writer(folder.path(), header(1));
    (0..850).for_each(|number| first.append(&line(number)));
    drop(first);
    writer(folder.path(), header(2)).append(&line(850));
    let whole = fs::read(folder.path().join("default.events")).unwrap();
    assert!(whole.len() > usize::try_from(FIRST + NEXT).unwrap(), "all three places are used");
    let all = numbers(&runs(&whole).0);
    // Try each byte near the beginning and the end of a place and near the end of the file. Between them, try every
    // 397th: the lines there are all alike.
    let near = |cut: usize| {
        let places = [0, FIRST, FIRST + NEXT, whole.len() as u64];
        places.iter().any(|place| (cut as u64).abs_diff(*place) < 200)
    };
    let ends = ends(&whole);
    let mut before = 0;
    for cut in (0..=whole.len()).filter(|cut| near(*cut) || cut % 397 == 0) {
        let (runs, _) = runs(&whole[..cut]);
        let lines = runs.iter().map(|run| run.lines.len()).sum::<usize>();
        assert_eq!(numbers(&runs), all[..lines], "cut at {cut}");
        assert_eq!(lines, ends.partition_point(|end| *end <= cut), "cut at {cut}");
        assert!(lines >= before, "cut at {cut}");
        before = lines;
    }
    assert_eq!(before, all.len());
}

/// The offsets at which the lines of events end.
fn ends(octets: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let lines = octets.split_inclusive(|byte| *byte == b'\n').map(|line| {
        at += line.len();
        (at, line)
    });
    lines.filter(|(_, line)| line.starts_with(b"{\"usec\"")).map(|(at, _)| at).collect()
}

/// The next run overwrites a line that is not whole.
#[test]
fn a_run_after_a_cut_goes_on_after_the_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("default.events");
    let mut first = writer(folder.path(), header(1));
    (0..3).for_each(|number| first.append(&line(number)));
    drop(first);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let kept = numbers(&read(folder.path()).0);
        writer(folder.path(), header(2)).append(&line(9));
        let expected: Vec<u32> = kept.into_iter().chain([9]).collect();
        let (runs, missing) = read(folder.path());
        assert_eq!((numbers(&runs), missing), (expected, false), "cut at {cut}");
    }
}

/// A child process between fork and exec shares the open file and its lock.
#[test]
fn a_run_that_ended_holds_no_lock_through_a_child() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = writer(folder.path(), header(1));
    first.append(&line(0));
    let of_child = first.file.as_ref().unwrap().file.try_clone().unwrap();
    drop(first);
    writer(folder.path(), header(2)).append(&line(9));
    assert_eq!(numbers(&read(folder.path()).0), [0, 9]);
    drop(of_child);
}

/// A file as the service manager keeps it: open and deleted.
fn deleted(folder: tempfile::TempDir) -> File {
    let file = File::open(folder.path().join("default.events")).unwrap();
    drop(folder);
    file
}

#[test]
fn the_events_of_a_run_whose_folder_is_gone_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = writer(folder.path(), header(1));
    (0..3).for_each(|number| first.append(&line(number)));
    let gave_up = Some(Moment::after_boot(Duration::from_micros(7_000_001)));
    let given_up = Past { gave_up, last_gave_up: gave_up, awaited_since: gave_up, losses: 2 };
    first.remember(given_up);
    let earlier = deleted(folder);

    let folder = tempfile::tempdir().unwrap();
    let mut second = next(folder.path(), header(2), earlier.try_clone().unwrap());
    assert_eq!(second.past(), given_up);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written before the first event");
    second.append(&line(3));
    let (runs, missing) = read(folder.path());
    assert_eq!(runs.iter().map(|run| run.header.pid).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((numbers(&runs), missing), ((0..4).collect(), false));
    // The file in the folder is newer than the file that the service manager kept, so the kept one is not copied over
    // it.
    drop(second);
    let mut third = next(folder.path(), header(3), earlier.try_clone().unwrap());
    third.append(&line(4));
    assert_eq!(numbers(&read(folder.path()).0), (0..5).collect::<Vec<_>>());
    assert_eq!(third.past(), given_up);

    for (other, why) in [
        (Header { boot: "other".to_owned(), ..header(2) }, "another boot"),
        (Header { gate: "storage".to_owned(), ..header(2) }, "another gate"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = next(folder.path(), other.clone(), earlier.try_clone().unwrap());
        writer.append(&line(9));
        assert_eq!(numbers(&read(folder.path()).0), [9], "{why}");
        if other.boot == "other" {
            assert_eq!(writer.past(), Past::default(), "{why}");
        }
    }
    // A file that is not regular is ignored: reading it could block.
    let folder = tempfile::tempdir().unwrap();
    let mut writer = next(folder.path(), header(2), File::open("/dev/zero").unwrap());
    writer.append(&line(9));
    assert_eq!(numbers(&read(folder.path()).0), [9]);
}

#[test]
fn the_past_is_one_line_that_is_overwritten_and_events_do_not_touch_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = writer(folder.path(), header(1));
    let at = |micros| Some(Moment::after_boot(Duration::from_micros(micros)));
    first.remember(Past { losses: 1, ..Past::default() });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "there are no events yet");
    first.append(&line(0));
    first.remember(Past::default());
    let path = folder.path().join("default.events");
    assert!(fs::metadata(&path).unwrap().len() < 1024, "an ordinary boot needs no such line");
    for past in [
        Past {
            gave_up: at(u64::MAX),
            last_gave_up: at(u64::MAX),
            awaited_since: at(u64::MAX),
            losses: u64::MAX,
        },
        Past { gave_up: at(1), last_gave_up: at(1), awaited_since: at(0), losses: 1 },
        Past { last_gave_up: at(1), losses: 2, ..Past::default() },
        Past { losses: 2, ..Past::default() },
    ] {
        first.remember(past);
        assert_eq!(writer(folder.path(), header(2)).past(), past);
    }
    (1..3000).for_each(|number| first.append(&line(number)));
    assert_eq!(fs::metadata(&path).unwrap().len(), LARGEST);
    assert_eq!(writer(folder.path(), header(2)).past().losses, 2);
    assert_eq!(numbers(&read(folder.path()).0).last(), Some(&2999));
    // A line of the past that is cut off counts as missing.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..usize::try_from(PAST).unwrap() + 40]).unwrap();
    assert_eq!(writer(folder.path(), header(2)).past(), Past::default());
    // A run that was started by hand does not continue from a past.
    fs::write(&path, &whole).unwrap();
    let place = Place { of_unit: false, ..writer(folder.path(), header(2)).place };
    assert_eq!(Writer::at(place, header(2), None).past(), Past::default());
}

#[test]
fn a_file_without_a_header_has_no_runs() {
    for octets in [
        &b""[..],
        b"\n\n\n",
        b"{}\n{}\n",
        b"{\"record\":1}\n{\"a\":1}\n",
        b"{\"record\":1,\"part\":0,\"boot-id\":7,\"gate\":\"a\",\"pid\":1,\"version\":\"\",\"usec\":1}\n{}\n",
        &[0xff; 100_000],
        &[0; 100_000],
    ] {
        assert!(runs(octets).0.is_empty());
    }
}

/// The file may have any content: others may have written it.
#[test]
fn a_part_in_the_wrong_place_and_lines_that_are_not_text_are_skipped() {
    let lines = b"{\"a\":1}\n\xff\xfe\n{\"b\":2}\n";
    for (part, read) in [(0, true), (1, false), (2, false), (u64::MAX, false)] {
        let octets = [header(1).line(part).as_bytes(), lines].concat();
        let (found, missing) = runs(&octets);
        assert_eq!((found.len(), missing), (usize::from(read), false), "{part}");
        if read {
            assert_eq!(found[0].lines, [r#"{"a":1}"#, r#"{"b":2}"#]);
        }
    }
    // The largest part number, in its right place, and a run that continues there.
    let mut octets = vec![0; usize::try_from(FIRST).unwrap()];
    octets.extend(header(1).line(u64::MAX).as_bytes());
    octets.extend(lines);
    assert!(runs(&octets).1, "the first events are missing");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("default.events"), &octets).unwrap();
    let mut writer = writer(folder.path(), header(2));
    (0..500).for_each(|number| writer.append(&line(number)));
    assert!(fs::metadata(folder.path().join("default.events")).unwrap().len() <= LARGEST);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let (runs, _) = runs(&octets);
        prop_assert!(runs.is_empty());
    }
}
