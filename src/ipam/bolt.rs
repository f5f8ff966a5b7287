//! bbolt's file format (go.etcd.io/bbolt, version 2), as much of it as a small database needs.
//!
//! A file is a row of pages. Pages 0 and 1 are meta pages, and the valid one with the higher transaction number
//! tells where the root bucket and the list of free pages are. A bucket is a tree of branch and leaf pages,
//! copied and never changed in place; a small one lies in its parent's leaf. Numbers are in the machine's own
//! byte order.
//!
//! Reading believes nothing: each page is visited once, what lies outside is damage, nothing is allocated that
//! is larger than the file. Nothing here knows of files or of Podman.

use std::collections::BTreeMap;

use read::PageReader;

mod read;
// The recorded databases are of little-endian machines.
#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests;
mod write;
pub use write::{Commit, commit};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
const FREELIST: u16 = 0x10;
/// Of a leaf's element: its value is a bucket.
const BUCKET: u32 = 0x01;
/// A freelist's count that says: the count is the first entry.
const MANY: u16 = 0xFFFF;
/// In a meta page: the free pages are not written down.
const NO_FREELIST: u64 = u64::MAX;
/// Bytes of a page's header, of an element, of a bucket's header, and of what a meta page says.
const HEADER: usize = 16;
const ELEMENT: usize = 16;
const BUCKET_HEADER: usize = 16;
const META_SIZE: usize = 64;
/// A tree this high would hold more keys than any file.
const DEEPEST: usize = 32;

/// Why a file's content cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// No meta page has bbolt's magic number: the file is not a bbolt database.
    #[error("not a bbolt database")]
    Foreign,
    /// bbolt's, but of another version.
    #[error("a bbolt database of version {0}; version 2 is known")]
    Version(u32),
    /// Neither meta page has a right checksum.
    #[error("no meta page has a right checksum")]
    Checksum,
    /// Fewer bytes than the meta page says.
    #[error("truncated: {found} bytes of {expected}")]
    Truncated {
        /// The value in the file.
        found: u64,
        /// The value that the file should have.
        expected: u64,
    },
    /// A page does not hold what it must.
    #[error("damaged: page {page}: {what}")]
    Page {
        /// The number of the page.
        page: u64,
        /// What is wrong with the page.
        what: &'static str,
    },
    /// It cannot be written so that it reads back as meant.
    #[error("what would be written does not read back as meant")]
    Unproven,
}

fn damaged<T>(page: u64, what: &'static str) -> Result<T, Damage> {
    Err(Damage::Page { page, what })
}

/// Keys in order, with values and further buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// bbolt's counter for its users; kept as it is.
    pub sequence: u64,
    /// The entries of the bucket by their keys.
    pub entries: BTreeMap<Vec<u8>, BucketEntry>,
}

/// What a key leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketEntry {
    /// A value: octets without a meaning to the database.
    Value(Vec<u8>),
    /// A bucket in the bucket.
    Bucket(Bucket),
}

/// A database as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// What is in it.
    pub root: Bucket,
    meta: Meta,
    /// For each page below the high-water mark, what it is used for.
    pages: Vec<Use>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Part of the tree, the freelist, or a meta page.
    Reachable,
    /// The freelist names it.
    Free,
    /// Neither: bbolt calls it leaked, and does no harm by it.
    Forgotten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_size: usize,
    flags: u32,
    root: u64,
    sequence: u64,
    freelist: u64,
    /// The first page number that was never used.
    high_water: u64,
    transaction: u64,
}

impl Database {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Where it is not a sound database, with the reason.
    pub fn parse(data: &[u8]) -> Result<Database, Damage> {
        let meta = Meta::current(data)?;
        let expected = meta.high_water.saturating_mul(meta.page_size as u64);
        if (data.len() as u64) < expected {
            return Err(Damage::Truncated { found: data.len() as u64, expected });
        }
        // No more than the file has, as was just seen.
        let mut pages = vec![Use::Forgotten; usize::try_from(meta.high_water).unwrap_or_default()];
        for first in pages.iter_mut().take(2) {
            *first = Use::Reachable;
        }
        let mut reader = PageReader::new(data, meta.page_size, pages);
        let root = reader.bucket(meta.root, meta.sequence, 0)?;
        if meta.freelist != NO_FREELIST {
            reader.freelist(meta.freelist)?;
        }
        Ok(Database { root, meta, pages: reader.into_pages() })
    }

    /// Where the meta pages end: as long as what lies before it stays the same, so does the database.
    pub fn metas_end(&self) -> usize {
        2 * self.meta.page_size
    }

    /// Whether each page is either reachable or free, as bbolt's own check demands.
    pub fn accounts_for_every_page(&self) -> bool {
        !self.pages.contains(&Use::Forgotten)
    }
}

impl Meta {
    /// The valid one of the later transaction.
    fn current(data: &[u8]) -> Result<Meta, Damage> {
        if data.is_empty() {
            return Err(Damage::Empty);
        }
        let first = Meta::at(data, 0);
        // Where the first is no good, the second is looked for at every size a page can have.
        let sizes = match &first {
            Ok(meta) => vec![meta.page_size],
            Err(_) => (10..=16).map(|bits| 1_usize << bits).collect(),
        };
        let second =
            sizes.into_iter().find_map(|size| Meta::at(data, size).ok().filter(|m| m.page_size == size));
        match (first, second) {
            (Ok(first), Some(second)) if second.transaction > first.transaction => Ok(second),
            (Ok(meta), _) | (Err(_), Some(meta)) => Ok(meta),
            (Err(damage), None) => Err(damage),
        }
    }

    fn at(data: &[u8], page: usize) -> Result<Meta, Damage> {
        let short =
            Damage::Truncated { found: data.len() as u64, expected: (page + HEADER + META_SIZE) as u64 };
        let body = data.get(page + HEADER..page + HEADER + META_SIZE);
        let magic = u32_at(data, page + HEADER);
        let Some(body) = body else {
            return Err(if magic == Some(MAGIC) { short } else { Damage::Foreign });
        };
        if magic != Some(MAGIC) {
            return Err(Damage::Foreign);
        }
        let (said, sum) = body.split_at(META_SIZE - 8);
        if u64_at(sum, 0) != Some(fnv1a(said)) {
            return Err(Damage::Checksum);
        }
        let long = |at| u64_at(said, at).ok_or(Damage::Foreign);
        let short = |at| u32_at(said, at).ok_or(Damage::Foreign);
        if short(4)? != VERSION {
            return Err(Damage::Version(short(4)?));
        }
        let meta = Meta {
            page_size: usize::try_from(short(8)?).unwrap_or_default(),
            flags: short(12)?,
            root: long(16)?,
            sequence: long(24)?,
            freelist: long(32)?,
            high_water: long(40)?,
            transaction: long(48)?,
        };
        let sizes = 1024..=65536;
        if !sizes.contains(&meta.page_size) || !meta.page_size.is_power_of_two() {
            return damaged(0, "an impossible page size");
        }
        Ok(meta)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = [MAGIC, VERSION, u32::try_from(self.page_size).unwrap_or_default(), self.flags]
            .map(u32::to_ne_bytes)
            .concat();
        let rest = [self.root, self.sequence, self.freelist, self.high_water, self.transaction];
        body.extend(rest.map(u64::to_ne_bytes).concat());
        body.extend(fnv1a(&body).to_ne_bytes());
        body
    }
}

/// Makes the checksums of both meta pages right, so that a fuzzer gets past them. Pages of 4096 octets.
#[cfg(any(test, fuzzing))]
pub(crate) fn set_checksums(data: &mut [u8]) {
    const SUM: usize = META_SIZE - 8;
    for page in data.chunks_mut(4096).take(2) {
        let Some(meta) = page.get_mut(HEADER..HEADER + META_SIZE) else { continue };
        let (body, sum) = meta.split_at_mut(SUM);
        sum.copy_from_slice(&fnv1a(body).to_ne_bytes());
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}
