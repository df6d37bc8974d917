//! Cuts a part of a recording out of the blocks that a decoder yields.

use prepare_audio_media::{AudioBlock, Excerpt};
use prepare_audio_types::Part;
use prepare_audio_vad::SAMPLE_RATE;

/// Passes on the samples of one part. Samples to analyse and samples to cut from have rates and delays of their own, so each
/// kind is counted by itself.
pub(crate) struct PartCut {
    part: Part,
    analysed: u64,
    output: u64,
    block: AudioBlock,
}

impl PartCut {
    /// For `part` of a recording that is read from its beginning.
    pub fn new(part: Part) -> Self {
        Self { part, analysed: 0, output: 0, block: AudioBlock::default() }
    }

    /// The samples of the next block that belong to the part.
    pub fn cut(&mut self, block: &AudioBlock) -> &AudioBlock {
        self.block.output_rate = block.output_rate;
        self.analysed = cut(&self.part, self.analysed, SAMPLE_RATE, &block.analysis, &mut self.block.analysis);
        self.output = cut(&self.part, self.output, block.output_rate, &block.output, &mut self.block.output);
        self.cut_excerpts(&block.excerpts);
        &self.block
    }

    /// Copies the excerpts that lie in the part.
    fn cut_excerpts(&mut self, excerpts: &[Excerpt]) {
        let start = sample(self.part.start_s, SAMPLE_RATE);
        let end = self.part.end_s.map_or(u64::MAX, |end_s| sample(end_s, SAMPLE_RATE));
        let within = excerpts.iter().filter(|excerpt| excerpt.start >= start && excerpt.start + Excerpt::SPAN <= end);
        self.block.excerpts.clear();
        self.block.excerpts.extend(within.map(|excerpt| Excerpt { start: excerpt.start - start, ..excerpt.clone() }));
    }

    /// Whether nothing of the part is left to come.
    pub fn is_over(&self) -> bool {
        let end = |rate| self.part.end_s.map_or(u64::MAX, |end_s| sample(end_s, rate));
        let has_output = !self.block.output.is_empty();
        self.analysed >= end(SAMPLE_RATE) && (!has_output || self.output >= end(self.block.output_rate))
    }
}

/// The number of the sample at a time.
pub(crate) fn sample(seconds: f64, rate: u32) -> u64 {
    (seconds * f64::from(rate)).round() as u64
}

/// Copies the samples within the part of channels that begin at `position`; returns the position after them.
fn cut(part: &Part, position: u64, rate: u32, from: &[Vec<f32>], into: &mut Vec<Vec<f32>>) -> u64 {
    into.resize_with(from.len(), Vec::new);
    let len = from.first().map_or(0, Vec::len);
    let within = |seconds: f64| sample(seconds, rate).saturating_sub(position).min(len as u64) as usize;
    let start = within(part.start_s);
    let end = part.end_s.map_or(len, within).max(start);
    for (from, into) in from.iter().zip(into) {
        into.clear();
        into.extend_from_slice(from.get(start..end).unwrap_or_default());
    }
    position + len as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However a recording comes in blocks, the part is the same samples.
        #[test]
        fn the_part_does_not_depend_on_the_blocks(
            lengths in prop::collection::vec((0usize..900, 0usize..900), 1..30),
            start in 0u64..8_000,
            len in 1u64..8_000,
        ) {
            let (start_s, end_s) = (start as f64 / 16_000.0, (start + len) as f64 / 16_000.0);
            let mut cut = PartCut::new(Part { start_s, end_s: Some(end_s) });
            let (mut analysis, mut output, mut excerpts) = (Vec::new(), Vec::new(), Vec::new());
            let excerpt = |start| Excerpt { start, ..Excerpt::default() };
            let (mut all_analysis, mut all_output) = (0u64, 0u64);
            for (analysed, written) in lengths {
                let numbers = |from: u64, len: usize| (0..len as u64).map(|n| (from + n) as f32).collect::<Vec<_>>();
                let block = AudioBlock {
                    analysis: vec![numbers(all_analysis, analysed)],
                    output: vec![numbers(all_output, written); 2],
                    output_rate: 8_000,
                    excerpts: (all_analysis..all_analysis + analysed as u64).filter(|n| n % 2_000 == 0).map(excerpt).collect(),
                };
                all_analysis += analysed as u64;
                all_output += written as u64;
                let part = cut.cut(&block);
                analysis.extend_from_slice(&part.analysis[0]);
                output.extend_from_slice(&part.output[1]);
                excerpts.extend(part.excerpts.iter().map(|excerpt| excerpt.start));
                if cut.is_over() {
                    prop_assert!(all_analysis >= start + len);
                    break;
                }
            }
            let want = |from: u64, to: u64, all: u64| (from.min(all)..to.min(all)).map(|n| n as f32).collect::<Vec<_>>();
            prop_assert_eq!(analysis, want(start, start + len, all_analysis));
            prop_assert_eq!(output, want(sample(start_s, 8_000), sample(end_s, 8_000), all_output));
            let within = (0..all_analysis).step_by(2_000).filter(|&at| at >= start && at + 512 <= start + len);
            prop_assert_eq!(excerpts, within.map(|at| at - start).collect::<Vec<_>>());
        }
    }
}
