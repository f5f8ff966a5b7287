//! Reads and writes bbolt's file format (go.etcd.io/bbolt, version 2), as far as a small database needs it.
//!
//! A file is a row of pages of equal size. Pages 0 and 1 are meta pages. The valid meta page with the higher
//! transaction number says where the root bucket and the list of free pages are. A bucket is a tree of branch
//! pages and leaf pages. bbolt never changes a page of the tree in place: it writes a changed copy elsewhere. A
//! small bucket lies inside its parent's leaf page. Numbers are in the byte order of the machine.
//!
//! The reader trusts nothing in the file. It visits each page once, reports a reference that leads out of the
//! file as damage, and never allocates more than the size of the file. This module works on bytes; it does not
//! open files and does not know of Podman.

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
/// A flag of a leaf's element: the element's value is a bucket.
const BUCKET: u32 = 0x01;
/// If the free list's header has this count, the real count is the list's first entry.
const MANY: u16 = 0xFFFF;
/// If a meta page has this number for the free list, the file has no free list.
const NO_FREELIST: u64 = u64::MAX;
/// The length of a page's header, in bytes.
const HEADER: usize = 16;
/// The length of an element's head, in bytes. Key and value lie behind the heads of all elements.
const ELEMENT: usize = 16;
/// The length of the header in a bucket's value, in bytes: the number of the root page, and the sequence.
const BUCKET_HEADER: usize = 16;
/// The length of a meta page's content, in bytes, with its checksum and without the page's header.
const META_SIZE: usize = 64;
/// The most levels that the reader follows. A tree with more levels would have more keys than fit in any file.
const DEEPEST: usize = 32;

/// Why a file's content cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
    /// No meta page has bbolt's magic number: the file is not a bbolt database.
    #[error("not a bbolt database")]
    Foreign,
    /// The file is a bbolt database of another version of the format.
    #[error("a bbolt database of version {0}; version 2 is known")]
    Version(u32),
    /// Neither meta page has a valid checksum.
    #[error("no meta page has a correct checksum")]
    Checksum,
    /// The file is shorter than its meta page says.
    #[error("truncated: {found} bytes of {expected}")]
    Truncated {
        /// The length of the file, in bytes.
        found: u64,
        /// The length that the meta page says, in bytes.
        expected: u64,
    },
    /// The content of a page is invalid.
    #[error("damaged: page {page}: {what}")]
    Page {
        /// The number of the page.
        page: u64,
        /// What is wrong with the page.
        what: &'static str,
    },
    /// The new database would not read back as intended, so it must not be written.
    #[error("what would be written does not read back as meant")]
    Unproven,
}

fn damaged<T>(page: u64, what: &'static str) -> Result<T, Damage> {
    Err(Damage::Page { page, what })
}

/// A bucket: keys in order, each with a value or with another bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// A counter that bbolt keeps for the program that uses the database. A write keeps it unchanged.
    pub sequence: u64,
    /// The entries of the bucket by their keys.
    pub entries: BTreeMap<Vec<u8>, BucketEntry>,
}

/// The entry of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketEntry {
    /// A value: bytes whose meaning the database does not know.
    Value(Vec<u8>),
    /// A bucket inside this bucket.
    Bucket(Bucket),
}

/// A database that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The bucket that has all other buckets.
    pub root: Bucket,
    meta: Meta,
    /// The use of each page below the high-water mark.
    pages: Vec<Use>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The page is part of the tree or of the free list, or is a meta page.
    Reachable,
    /// The free list has the page.
    Free,
    /// Neither the tree nor the free list has the page. bbolt calls such a page leaked; it is harmless.
    Forgotten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_size: usize,
    flags: u32,
    root: u64,
    sequence: u64,
    freelist: u64,
    /// The lowest page number that was never used.
    high_water: u64,
    transaction: u64,
}

impl Database {
    /// Reads a whole file.
    ///
    /// # Errors
    /// If the content is not a valid database, the error says why.
    pub fn parse(data: &[u8]) -> Result<Database, Damage> {
        let meta = Meta::current(data)?;
        let expected = meta.high_water.saturating_mul(meta.page_size as u64);
        if (data.len() as u64) < expected {
            return Err(Damage::Truncated { found: data.len() as u64, expected });
        }
        // The file has this many pages, as the check above has shown.
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

    /// The offset of the end of the meta pages, in bytes. While the content before this offset stays the same, the
    /// database stays the same.
    pub fn metas_end(&self) -> usize {
        2 * self.meta.page_size
    }

    /// Whether each page is either reachable or free. bbolt's own check demands this.
    pub fn accounts_for_every_page(&self) -> bool {
        !self.pages.contains(&Use::Forgotten)
    }
}

impl Meta {
    /// The valid meta page with the higher transaction number.
    fn current(data: &[u8]) -> Result<Meta, Damage> {
        if data.is_empty() {
            return Err(Damage::Empty);
        }
        let first = Meta::at(data, 0);
        // If the first meta page is invalid, the page size is unknown: look for the second one at every possible size.
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

/// Corrects the checksums of both meta pages, so that a fuzzer's input passes this check. The pages must have 4096
/// bytes.
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
