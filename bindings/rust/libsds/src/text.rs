//! Ids, texts and bytes on their way to C and back.
//!
//! A NUL in an id crosses the border as the two bytes C0 80, which UTF-8 never has.

use std::borrow::Cow;
use std::ffi::{c_char, CStr};
use std::slice;

/// An id as a C string. Short ones, which is nearly all, take no memory from the heap.
pub(crate) struct Id {
    short: [u8; Id::SHORT],
    long: Option<Vec<u8>>,
}

impl Id {
    const SHORT: usize = 80;

    pub(crate) fn new(id: &str) -> Self {
        let mut short = [0; Self::SHORT];
        let mut long = None;
        if id.len() < Self::SHORT && !id.as_bytes().contains(&0) {
            short[..id.len()].copy_from_slice(id.as_bytes());
        } else {
            let mut bytes = Vec::with_capacity(id.len() + 1);
            push_id(&mut bytes, id);
            long = Some(bytes);
        }
        Id { short, long }
    }

    /// Valid as long as the `Id` stays where it is.
    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.long.as_deref().unwrap_or(&self.short).as_ptr().cast()
    }
}

/// Ids as an array of C strings, in two blocks of memory.
pub(crate) struct Ids {
    pointers: Vec<*const c_char>,
    _bytes: Vec<u8>,
}

impl Ids {
    pub(crate) fn new(ids: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut bytes = Vec::new();
        let starts: Vec<usize> = ids
            .into_iter()
            .map(|id| {
                let start = bytes.len();
                push_id(&mut bytes, id.as_ref());
                start
            })
            .collect();
        let pointers = starts.into_iter().map(|start| bytes[start..].as_ptr().cast()).collect();
        Ids { pointers, _bytes: bytes }
    }

    pub(crate) fn as_slice(&self) -> &[*const c_char] {
        &self.pointers
    }
}

fn push_id(bytes: &mut Vec<u8>, id: &str) {
    for (at, part) in id.split('\0').enumerate() {
        if at > 0 {
            bytes.extend_from_slice(&[0xc0, 0x80]);
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.push(0);
}

/// An id that the library shows; "" for NULL.
///
/// # Safety
///
/// `id` is NULL or a C string that lives, unchanged, for `'a`.
pub(crate) unsafe fn id_of<'a>(id: *const c_char) -> Cow<'a, str> {
    if id.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(id) }.to_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(with_nuls(bytes)),
    }
}

fn with_nuls(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(&[0xc0, 0x80]) {
            plain.push(0);
            rest = behind;
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// What the library shows as a pointer and a count.
///
/// # Safety
///
/// `first` is NULL, or points to `count` values that live, unchanged, for `'a`.
pub(crate) unsafe fn slice_of<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(first, count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(id: &str) {
        let c = Id::new(id);
        // SAFETY: `c` lives to the end of this function.
        let bytes = unsafe { CStr::from_ptr(c.as_ptr()) }.to_bytes();
        assert_eq!(bytes.len(), id.len() + id.matches('\0').count());
        // SAFETY: as above.
        assert_eq!(unsafe { id_of(c.as_ptr()) }, id);
    }

    #[test]
    fn ids_of_every_length_cross_and_come_back() {
        for length in [0, 1, 78, 79, 80, 81, 5000] {
            round_trip(&"x".repeat(length));
            round_trip(&"\0".repeat(length));
            round_trip(&"ä\0ö€".repeat(length));
        }
    }

    #[test]
    fn a_nul_crosses_as_c0_80() {
        let id = Id::new("a\0b");
        // SAFETY: `id` lives to the end of this function.
        assert_eq!(unsafe { CStr::from_ptr(id.as_ptr()) }.to_bytes(), b"a\xc0\x80b");
    }

    #[test]
    fn an_array_of_ids_keeps_their_order() {
        let ids = Ids::new(["", "one", "t\0wo", &"3".repeat(200)]);
        // SAFETY: `ids` lives to the end of this function.
        let back: Vec<_> = ids.as_slice().iter().map(|&id| unsafe { id_of(id) }).collect();
        assert_eq!(back, ["", "one", "t\0wo", &"3".repeat(200)]);
    }

    #[test]
    fn what_is_no_utf_8_after_all_is_shown_with_replacement_characters() {
        // SAFETY: a literal with a NUL at its end.
        assert_eq!(unsafe { id_of(b"a\xff\xc0\x80\0".as_ptr().cast()) }, "a\u{fffd}\0");
    }

    #[test]
    fn null_is_empty() {
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { id_of(std::ptr::null()) }, "");
        // SAFETY: NULL is allowed.
        assert!(unsafe { slice_of::<u8>(std::ptr::null(), 7) }.is_empty());
    }
}
