//! Answers with a file, or with the part of it that a player asks for.

use std::{io, ops::Range, sync::Arc};

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE},
    },
    response::{IntoResponse, Response},
};
use futures_util::stream;

/// Bytes that are read at a time.
const PIECE: u64 = 256 << 10;

/// Answers a request for a file of `len` bytes, of which `read` returns those from an offset on.
pub fn respond<R>(headers: &HeaderMap, media_type: &'static str, len: u64, read: R) -> Response
where
    R: Fn(u64, usize) -> io::Result<Vec<u8>> + Send + Sync + 'static,
{
    let wanted = headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(|value| range(value, len));
    let (status, part) = match wanted {
        None => (StatusCode::OK, 0..len),
        Some(Some(part)) => (StatusCode::PARTIAL_CONTENT, part),
        Some(None) => {
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, format!("bytes */{len}"))]).into_response();
        }
    };
    let fields = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_LENGTH, (part.end - part.start).to_string()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        // The address changes with the content.
        (CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    let content_range = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| [(CONTENT_RANGE, format!("bytes {}-{}/{len}", part.start, part.end - 1))]);
    (status, fields, content_range, body(part, read)).into_response()
}

/// Reads a part in pieces, each when the one before it was sent.
fn body<R>(part: Range<u64>, read: R) -> Body
where
    R: Fn(u64, usize) -> io::Result<Vec<u8>> + Send + Sync + 'static,
{
    let pieces = stream::try_unfold((part, Arc::new(read)), |(part, read)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let (start, bytes) = (part.start, (part.end - part.start).min(PIECE) as usize);
        let reader = Arc::clone(&read);
        let piece = tokio::task::spawn_blocking(move || reader(start, bytes)).await.map_err(io::Error::other)??;
        if piece.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof)); // it was longer when the answer began
        }
        let rest = start + piece.len() as u64..part.end;
        Ok(Some((piece, (rest, read))))
    });
    Body::from_stream(pieces)
}

/// The range that a header asks for of `len` bytes (RFC 9110, section 14). `None` where the whole is sent: for several ranges,
/// and for what is no range of bytes. `Some(None)` where it lies behind the end.
fn range(header: &str, len: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", last) => len.saturating_sub(number(last)?)..len,
        (first, "") => number(first)?..len,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..last.saturating_add(1).min(len)
        }
    };
    Some(Some(range).filter(|range| range.start < range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_header() {
        for (header, wanted) in [
            ("bytes=0-", Some(Some(0..100))),
            ("bytes=0-0", Some(Some(0..1))),
            ("bytes=10-19", Some(Some(10..20))),
            ("bytes=90-1000", Some(Some(90..100))),
            ("bytes=99-18446744073709551615", Some(Some(99..100))),
            ("bytes=-5", Some(Some(95..100))),
            ("bytes=-500", Some(Some(0..100))),
            ("bytes=-0", Some(None)),
            ("bytes=100-", Some(None)),
            ("bytes=200-300", Some(None)),
            ("bytes=20-10", None),
            ("bytes=0-1,5-6", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("items=0-1", None),
            ("", None),
        ] {
            assert_eq!(range(header, 100), wanted, "{header}");
        }
        assert_eq!(range("bytes=0-", 0), Some(None));
    }
}
