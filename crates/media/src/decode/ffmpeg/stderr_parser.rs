//! Parses ffmpeg's messages on standard error: the file's container and codec, and errors.

/// Maximum length of an error message in characters. Longer ones are cut.
const MAX_ERROR: usize = 300;

/// The facts in ffmpeg's messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StderrSummary {
    /// The input's format, such as `amr`.
    pub container: Option<String>,
    /// The codec of its first audio track, such as `amr_nb`.
    pub codec: Option<String>,
    /// The last error message.
    pub last_error: Option<String>,
    /// Number of packets that could not be decoded.
    pub decode_errors: u64,
}

impl StderrSummary {
    /// Parses one line, which begins with its level in brackets.
    pub fn parse_line(&mut self, line: &str) {
        if let Some((_, error)) = line.split_once("[error] ").or_else(|| line.split_once("[fatal] ")) {
            let is_packet = error.contains("while decoding") || error.contains("submitting packet to decoder");
            self.decode_errors += u64::from(is_packet);
            self.last_error = Some(error.chars().filter(|c| !c.is_control()).take(MAX_ERROR).collect());
        } else if let Some((_, input)) = line.split_once("Input #0, ") {
            self.container = input.split(", from ").next().map(identifier);
        } else if let (None, Some((_, stream))) = (&self.codec, line.split_once(": Audio: ")) {
            self.codec = Some(identifier(stream));
        }
    }
}

/// The beginning of `text`, up to the first character that no name of a format contains.
fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_extracted() {
        let mut summary = StderrSummary::default();
        for line in [
            "[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:/a/Stream #0:0: Audio: b':",
            "[info]   Stream #0:0(und): Video: h264 (High), yuv420p, 16x16",
            "[info]   Stream #0:1(und): Audio: ac3 (ac-3 / 0x332D6361), 48000 Hz, 5.1(side), fltp, 384 kb/s",
            "[info] Output #0, wav, to 'pipe:1':",
            "[info]   Stream #0:0(und): Audio: pcm_f32le, 48000 Hz",
            "[ac3 @ 0x55] [error] frame CRC mismatch",
            "[error] Error while decoding stream #0:1: Invalid data found when processing input",
        ] {
            summary.parse_line(line);
        }
        assert_eq!(summary.container.as_deref(), Some("mov"));
        assert_eq!(summary.codec.as_deref(), Some("ac3"));
        assert_eq!(summary.decode_errors, 1);
        assert!(summary.last_error.unwrap().starts_with("Error while decoding"));
    }
}
