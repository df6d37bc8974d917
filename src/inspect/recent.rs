//! The values that were used last. There are a few of them, so a list is searched; each may be large, so their bytes are
//! bounded, not their number.

use std::sync::{Mutex, PoisonError};

/// A channel of a recording, as it was prepared by this claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The recording's id.
    pub recording: i64,
    /// Counts its claims.
    pub token: i64,
    /// The channel, from 1; `None` where channels were mixed.
    pub channel: Option<u16>,
}

/// The values that were used last, as many as have a number of bytes.
pub struct Recent<V> {
    /// The one that was used last is at the end.
    entries: Mutex<Vec<(Key, V)>>,
    limit: u64,
    bytes: fn(&V) -> u64,
}

impl<V: Clone> Recent<V> {
    /// Keeps up to `limit` bytes by the count of `bytes`, and at least one value.
    pub fn new(limit: u64, bytes: fn(&V) -> u64) -> Self {
        Self { entries: Mutex::default(), limit, bytes }
    }

    /// The value, if it is kept and `is_usable`. Another one is made, and takes its place.
    pub fn get_or_make(&self, key: Key, is_usable: impl FnOnce(&V) -> bool, make: impl FnOnce() -> V) -> V {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let position = entries.iter().position(|(other, _)| *other == key);
        let kept = position.map(|position| entries.remove(position).1).filter(is_usable);
        entries.push((key, kept.unwrap_or_else(make)));
        let mut bytes: u64 = entries.iter().map(|(_, value)| (self.bytes)(value)).sum();
        while bytes > self.limit && entries.len() > 1 {
            bytes -= (self.bytes)(&entries.remove(0).1);
        }
        entries[entries.len() - 1].1.clone()
    }

    /// The value, if it is kept.
    pub fn get(&self, key: Key) -> Option<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let position = entries.iter().position(|(other, _)| *other == key)?;
        let entry = entries.remove(position);
        let value = entry.1.clone();
        entries.push(entry);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept() {
        let recent = Recent::new(10, |value: &u64| *value);
        let key = |recording| Key { recording, token: 1, channel: None };
        let get = |recording, value| recent.get_or_make(key(recording), |_| true, || value);
        assert_eq!((get(1, 4), get(2, 5), get(1, 9)), (4, 5, 4));
        get(3, 3); // 12 bytes: 2 was used before 1
        assert_eq!([1, 2, 3].map(|recording| recent.get(key(recording))), [Some(4), None, Some(3)]);
        get(4, 99); // alone it may be larger
        assert_eq!([1, 3, 4].map(|recording| recent.get(key(recording))), [None, None, Some(99)]);
        assert_eq!(recent.get_or_make(key(4), |_| false, || 1), 1);
    }
}
