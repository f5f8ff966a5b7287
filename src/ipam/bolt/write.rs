//! Makes a write transaction: a new tree in unused pages, and then the meta page that leads to it.
//!
//! The transaction writes the whole tree again, because these databases have only a few pages. It does not touch
//! the pages of the old tree. So the file is the old or the new database, wherever the writing stops.

use super::{
    BRANCH, BUCKET, BUCKET_HEADER, Bucket, BucketEntry, Damage, Database, ELEMENT, FREELIST, HEADER, LEAF,
    MANY, META, Meta, Use, damaged,
};

/// What to write, in the order of the fields. Each part must be on the disk before the next part is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Commit {
    /// The least length of the file, in bytes.
    pub length: u64,
    /// The new tree and free list: the offset and the content of each part. The old database uses none of these places.
    pub pages: Vec<(u64, Vec<u8>)>,
    /// The offset and the content of the meta page that makes the new tree valid.
    pub meta: (u64, Vec<u8>),
}

impl Commit {
    /// Returns the content that the file will have after the whole transaction.
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

/// Makes the transaction that gives a database the new content `root`. `data` is the content of the file, and
/// `database` was read from it. This function applies the transaction to a copy and reads the copy back.
///
/// # Errors
/// The copy does not read back as `root`. Nothing must be written then.
pub fn commit(data: &[u8], database: &Database, root: &Bucket) -> Result<Commit, Damage> {
    let mut writer = Writer {
        page_size: database.meta.page_size,
        used: database.pages.iter().map(|used| *used == Use::Reachable).collect(),
        pages: Vec::new(),
    };
    let top = writer.tree(root)?;
    let freelist = writer.freelist(&database.pages)?;
    let transaction = database.meta.transaction.checked_add(1).ok_or(Damage::Unproven)?;
    let slot = transaction % 2;
    // If the writing of this page is interrupted, the other meta page must still lead to the old tree. Transactions
    // take turns, so the current one is in the other page, unless somebody else has written the file.
    if Meta::at(data, usize::try_from(slot).unwrap_or_default() * database.meta.page_size).as_ref()
        == Ok(&database.meta)
    {
        return damaged(slot, "the meta pages are in the wrong order");
    }
    let meta = Meta {
        root: top,
        sequence: root.sequence,
        freelist,
        high_water: writer.used.len() as u64,
        transaction,
        ..database.meta
    };
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

/// A future element of a leaf page or of a branch page. In a branch page its value is the number of the child page.
struct Element {
    flags: u32,
    key: Vec<u8>,
    value: Vec<u8>,
}

struct Writer {
    page_size: usize,
    /// For each page, whether the old database or the new tree uses it.
    used: Vec<bool>,
    pages: Vec<(u64, Vec<u8>)>,
}

impl Writer {
    /// Writes a bucket to pages of its own, and returns the number of its root page.
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

    /// Makes the elements of a bucket. It writes the buckets inside this bucket first.
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
        // bbolt's own rule: a bucket of at most a quarter of a page lies inside its parent's leaf page.
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

    /// Divides elements into nodes that fit in a page. A node has at least two elements, even if they need more than
    /// a page: otherwise a tree with long keys would never get down to one root.
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

    /// Writes the free list and returns its page number. Free are all pages that the new tree does not use, so also
    /// those of the old tree.
    fn freelist(&mut self, before: &[Use]) -> Result<u64, Damage> {
        // Reserve for the case that all pages are free, those of the list too, and one entry for the count.
        let most = |pages: usize| (HEADER + 8 * (pages + 1)).div_ceil(self.page_size);
        let pages = most(self.used.len() + most(self.used.len()) + 1);
        let number = self.take(pages);
        let in_use = |index: usize| match before.get(index) {
            // The old tree used this page, and it is free from now on. Pages 0 and 1 stay meta pages.
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

    /// Takes the first row of this many unused pages, or new pages at the end if there is no such row.
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

/// The bytes that elements take behind a page's header.
fn size(elements: &[Element]) -> usize {
    elements.iter().map(|element| ELEMENT + element.key.len() + element.value.len()).sum()
}

fn count(elements: usize) -> Result<u16, Damage> {
    u16::try_from(elements).map_err(|_| Damage::Unproven)
}

/// Makes the content of a page: the heads of all elements, and then their keys and values.
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

/// Makes the bytes of this many pages: one header, the body, and zeros up to the end. With `pages` 0 nothing follows
/// the body.
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
