//! Catches panics of symphonia, whose arithmetic overflows on some contradictory files.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use symphonia::core::errors::{Error, Result};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is caught and becomes the failure of a packet or of a header. A panic hook need not report
/// it.
pub fn catches_panics() -> bool {
    GUARDED.get()
}

/// The result of `work`; an error if it panics.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.unwrap_or(Err(Error::DecodeError("it contradicts itself")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(guard(|| Ok(catches_panics())).ok(), Some(true));
        assert!(matches!(guard::<()>(|| panic!("one too many")), Err(Error::DecodeError(_))));
        assert!(!catches_panics());
    }
}
