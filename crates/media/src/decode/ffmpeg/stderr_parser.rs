//! What ffmpeg says on standard error: the file's facts and its faults.

/// Longer ones are cut.
const LONGEST: usize = 300;

/// The gist of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StderrSummary {
    /// The input's format, as `amr`.
    pub container: Option<String>,
    /// Its first audio track's codec, as `amr_nb`.
    pub codec: Option<String>,
    /// The last complaint.
    pub last_error: Option<String>,
    /// Packets that did not decode.
    pub decode_errors: u64,
}

impl StderrSummary {
    /// Takes in one line, with its level in brackets before it.
    pub fn hear(&mut self, line: &str) {
        if let Some((_, error)) = line.split_once("[error] ").or_else(|| line.split_once("[fatal] ")) {
            let is_packet = error.contains("while decoding") || error.contains("submitting packet to decoder");
            self.decode_errors += u64::from(is_packet);
            self.last_error = Some(error.chars().filter(|c| !c.is_control()).take(LONGEST).collect());
        } else if let Some((_, input)) = line.split_once("Input #0, ") {
            self.container = input.split(", from ").next().map(first_word);
        } else if let (None, Some((_, stream))) = (&self.codec, line.split_once(": Audio: ")) {
            self.codec = Some(first_word(stream));
        }
    }
}

/// Up to what no name has in it.
fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_is_kept() {
        let mut words = StderrSummary::default();
        for line in [
            "[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:/a/Stream #0:0: Audio: b':",
            "[info]   Stream #0:0(und): Video: h264 (High), yuv420p, 16x16",
            "[info]   Stream #0:1(und): Audio: ac3 (ac-3 / 0x332D6361), 48000 Hz, 5.1(side), fltp, 384 kb/s",
            "[info] Output #0, wav, to 'pipe:1':",
            "[info]   Stream #0:0(und): Audio: pcm_f32le, 48000 Hz",
            "[ac3 @ 0x55] [error] frame CRC mismatch",
            "[error] Error while decoding stream #0:1: Invalid data found when processing input",
        ] {
            words.hear(line);
        }
        assert_eq!(words.container.as_deref(), Some("mov"));
        assert_eq!(words.codec.as_deref(), Some("ac3"));
        assert_eq!(words.decode_errors, 1);
        assert!(words.last_error.unwrap().starts_with("Error while decoding"));
    }
}
