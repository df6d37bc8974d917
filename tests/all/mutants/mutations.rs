//! The mutations.
#![allow(clippy::ptr_arg)] // all have the same type, and some extend the file

use std::ops::Range;

use fastrand::Rng;

/// A change of a file. It may use the content of another file.
pub struct Mutation {
    pub name: &'static str,
    pub apply: fn(&mut Vec<u8>, &[u8], &mut Rng),
}

/// All mutations.
pub const MUTATIONS: [Mutation; 22] = [
    Mutation { name: "cut_off", apply: |bytes, _, random| bytes.truncate(random.usize(..=bytes.len())) },
    Mutation { name: "cut_off_in_the_head", apply: |bytes, _, random| bytes.truncate(random.usize(..=512)) },
    Mutation { name: "cut_off_near_the_end", apply: cut_off_near_the_end },
    Mutation {
        name: "cut_off_at_a_block",
        apply: |bytes, _, random| bytes.truncate(random.usize(..=64) << random.u8(8..13)),
    },
    Mutation {
        name: "without_its_head",
        apply: |bytes, _, random| drop(bytes.drain(..random.usize(..=bytes.len().min(600)))),
    },
    Mutation { name: "bit", apply: |bytes, _, random| flip(bytes, 0..usize::MAX, 1, random) },
    Mutation { name: "bits", apply: |bytes, _, random| flip(bytes, 0..usize::MAX, 40, random) },
    Mutation { name: "bits_in_the_head", apply: |bytes, _, random| flip(bytes, 0..300, 6, random) },
    Mutation { name: "bits_at_the_end", apply: bits_at_the_end },
    Mutation { name: "run_cut_out", apply: |bytes, _, random| drop(bytes.drain(run(bytes, random))) },
    Mutation { name: "run_twice", apply: run_twice },
    Mutation { name: "run_of_zeros", apply: |bytes, _, random| fill(bytes, 0, random) },
    Mutation { name: "run_of_ones", apply: |bytes, _, random| fill(bytes, 0xFF, random) },
    Mutation { name: "run_of_noise", apply: run_of_noise },
    Mutation { name: "runs_swapped", apply: runs_swapped },
    Mutation { name: "extreme_in_the_head", apply: |bytes, _, random| extreme(bytes, random.usize(..256), random) },
    Mutation { name: "extremes_in_the_head", apply: extremes },
    Mutation { name: "wrong_length", apply: wrong_length },
    Mutation { name: "two_in_one", apply: |bytes, other, _| bytes.extend(other) },
    Mutation { name: "head_of_one_tail_of_another", apply: head_and_tail },
    Mutation { name: "another_in_the_middle", apply: another_in_the_middle },
    Mutation { name: "another_extension", apply: |_, _, _| () },
];

/// A range of the file, usually short.
fn run(bytes: &[u8], random: &mut Rng) -> Range<usize> {
    let start = random.usize(..=bytes.len());
    let longest = [4, 64, 1_024, usize::MAX][random.usize(..4)].min(bytes.len() - start);
    start..start + random.usize(..=longest)
}

fn cut_off_near_the_end(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    bytes.truncate(bytes.len().saturating_sub(random.usize(1..200)));
}

fn flip(bytes: &mut [u8], within: Range<usize>, most: u32, random: &mut Rng) {
    let within = within.start..within.end.min(bytes.len());
    if !within.is_empty() {
        for _ in 0..random.u32(1..=most) {
            bytes[random.usize(within.clone())] ^= 1 << random.u8(..8);
        }
    }
}

fn bits_at_the_end(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let from = bytes.len().saturating_sub(300);
    flip(bytes, from..usize::MAX, 6, random);
}

fn run_twice(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let run = run(bytes, random);
    let (copy, at) = (bytes[run.clone()].to_vec(), run.end);
    bytes.splice(at..at, copy);
}

fn fill(bytes: &mut [u8], with: u8, random: &mut Rng) {
    let run = run(bytes, random);
    bytes[run].fill(with);
}

fn run_of_noise(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let run = run(bytes, random);
    random.fill(&mut bytes[run]);
}

fn runs_swapped(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let (first, second) = (run(bytes, random), run(bytes, random));
    let (first, second) = if first.start <= second.start { (first, second) } else { (second, first) };
    let len = first.len().min(second.len()).min(second.start - first.start);
    let (left, right) = bytes.split_at_mut(second.start);
    left[first.start..first.start + len].swap_with_slice(&mut right[..len]);
}

/// Writes a limit value of two, four or eight bytes in either byte order.
fn extreme(bytes: &mut [u8], at: usize, random: &mut Rng) {
    let numbers =
        [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF];
    let wide = [u64::MAX, i64::MAX as u64, 1 << 63, u64::MAX - 1, 1 << 40];
    let number =
        if random.u8(..4) == 0 { wide[random.usize(..wide.len())] } else { numbers[random.usize(..numbers.len())] };
    let len = [2, 4, 8][random.usize(..3)];
    let field = if random.bool() { number.to_le_bytes() } else { (number << (64 - 8 * len)).to_be_bytes() };
    if let Some(place) = bytes.get_mut(at..at + len) {
        place.copy_from_slice(&field[..len]);
    }
}

fn extremes(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    for _ in 0..random.usize(2..6) {
        extreme(bytes, random.usize(..256), random);
    }
}

/// Chunks and boxes have a name of four letters beside their length: writes an extreme or random length there.
fn wrong_length(bytes: &mut Vec<u8>, _: &[u8], random: &mut Rng) {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
    let names: Vec<usize> =
        (0..bytes.len().saturating_sub(4)).filter(|&at| bytes[at..at + 4].iter().all(is_letter)).collect();
    let Some(&name) = random.choice(&names) else { return };
    let at = if random.bool() { name.saturating_sub(4) } else { name + 4 };
    if random.bool() {
        extreme(bytes, at, random);
    } else if let Some(length) = bytes.get_mut(at..at + 4) {
        let number = random.u32(..) >> random.u8(..32);
        length.copy_from_slice(&if random.bool() { number.to_le_bytes() } else { number.to_be_bytes() });
    }
}

fn head_and_tail(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    bytes.truncate(random.usize(..=bytes.len()));
    bytes.extend(&other[random.usize(..=other.len())..]);
}

fn another_in_the_middle(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    let at = random.usize(..=bytes.len());
    bytes.splice(at..at, other.iter().copied());
}
