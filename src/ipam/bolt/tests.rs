use super::*;

/// A database of Podman 5.4.2 with one leaked address and nothing else.
const LEAK: &[u8] = include_bytes!("../tests/leak.db");
/// A database of Podman 5.4.2: seven containers in three networks, two of which have IPv4 and IPv6.
const NETWORKS: &[u8] = include_bytes!("../tests/networks.db");

/// A database as bbolt makes it: two meta pages, no free page, an empty root.
fn new(page_size: usize) -> Vec<u8> {
    let meta = |transaction| Meta {
        page_size,
        flags: 0,
        root: 3,
        sequence: 0,
        freelist: 2,
        high_water: 4,
        transaction,
    };
    let page = |number: u64, flags, body: &[u8]| {
        let mut bytes = [number.to_ne_bytes(), [0; 8]].concat();
        bytes[8..10].copy_from_slice(&u16::to_ne_bytes(flags));
        bytes.extend(body);
        bytes.resize(page_size, 0);
        bytes
    };
    let metas = [page(0, META, &meta(0).bytes()), page(1, META, &meta(1).bytes())];
    [metas.concat(), page(2, FREELIST, &[]), page(3, LEAF, &[])].concat()
}

#[test]
fn a_recorded_database() {
    let database = Database::parse(LEAK).unwrap();
    let BucketEntry::Bucket(network) = &database.root.entries[b"systemd-seed".as_slice()] else { panic!() };
    let BucketEntry::Bucket(ids) = &network.entries[b"ids".as_slice()] else { panic!() };
    let id = b"7c62d2bfb262240647c11f255fb559439133b51c551c4e421f493bff1faf9865".to_vec();
    assert_eq!(Vec::from_iter(&ids.entries), [(&id, &BucketEntry::Value(br#"["172.21.0.2"]"#.to_vec()))]);
    assert!(database.accounts_for_every_page());
    assert!(Database::parse(NETWORKS).unwrap().accounts_for_every_page());
}

#[test]
fn what_is_no_database() {
    let good = new(4096);
    let with = |at: usize, byte: u8| {
        let mut data = good.clone();
        data[at] ^= byte;
        data
    };
    let meta = |change: fn(&mut Meta)| {
        let mut meta = Meta::current(&good).unwrap();
        meta.transaction = 8;
        change(&mut meta);
        let mut data = good.clone();
        data[HEADER..HEADER + META_SIZE].copy_from_slice(&meta.bytes());
        data
    };
    let page = |page, what| Damage::Page { page, what };
    for (data, expected) in [
        (Vec::new(), Damage::Empty),
        (b"SQLite format 3\0".to_vec(), Damage::Foreign),
        (vec![0; 32768], Damage::Foreign),
        (good[..50].to_vec(), Damage::Truncated { found: 50, expected: 80 }),
        (good[..16000].to_vec(), Damage::Truncated { found: 16000, expected: 16384 }),
        (meta(|meta| meta.high_water = u64::MAX), Damage::Truncated { found: 16384, expected: u64::MAX }),
        (meta(|meta| meta.root = 4), page(4, "outside the database")),
        (meta(|meta| meta.root = 0), page(0, "outside the database")),
        (meta(|meta| meta.root = 2), page(2, "neither a branch nor a leaf")),
        (meta(|meta| meta.freelist = 3), page(3, "two ways lead to it")),
        (with(3 * 4096, 1), page(3, "it has another page's number")),
        (with(3 * 4096 + 12, 1), page(3, "it overflows the database")),
        (with(3 * 4096 + 10, 1), page(3, "an element without a key")),
    ] {
        assert_eq!(Database::parse(&data), Err(expected));
    }
    // One valid meta page is enough, the first or the second one.
    for broken in [HEADER, 4096 + HEADER + 20] {
        assert!(Database::parse(&with(broken, 1)).is_ok());
    }
    let mut data = with(HEADER + 20, 1);
    data[4096 + HEADER + 20] ^= 1;
    assert_eq!(Database::parse(&data), Err(Damage::Checksum));
}

/// An interrupted write must leave one valid meta page, and so must not begin where only the current one is.
#[test]
fn the_current_meta_page_is_never_written_over() {
    let mut data = new(4096);
    let (first, rest) = data.split_at_mut(4096);
    first.swap_with_slice(&mut rest[..4096]);
    let database = Database::parse(&data).unwrap();
    let damage = Damage::Page { page: 0, what: "the meta pages are in the wrong order" };
    assert_eq!(commit(&data, &database, &Bucket::default()), Err(damage));

    let database = Database::parse(&new(4096)).unwrap();
    let last = Database { meta: Meta { transaction: u64::MAX, ..database.meta }, ..database };
    assert_eq!(commit(&new(4096), &last, &Bucket::default()), Err(Damage::Unproven));
}

mod random;
