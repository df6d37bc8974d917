//! What the engine allocates: a small state for each detector, and nothing while it listens.
//!
//! In a file of its own, because it counts what the whole process allocates.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use prepare_audio::vad::{Detector, Model, SimdLevel};

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's.
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
fn listening_allocates_nothing_and_a_detector_is_small() {
    let model = Model::bundled().unwrap();
    let samples: Vec<f32> = (0..160_000u64).map(|n| ((n * n / 7) % 2001) as f32 / 2000.0 - 0.5).collect();
    let mut probabilities = Vec::with_capacity(10_000);
    for level in SimdLevel::available() {
        let before = BYTES.load(Relaxed);
        let mut detector = Detector::with_level(&model, level).unwrap();
        let size = BYTES.load(Relaxed) - before;
        assert!(size < 1 << 20, "{level}: a detector takes {size} bytes");

        detector.push(&samples, &mut probabilities);
        let before = CALLS.load(Relaxed);
        for piece in [160_000, 512, 100] {
            samples.chunks(piece).for_each(|piece| detector.push(piece, &mut probabilities));
        }
        detector.finish(&mut probabilities);
        assert_eq!(CALLS.load(Relaxed) - before, 0, "{level}: allocations while listening");
        println!("{level}: {} kB for each detector", size / 1000);
        probabilities.clear();
    }
}
