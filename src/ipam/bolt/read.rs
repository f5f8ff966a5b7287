//! Reads buckets from the pages of a file, which may have any content.

use super::{
    BRANCH, BUCKET, BUCKET_HEADER, Bucket, BucketEntry, DEEPEST, Damage, ELEMENT, FREELIST, HEADER, LEAF,
    MANY, Use, damaged, u16_at, u32_at, u64_at,
};

pub(super) struct PageReader<'a> {
    data: &'a [u8],
    page_size: usize,
    pages: Vec<Use>,
}

/// A page with its overflow pages, or the page of a small bucket, which lies inside its parent's leaf page.
struct Page<'a> {
    number: u64,
    flags: u16,
    count: u16,
    bytes: &'a [u8],
}

/// One element of a leaf page: a key and its value.
struct Leaf<'a> {
    flags: u32,
    key: &'a [u8],
    value: &'a [u8],
}

/// Checks that the keys of a bucket ascend: what has been read so far.
#[derive(Default)]
struct Order {
    last: Option<Vec<u8>>,
    /// The lower limit of the next key, which the branch pages above it give.
    floor: Vec<u8>,
}

impl<'a> PageReader<'a> {
    pub(super) fn new(data: &'a [u8], page_size: usize, pages: Vec<Use>) -> PageReader<'a> {
        PageReader { data, page_size, pages }
    }

    /// The use of each page, as the reading has found it.
    pub(super) fn into_pages(self) -> Vec<Use> {
        self.pages
    }

    /// Reads a page with its overflow pages. It is damage if something else in the file leads to one of them too.
    fn page(&mut self, number: u64) -> Result<Page<'a>, Damage> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if index < 2 || index >= self.pages.len() {
            return damaged(number, "outside the database");
        }
        let start = index * self.page_size;
        let rest = self.data.get(start..).unwrap_or_default();
        let (Some(own), Some(overflow)) = (u64_at(rest, 0), u32_at(rest, 12)) else {
            return damaged(number, "outside the database");
        };
        if own != number {
            return damaged(number, "it has another page's number");
        }
        let after = index.saturating_add(1).saturating_add(overflow as usize);
        let Some(uses) = self.pages.get_mut(index..after) else {
            return damaged(number, "it overflows the database");
        };
        if uses.contains(&Use::Reachable) {
            return damaged(number, "two ways lead to it");
        }
        uses.fill(Use::Reachable);
        let bytes = self.data.get(start..after * self.page_size).unwrap_or_default();
        Page::new(number, bytes)
    }

    /// Reads the bucket whose root is the page `root`.
    pub(super) fn bucket(&mut self, root: u64, sequence: u64, depth: usize) -> Result<Bucket, Damage> {
        let page = self.page(root)?;
        let mut bucket = Bucket { sequence, ..Bucket::default() };
        self.tree(&page, &mut bucket, &mut Order::default(), depth)?;
        Ok(bucket)
    }

    fn tree(
        &mut self,
        page: &Page<'a>,
        into: &mut Bucket,
        order: &mut Order,
        depth: usize,
    ) -> Result<(), Damage> {
        if depth > DEEPEST {
            return damaged(page.number, "the tree is too deep");
        }
        match page.flags {
            LEAF => self.leaf(page, into, order, depth),
            BRANCH if page.number != 0 => {
                for (key, child) in page.branches()? {
                    if order.last.as_deref().is_some_and(|last| last >= key) {
                        return damaged(page.number, "its keys are out of order");
                    }
                    order.floor = key.to_vec();
                    let child = self.page(child)?;
                    self.tree(&child, into, order, depth + 1)?;
                }
                Ok(())
            }
            _ => damaged(page.number, "neither a branch nor a leaf"),
        }
    }

    fn leaf(
        &mut self,
        page: &Page<'a>,
        into: &mut Bucket,
        order: &mut Order,
        depth: usize,
    ) -> Result<(), Damage> {
        for Leaf { flags, key, value } in page.leaves()? {
            if order.last.as_deref().is_some_and(|last| last >= key) || key < order.floor.as_slice() {
                return damaged(page.number, "its keys are out of order");
            }
            if key.is_empty() {
                return damaged(page.number, "an element without a key");
            }
            let entry = match flags {
                0 => BucketEntry::Value(value.to_vec()),
                BUCKET => BucketEntry::Bucket(self.nested(page.number, value, depth + 1)?),
                _ => return damaged(page.number, "an element of an unknown kind"),
            };
            order.last = Some(key.to_vec());
            into.entries.insert(key.to_vec(), entry);
        }
        Ok(())
    }

    /// Reads a bucket inside a bucket. Its header says whether it has pages of its own or lies behind the header.
    fn nested(&mut self, page: u64, value: &'a [u8], depth: usize) -> Result<Bucket, Damage> {
        let (Some(root), Some(sequence)) = (u64_at(value, 0), u64_at(value, 8)) else {
            return damaged(page, "a bucket's header is cut off");
        };
        if root != 0 {
            return self.bucket(root, sequence, depth);
        }
        let inline = Page::new(0, value.get(BUCKET_HEADER..).unwrap_or_default())
            .map_err(|_| Damage::Page { page, what: "a bucket's content is cut off" })?;
        let mut bucket = Bucket { sequence, ..Bucket::default() };
        self.tree(&inline, &mut bucket, &mut Order::default(), depth)?;
        Ok(bucket)
    }

    /// Reads the free list and marks its pages as free. It is damage if the tree uses one of them.
    pub(super) fn freelist(&mut self, number: u64) -> Result<(), Damage> {
        let page = self.page(number)?;
        if page.flags != FREELIST {
            return damaged(number, "not the list of free pages");
        }
        let mut entries =
            page.bytes.get(HEADER..).unwrap_or_default().chunks_exact(8).filter_map(|it| u64_at(it, 0));
        let count = if page.count == MANY { entries.next() } else { Some(u64::from(page.count)) };
        let count = usize::try_from(count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        for _ in 0..count {
            let Some(free) = entries.next() else {
                return damaged(number, "the list of free pages is cut off");
            };
            match usize::try_from(free).ok().and_then(|free| self.pages.get_mut(free)) {
                Some(page @ Use::Forgotten) => *page = Use::Free,
                Some(Use::Reachable | Use::Free) => return damaged(free, "both free and in use"),
                None => return damaged(free, "free, and outside the database"),
            }
        }
        Ok(())
    }
}

impl<'a> Page<'a> {
    fn new(number: u64, bytes: &'a [u8]) -> Result<Page<'a>, Damage> {
        match (u16_at(bytes, 8), u16_at(bytes, 10)) {
            (Some(flags), Some(count)) if bytes.len() >= HEADER => Ok(Page { number, flags, count, bytes }),
            _ => damaged(number, "its header is cut off"),
        }
    }

    fn leaves(&self) -> Result<Vec<Leaf<'a>>, Damage> {
        self.elements(|bytes, at| {
            let [flags, offset, key, value] = [0, 4, 8, 12].map(|word| u32_at(bytes, at + word));
            let (start, key, value) = (at + offset? as usize, key? as usize, value? as usize);
            let middle = start.checked_add(key)?;
            let (key, value) = (bytes.get(start..middle)?, bytes.get(middle..middle.checked_add(value)?)?);
            Some(Leaf { flags: flags?, key, value })
        })
        .and_then(|elements| self.bounded(elements, |leaf| leaf.key.len() + leaf.value.len()))
    }

    fn branches(&self) -> Result<Vec<(&'a [u8], u64)>, Damage> {
        self.elements(|bytes, at| {
            let (start, key) = (at + u32_at(bytes, at)? as usize, u32_at(bytes, at + 4)? as usize);
            Some((bytes.get(start..start.checked_add(key)?)?, u64_at(bytes, at + 8)?))
        })
        .and_then(|elements| self.bounded(elements, |(key, _)| key.len()))
    }

    fn elements<T>(&self, read: impl Fn(&'a [u8], usize) -> Option<T>) -> Result<Vec<T>, Damage> {
        let starts = (0..usize::from(self.count)).map(|index| HEADER + index * ELEMENT);
        let elements: Option<Vec<T>> = starts.map(|at| read(self.bytes, at)).collect();
        elements.ok_or(Damage::Page { page: self.number, what: "an element is cut off" })
    }

    /// Refuses elements that overlap: together they could be a thousand times as large as the page.
    fn bounded<T>(&self, elements: Vec<T>, size: impl Fn(&T) -> usize) -> Result<Vec<T>, Damage> {
        let total: usize = elements.iter().map(|element| size(element).saturating_add(ELEMENT)).sum();
        if total + HEADER > self.bytes.len() {
            return damaged(self.number, "its elements overlap");
        }
        Ok(elements)
    }
}
