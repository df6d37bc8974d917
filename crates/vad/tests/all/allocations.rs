//! The native engine's allocations: a small state for each detector, and nothing during detection.
#![allow(unsafe_code)] // an allocator cannot be written without it

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use prepare_audio_vad::{SileroDetector, SileroModel, SimdLevel};

thread_local! {
    // Counted per thread, because other tests allocate in the same process at the same time. The cells need neither lazy
    // initialisation nor a destructor, so the allocator may use them.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with counters.
struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        BYTES.set(BYTES.get() + layout.size());
        // SAFETY: the caller upholds the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn detection_allocates_nothing_and_a_detector_is_small() {
    let model = SileroModel::bundled().unwrap();
    let samples: Vec<f32> = (0..160_000u64).map(|n| ((n * n / 7) % 2001) as f32 / 2000.0 - 0.5).collect();
    let mut probabilities = Vec::with_capacity(10_000);
    for level in SimdLevel::available() {
        let before = BYTES.get();
        let mut detector = SileroDetector::with_level(&model, level).unwrap();
        let size = BYTES.get() - before;
        assert!(size < 1 << 20, "{level}: a detector takes {size} bytes");

        detector.push(&samples, &mut probabilities);
        let before = CALLS.get();
        for piece in [160_000, 512, 100] {
            samples.chunks(piece).for_each(|piece| detector.push(piece, &mut probabilities));
        }
        detector.finish(&mut probabilities);
        assert_eq!(CALLS.get() - before, 0, "{level}: allocations during detection");
        println!("{level}: {} kB for each detector", size / 1000);
        probabilities.clear();
    }
}
