//! Random databases, random damage, and power cuts.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Keys and values of one byte up to more than a page.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), 1..12),
        2 => vec(any::<u8>(), 30..90),
        1 => vec(any::<u8>(), 900..3000),
    ]
}

fn bucket() -> impl Strategy<Value = Bucket> {
    let value = || bytes().prop_map(BucketEntry::Value);
    let of = |entries: BTreeMap<_, _>, sequence| BucketEntry::Bucket(Bucket { sequence, entries });
    let leaf = (btree_map(bytes(), value(), 0..40), any::<u64>()).prop_map(move |(it, at)| of(it, at));
    let tree = leaf.prop_recursive(3, 200, 12, move |inner| {
        let entry = prop_oneof![1 => value(), 2 => inner];
        (btree_map(bytes(), entry, 0..12), any::<u64>()).prop_map(move |(it, at)| of(it, at))
    });
    tree.prop_filter_map("a bucket", |entry| match entry {
        BucketEntry::Bucket(bucket) => Some(bucket),
        BucketEntry::Value(_) => None,
    })
}

/// Removes a share of the keys, at every depth.
fn thin_out(bucket: &mut Bucket, chances: &mut impl Iterator<Item = bool>) {
    bucket.entries.retain(|_, entry| {
        if let BucketEntry::Bucket(inner) = entry {
            thin_out(inner, chances);
        }
        chances.next().unwrap_or(true)
    });
}

fn next(data: &[u8], root: &Bucket) -> Commit {
    commit(data, &Database::parse(data).unwrap(), root).unwrap()
}

/// Checks from the bytes, without the reader's code, that each page has one use: tree, free list, or free.
fn accounted(data: &[u8]) {
    let database = Database::parse(data).unwrap();
    assert!(database.accounts_for_every_page());
    let page_size = database.meta.page_size;
    let list = &data[usize::try_from(database.meta.freelist).unwrap() * page_size..];
    let count = usize::from(u16_at(list, 10).unwrap());
    let free: Vec<u64> = (0..count).map(|index| u64_at(list, HEADER + 8 * index).unwrap()).collect();
    assert!(free.is_sorted_by(|a, b| a < b), "bbolt wants them in order: {free:?}");
    let free: BTreeSet<u64> = free.into_iter().collect();
    let used = database.pages.iter().filter(|used| **used == Use::Reachable).count();
    assert_eq!(used + free.len(), database.pages.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Writes a database, removes keys again and again, and reads it back each time.
    #[test]
    fn reads_back(
        first in bucket(),
        page_size in select(vec![1024_usize, 4096, 16384]),
        chances in vec(vec(any::<bool>(), 1..64), 0..5),
    ) {
        let mut data = new(page_size);
        let mut root = first;
        data = next(&data, &root).applied(&data);
        for chances in chances {
            thin_out(&mut root, &mut chances.into_iter().cycle().take(10_000));
            let commit = next(&data, &root);
            let read = Database::parse(&data).unwrap();
            for (at, bytes) in &commit.pages {
                let from = usize::try_from(*at).unwrap() / page_size;
                let pages = from..from + bytes.len() / page_size;
                prop_assert!(read.pages.iter().enumerate().all(|(index, used)| {
                    *used != Use::Reachable || !pages.contains(&index)
                }), "a page of the old tree would be written over");
            }
            data = commit.applied(&data);
            prop_assert_eq!(&Database::parse(&data).unwrap().root, &root);
            accounted(&data);
        }
    }

    /// The power fails at any byte of any write. The writes before the meta page may reach the disk in any order.
    #[test]
    fn a_power_cut(
        first in bucket(),
        chances in vec(any::<bool>(), 1..64),
        order in vec(any::<Index>(), 0..20),
        written in any::<Index>(),
        torn in any::<Index>(),
        old in 0..=1_usize,
    ) {
        let mut data = new(1024);
        for _ in 0..=old {
            data = next(&data, &first).applied(&data);
        }
        let mut root = first.clone();
        thin_out(&mut root, &mut chances.into_iter().cycle().take(10_000));
        let commit = next(&data, &root);

        // Until the new meta page is whole, the old one counts.
        let mut pages = commit.pages.clone();
        for (at, to) in order.iter().enumerate() {
            let length = pages.len();
            pages.swap(at % length, to.index(length));
        }
        let whole = written.index(pages.len() + 1);
        let half = pages.get(whole).cloned();
        pages.truncate(whole);
        if let Some((at, bytes)) = half {
            let length = torn.index(bytes.len());
            pages.push((at, bytes[..length].to_vec()));
        }
        let cut = Commit { length: commit.length, pages, meta: (0, Vec::new()) }.applied(&data);
        prop_assert_eq!(&Database::parse(&cut).unwrap().root, &first);

        let mut last = Commit { meta: (0, Vec::new()), ..commit };
        let done = next(&data, &root);
        let length = torn.index(done.meta.1.len());
        last.meta = (done.meta.0, done.meta.1[..length].to_vec());
        let read = Database::parse(&last.applied(&data)).unwrap().root;
        prop_assert!(read == first || (read == root && length >= HEADER + META_SIZE), "{}", length);
    }

    /// After random changes of recorded files the reader gives some answer. If it accepts the file, a write makes a
    /// valid database of it.
    #[test]
    fn damage(
        flips in vec((any::<Index>(), 1..=255_u8), 1..40),
        networks in any::<bool>(),
        mend in any::<bool>(),
    ) {
        let good = if networks { NETWORKS } else { LEAK };
        // Change only places with content: most of a small database is empty.
        let places: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0 || at % 97 == 0).collect();
        let mut data = good.to_vec();
        for (place, flip) in flips {
            data[places[place.index(places.len())]] ^= flip;
        }
        if mend {
            // A wrong checksum would stop the reader before it reaches the tree.
            data[..2 * 4096].copy_from_slice(&good[..2 * 4096]);
        }
        if let Ok(database) = Database::parse(&data) {
            let mut root = database.root.clone();
            root.entries.pop_first();
            let after = commit(&data, &database, &root).unwrap().applied(&data);
            prop_assert_eq!(Database::parse(&after).unwrap().root, root);
        }
    }
}

#[test]
fn every_truncation() {
    for good in [LEAK, NETWORKS] {
        let whole = Database::parse(good).unwrap();
        let needed = whole.pages.len() * whole.meta.page_size;
        for length in 0..good.len() {
            assert_eq!(Database::parse(&good[..length]).is_ok(), length >= needed, "{length}");
        }
    }
}

/// With more than 65,534 free pages, the first entry of the list is their number.
#[test]
fn a_long_list_of_free_pages() {
    let mut data = new(1024);
    let mut root = Bucket::default();
    root.entries.insert(b"large".to_vec(), BucketEntry::Value(vec![7; 66_000 * 1024]));
    data = next(&data, &root).applied(&data);
    root.entries.clear();
    data = next(&data, &root).applied(&data);
    let list = usize::try_from(Database::parse(&data).unwrap().meta.freelist).unwrap() * 1024;
    assert_eq!(u16_at(&data, list + 10), Some(MANY));
    root.entries.insert(b"small".to_vec(), BucketEntry::Value(vec![7; 3000]));
    let length = data.len();
    data = next(&data, &root).applied(&data);
    assert_eq!(Database::parse(&data).unwrap().root, root);
    assert_eq!(data.len(), length, "free pages are used first");
}

/// Freeing addresses again and again does not make the file grow.
#[test]
fn it_does_not_grow() {
    let mut data = NETWORKS.to_vec();
    let root = Database::parse(&data).unwrap().root;
    for _ in 0..50 {
        data = next(&data, &root).applied(&data);
    }
    assert_eq!(data.len(), NETWORKS.len());
}
