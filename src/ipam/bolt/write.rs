//! One write transaction: a new tree beside the old one, and then the meta page that leads to it.
//!
//! The whole tree is written anew, for these databases have a few pages. Until its meta page is written, nothing
//! that the old one leads to is touched: wherever the writing ends, the file is the old database or the new.

use super::{
    BRANCH, BUCKET, BUCKET_HEADER, Bucket, BucketEntry, Damage, Database, ELEMENT, FREELIST, HEADER, LEAF,
    MANY, META, Meta, Use,
};

/// What is to be written, in this order, and on the disk before the next.
#[derive(Debug, PartialEq, Eq)]
pub struct Commit {
    /// The file is to be no shorter.
    pub length: u64,
    /// Places and bytes of the new tree, all free as yet.
    pub pages: Vec<(u64, Vec<u8>)>,
    /// Place and bytes of the meta page that makes it count.
    pub meta: (u64, Vec<u8>),
}

impl Commit {
    /// The file's content with all of it.
    #[must_use]
    pub fn applied(&self, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        for (at, bytes) in self.pages.iter().chain([&self.meta]) {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            let end = at.saturating_add(bytes.len());
            if data.len() < end {
                data.resize(end, 0);
            }
            if let Some(place) = data.get_mut(at..end) {
                place.copy_from_slice(bytes);
            }
        }
        data
    }
}

/// The transaction after which the database that was read from `data` holds `root`. It has been proven to read
/// back as that.
///
/// # Errors
/// Where it does not; then nothing must be written.
pub fn commit(data: &[u8], database: &Database, root: &Bucket) -> Result<Commit, Damage> {
    let mut writer = Writer {
        page_size: database.meta.page_size,
        used: database.pages.iter().map(|used| *used == Use::Reachable).collect(),
        pages: Vec::new(),
    };
    let top = writer.tree(root)?;
    let freelist = writer.freelist(&database.pages)?;
    let meta = Meta {
        root: top,
        sequence: root.sequence,
        freelist,
        high_water: writer.used.len() as u64,
        transaction: database.meta.transaction + 1,
        ..database.meta
    };
    let slot = meta.transaction % 2;
    let page_size = writer.page_size;
    let commit = Commit {
        length: meta.high_water * page_size as u64,
        pages: writer.pages,
        meta: (slot * page_size as u64, page(page_size, 1, slot, META, 0, &meta.bytes())),
    };
    let read = Database::parse(&commit.applied(data))?;
    if read.root != *root || read.meta != meta || !read.accounts_for_every_page() {
        return Err(Damage::Unproven);
    }
    Ok(commit)
}

/// An element to be: of a leaf, or, with the child's number for a value, of a branch.
struct Element {
    flags: u32,
    key: Vec<u8>,
    value: Vec<u8>,
}

struct Writer {
    page_size: usize,
    /// By the old tree, which stays until the end, or by the new one.
    used: Vec<bool>,
    pages: Vec<(u64, Vec<u8>)>,
}

impl Writer {
    /// Writes a bucket to pages of its own, and says which is its root.
    fn tree(&mut self, bucket: &Bucket) -> Result<u64, Damage> {
        let mut level = self.elements(bucket)?;
        let mut flags = LEAF;
        loop {
            let mut above = Vec::new();
            for node in self.divide(level) {
                let number = self.node(flags, &node)?;
                let key = node.first().map(|first| first.key.clone()).unwrap_or_default();
                above.push(Element { flags: 0, key, value: number.to_ne_bytes().to_vec() });
            }
            if let [only] = above.as_slice() {
                return only.value.first_chunk().map(|it| u64::from_ne_bytes(*it)).ok_or(Damage::Unproven);
            }
            level = above;
            flags = BRANCH;
        }
    }

    /// A bucket's elements; the buckets in it are written first.
    fn elements(&mut self, bucket: &Bucket) -> Result<Vec<Element>, Damage> {
        let element = |(key, entry): (&Vec<u8>, &BucketEntry)| {
            let (flags, value) = match entry {
                BucketEntry::Value(value) => (0, value.clone()),
                BucketEntry::Bucket(bucket) => (BUCKET, self.nested(bucket)?),
            };
            Ok(Element { flags, key: key.clone(), value })
        };
        bucket.entries.iter().map(element).collect()
    }

    fn nested(&mut self, bucket: &Bucket) -> Result<Vec<u8>, Damage> {
        let inner = bucket.entries.values().any(|entry| matches!(entry, BucketEntry::Bucket(_)));
        let mut value = Vec::with_capacity(BUCKET_HEADER);
        // bbolt's own measure of what is small enough to lie in its parent's leaf.
        let inline = if inner { None } else { Some(self.elements(bucket)?) };
        let inline = inline.filter(|elements| HEADER + size(elements) <= self.page_size / 4);
        let root = if inline.is_some() { 0 } else { self.tree(bucket)? };
        value.extend([root, bucket.sequence].map(u64::to_ne_bytes).concat());
        if let Some(elements) = inline {
            let body = body(LEAF, &elements)?;
            value.extend(page(0, 0, 0, LEAF, count(elements.len())?, &body));
        }
        Ok(value)
    }

    /// Into nodes of a page each; of two elements at least, or a tree of long keys would never get a root.
    fn divide(&self, elements: Vec<Element>) -> Vec<Vec<Element>> {
        let mut nodes = vec![Vec::new()];
        let mut filled = HEADER;
        for element in elements {
            let more = size(std::slice::from_ref(&element));
            match nodes.last_mut() {
                Some(node) if node.len() < 2 || filled + more <= self.page_size => node.push(element),
                _ => {
                    nodes.push(vec![element]);
                    filled = HEADER;
                }
            }
            filled += more;
        }
        nodes
    }

    fn node(&mut self, flags: u16, elements: &[Element]) -> Result<u64, Damage> {
        let body = body(flags, elements)?;
        let pages = (HEADER + body.len()).div_ceil(self.page_size);
        let number = self.take(pages);
        self.put(pages, number, flags, count(elements.len())?, &body);
        Ok(number)
    }

    /// The free pages: all that the new tree does not use, the old tree's among them.
    fn freelist(&mut self, before: &[Use]) -> Result<u64, Damage> {
        // As if all were free, its own and one for the count too.
        let most = |pages: usize| (HEADER + 8 * (pages + 1)).div_ceil(self.page_size);
        let pages = most(self.used.len() + most(self.used.len()) + 1);
        let number = self.take(pages);
        let in_use = |index: usize| match before.get(index) {
            // Taken from the old tree, which is free from now on.
            Some(Use::Reachable) => index < 2,
            Some(Use::Free | Use::Forgotten) | None => self.used.get(index).copied().unwrap_or_default(),
        };
        let mut free: Vec<u64> =
            (0..self.used.len()).filter(|index| !in_use(*index)).map(|it| it as u64).collect();
        let count = match u16::try_from(free.len()) {
            Ok(count) if count < MANY => count,
            _ => {
                free.insert(0, free.len() as u64);
                MANY
            }
        };
        let body: Vec<u8> = free.iter().flat_map(|number| number.to_ne_bytes()).collect();
        self.put(pages, number, FREELIST, count, &body);
        Ok(number)
    }

    /// The first row of so many unused pages; behind the end where there is none.
    fn take(&mut self, pages: usize) -> u64 {
        let row = self.used.windows(pages).position(|row| row.iter().all(|used| !used));
        let start = row.unwrap_or(self.used.len());
        let end = start + pages;
        if self.used.len() < end {
            self.used.resize(end, false);
        }
        for used in self.used.iter_mut().skip(start).take(pages) {
            *used = true;
        }
        start as u64
    }

    fn put(&mut self, pages: usize, number: u64, flags: u16, count: u16, body: &[u8]) {
        let bytes = page(self.page_size, pages, number, flags, count, body);
        self.pages.push((number * self.page_size as u64, bytes));
    }
}

/// What elements take behind a page's header.
fn size(elements: &[Element]) -> usize {
    elements.iter().map(|element| ELEMENT + element.key.len() + element.value.len()).sum()
}

fn count(elements: usize) -> Result<u16, Damage> {
    u16::try_from(elements).map_err(|_| Damage::Unproven)
}

/// The elements' heads and then their bytes.
fn body(flags: u16, elements: &[Element]) -> Result<Vec<u8>, Damage> {
    let number = |size: usize| u32::try_from(size).map_err(|_| Damage::Unproven);
    let (mut heads, mut bytes) = (Vec::<u8>::new(), Vec::<u8>::new());
    for (index, element) in elements.iter().enumerate() {
        let offset = number((elements.len() - index) * ELEMENT + bytes.len())?.to_ne_bytes();
        let key = number(element.key.len())?.to_ne_bytes();
        bytes.extend(&element.key);
        if flags == BRANCH {
            heads.extend([offset, key].concat());
            heads.extend(&element.value);
        } else {
            let value = number(element.value.len())?.to_ne_bytes();
            heads.extend([element.flags.to_ne_bytes(), offset, key, value].concat());
            bytes.extend(&element.value);
        }
    }
    heads.extend(bytes);
    Ok(heads)
}

/// So many pages, one header, a body, and zeros to the end; none: no longer than the body.
fn page(page_size: usize, pages: usize, number: u64, flags: u16, count: u16, body: &[u8]) -> Vec<u8> {
    let overflow = u32::try_from(pages.saturating_sub(1)).unwrap_or_default();
    let mut bytes = number.to_ne_bytes().to_vec();
    bytes.extend([flags.to_ne_bytes(), count.to_ne_bytes()].concat());
    bytes.extend(overflow.to_ne_bytes());
    bytes.extend(body);
    let whole = page_size * pages;
    bytes.resize(whole.max(bytes.len()), 0);
    bytes
}
