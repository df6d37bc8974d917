//! The mutations of a file.
#![allow(clippy::ptr_arg)] // all mutations have the same type, and some change the length

use std::ops::Range;

use fastrand::Rng;

/// One way to change a file.
pub struct Mutation {
    pub name: &'static str,
    /// Changes the bytes. The second argument is another file, from which some mutations copy.
    pub apply: fn(&mut Vec<u8>, &[u8], &mut Rng),
}

/// All mutations.
pub const MUTATIONS: [Mutation; 22] = [
    Mutation { name: "truncated", apply: |bytes, _, random| bytes.truncate(random.usize(..=bytes.len())) },
    Mutation { name: "truncated_in_header", apply: |bytes, _, random| bytes.truncate(random.usize(..=512)) },
    Mutation { name: "truncated_near_end", apply: truncate_near_end },
    Mutation {
        name: "truncated_at_block",
        apply: |bytes, _, random| bytes.truncate(random.usize(..=64) << random.u8(8..13)),
    },
    Mutation {
        name: "start_removed",
        apply: |bytes, _, random| drop(bytes.drain(..random.usize(..=bytes.len().min(600)))),
    },
    Mutation { name: "bit_flipped", apply: |bytes, _, random| flip(bytes, 0..usize::MAX, 1, random) },
    Mutation { name: "bits_flipped", apply: |bytes, _, random| flip(bytes, 0..usize::MAX, 40, random) },
    Mutation { name: "bits_flipped_in_header", apply: |bytes, _, random| flip(bytes, 0..300, 6, random) },
    Mutation { name: "bits_flipped_at_end", apply: flip_at_end },
    Mutation { name: "range_removed", apply: |bytes, _, random| drop(bytes.drain(range(bytes, random))) },
    Mutation { name: "range_repeated", apply: repeat_range },
    Mutation { name: "range_of_zeros", apply: |bytes, _, random| fill(bytes, 0, random) },
    Mutation { name: "range_of_ones", apply: |bytes, _, random| fill(bytes, 0xFF, random) },
    Mutation { name: "range_of_noise", apply: fill_with_noise },
    Mutation { name: "ranges_swapped", apply: swap_ranges },
    Mutation {
        name: "extreme_number_in_header",
        apply: |bytes, _, random| write_extreme(bytes, random.usize(..256), random),
    },
    Mutation { name: "extreme_numbers_in_header", apply: write_extremes },
    Mutation { name: "wrong_chunk_length", apply: change_chunk_length },
    Mutation { name: "other_file_appended", apply: |bytes, other, _| bytes.extend(other) },
    Mutation { name: "end_of_other_file", apply: replace_end },
    Mutation { name: "other_file_inserted", apply: insert_other },
    Mutation { name: "another_extension", apply: |_, _, _| () },
];

/// A random range of the file, which is mostly short.
fn range(bytes: &[u8], random: &mut Rng) -> Range<usize> {
    let start = random.usize(..=bytes.len());
    let longest = [4, 64, 1_024, usize::MAX][random.usize(..4)].min(bytes.len() - start);
    start..start + random.usize(..=longest)
}

fn truncate_near_end(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    bytes.truncate(bytes.len().saturating_sub(random.usize(1..200)));
}

/// Flips up to `max` bits.
fn flip(bytes: &mut [u8], within: Range<usize>, max: u32, random: &mut Rng) {
    let within = within.start..within.end.min(bytes.len());
    if !within.is_empty() {
        for _ in 0..random.u32(1..=max) {
            bytes[random.usize(within.clone())] ^= 1 << random.u8(..8);
        }
    }
}

fn flip_at_end(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let from = bytes.len().saturating_sub(300);
    flip(bytes, from..usize::MAX, 6, random);
}

fn repeat_range(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let range = range(bytes, random);
    let (copy, at) = (bytes[range.clone()].to_vec(), range.end);
    bytes.splice(at..at, copy);
}

fn fill(bytes: &mut [u8], with: u8, random: &mut Rng) {
    let range = range(bytes, random);
    bytes[range].fill(with);
}

fn fill_with_noise(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let range = range(bytes, random);
    random.fill(&mut bytes[range]);
}

fn swap_ranges(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let (first, second) = (range(bytes, random), range(bytes, random));
    let (first, second) = if first.start <= second.start { (first, second) } else { (second, first) };
    let len = first.len().min(second.len()).min(second.start - first.start);
    let (left, right) = bytes.split_at_mut(second.start);
    left[first.start..first.start + len].swap_with_slice(&mut right[..len]);
}

/// Writes an extreme value of an integer of two, four or eight bytes, in either byte order.
fn write_extreme(bytes: &mut [u8], at: usize, random: &mut Rng) {
    let numbers =
        [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF];
    let wide = [u64::MAX, i64::MAX as u64, 1 << 63, u64::MAX - 1, 1 << 40];
    let number =
        if random.u8(..4) == 0 { wide[random.usize(..wide.len())] } else { numbers[random.usize(..numbers.len())] };
    let len = [2, 4, 8][random.usize(..3)];
    let field = if random.bool() { number.to_le_bytes() } else { (number << (64 - 8 * len)).to_be_bytes() };
    if let Some(target) = bytes.get_mut(at..at + len) {
        target.copy_from_slice(&field[..len]);
    }
}

fn write_extremes(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    for _ in 0..random.usize(2..6) {
        write_extreme(bytes, random.usize(..256), random);
    }
}

/// Changes the length of a chunk or box, which is next to its name of four letters, to an extreme or a random number.
fn change_chunk_length(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
    let names: Vec<usize> =
        (0..bytes.len().saturating_sub(4)).filter(|&at| bytes[at..at + 4].iter().all(is_letter)).collect();
    let Some(&name) = random.choice(&names) else { return };
    let at = if random.bool() { name.saturating_sub(4) } else { name + 4 };
    if random.bool() {
        write_extreme(bytes, at, random);
    } else if let Some(length) = bytes.get_mut(at..at + 4) {
        let number = random.u32(..) >> random.u8(..32);
        length.copy_from_slice(&if random.bool() { number.to_le_bytes() } else { number.to_be_bytes() });
    }
}

fn replace_end(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    bytes.truncate(random.usize(..=bytes.len()));
    bytes.extend(&other[random.usize(..=other.len())..]);
}

fn insert_other(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    let at = random.usize(..=bytes.len());
    bytes.splice(at..at, other.iter().copied());
}
