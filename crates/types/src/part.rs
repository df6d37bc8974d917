//! A part of a file that is a recording of its own.

/// A span of a file, in seconds.
///
/// A source names it as a media fragment does: `talk.flac#t=12.5,17.25`, or `talk.flac#t=12.5` up to the end
/// (<https://www.w3.org/TR/media-frags/#naming-time>).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Where it begins.
    pub start_s: f64,
    /// Where it ends; `None` for the end of the file.
    pub end_s: Option<f64>,
}

/// What separates the path from the span.
const SEPARATOR: &str = "#t=";

impl Part {
    /// A part that begins at `start_s` and lasts `duration_s`; `None` if that is no span of time.
    pub fn new(start_s: f64, duration_s: Option<f64>) -> Option<Self> {
        let end_s = duration_s.map(|duration_s| start_s + duration_s);
        let is_span = (0.0..1e9).contains(&start_s) && end_s.is_none_or(|end_s| end_s > start_s && end_s < 1e9);
        is_span.then_some(Self { start_s, end_s })
    }

    /// Splits a source into the path of its file and the part. A source without a span, or with one that cannot be read, is a
    /// path as it is.
    pub fn split(source: &str) -> (&str, Option<Self>) {
        let parsed = source.rsplit_once(SEPARATOR).and_then(|(path, span)| Some((path, Self::parse(span)?)));
        parsed.map_or((source, None), |(path, part)| (path, Some(part)))
    }

    /// The source of this part of the file at `path`. Times are written to the microsecond.
    pub fn source(&self, path: &str) -> String {
        let end = self.end_s.map_or_else(String::new, |end_s| format!(",{}", decimal(end_s)));
        format!("{path}{SEPARATOR}{}{end}", decimal(self.start_s))
    }

    /// Length in seconds; `None` up to the end of the file.
    pub fn duration_s(&self) -> Option<f64> {
        self.end_s.map(|end_s| end_s - self.start_s)
    }

    fn parse(span: &str) -> Option<Self> {
        let seconds = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            text.parse::<f64>().ok().filter(|_| is_plain)
        };
        match span.split_once(',') {
            Some((start, end)) => {
                let (start_s, end_s) = (seconds(start)?, seconds(end)?);
                Self::new(start_s, Some(end_s - start_s)).map(|_| Self { start_s, end_s: Some(end_s) })
            }
            None => Self::new(seconds(span)?, None),
        }
    }
}

/// Seconds without needless zeros.
fn decimal(seconds: f64) -> String {
    let text = format!("{seconds:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_parts_as_media_fragments_do() {
        for (source, path, part) in [
            ("a.wav#t=12.5,17.25", "a.wav", Some((12.5, Some(17.25)))),
            ("a.wav#t=0,3", "a.wav", Some((0.0, Some(3.0)))),
            ("a.wav#t=12", "a.wav", Some((12.0, None))),
            ("a#t=1.wav#t=2,3", "a#t=1.wav", Some((2.0, Some(3.0)))),
            ("a.wav", "a.wav", None),
            ("a#1.wav", "a#1.wav", None),
            ("a.wav#t=3,1", "a.wav#t=3,1", None), // ends before it begins
            ("a.wav#t=-1,1", "a.wav#t=-1,1", None),
            ("a.wav#t=1e3,", "a.wav#t=1e3,", None),
            ("a.wav#t=nan", "a.wav#t=nan", None),
            ("a.wav#t=99999999999", "a.wav#t=99999999999", None),
        ] {
            let part = part.map(|(start_s, end_s)| Part { start_s, end_s });
            assert_eq!(Part::split(source), (path, part), "{source}");
        }
    }

    #[test]
    fn a_part_has_one_spelling() {
        let source = |start_s, duration_s| Part::new(start_s, duration_s).map(|part| part.source("a"));
        assert_eq!(source(12.5, Some(4.75)).as_deref(), Some("a#t=12.5,17.25"));
        assert_eq!(source(0.1, Some(0.2)).as_deref(), Some("a#t=0.1,0.3"), "not 0.30000000000000004");
        assert_eq!(source(10.0, None).as_deref(), Some("a#t=10"));
        for (start_s, duration_s) in [(-1.0, None), (0.0, Some(0.0)), (f64::NAN, None), (0.0, Some(f64::INFINITY))] {
            assert_eq!(source(start_s, duration_s), None);
        }
    }
}
