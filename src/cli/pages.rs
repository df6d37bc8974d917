//! Reads tables page by page, so that memory does not grow with their length.

use std::future::Future;

use futures_util::{Stream, stream};
use prepare_audio::store::{Reference, Result, SegmentOf, Selection, Store};

/// Rows of a page if they are printed or their files are read.
const PAGE: usize = 1000;

/// Rows of a page if only the paths are used.
const LARGE_PAGE: usize = 10_000;

/// Segment rows of `of`, in order of recording and position.
pub fn segments<'a>(store: &'a Store, of: &'a Selection) -> impl Stream<Item = Result<Vec<SegmentOf>>> + 'a {
    let cursor = |row: &SegmentOf| Some((row.recording_id, row.segment.idx));
    pages(None, move |after| store.segments(of, after, PAGE), cursor)
}

/// Files that segment rows name.
pub fn referenced<'a>(store: &'a Store) -> impl Stream<Item = Result<Vec<Reference>>> + 'a {
    let cursor = |row: &Reference| Some((row.recording_id, row.idx));
    pages(None, move |after| store.referenced(after, LARGE_PAGE), cursor)
}

/// Ids and sources of the recordings that `recipe` may claim, in order of their ids.
pub fn pending<'a>(store: &'a Store, recipe: &'a str) -> impl Stream<Item = Result<Vec<(i64, String)>>> + 'a {
    pages(0, move |after| store.pending(recipe, after, PAGE), |(id, _)| *id)
}

/// Reads pages until one is empty. `read` returns the rows after a cursor; `cursor` returns the cursor of a row.
fn pages<Row, Cursor, Page>(
    first: Cursor,
    read: impl Fn(Cursor) -> Page,
    cursor: impl Fn(&Row) -> Cursor,
) -> impl Stream<Item = Result<Vec<Row>>>
where
    Page: Future<Output = Result<Vec<Row>>>,
{
    // The closures are part of the state, because the futures of `try_unfold` must not borrow from it.
    stream::try_unfold((first, read, cursor), |(after, read, cursor)| async move {
        let page = read(after).await?;
        let next = page.last().map(&cursor);
        Ok(next.map(|next| (page, (next, read, cursor))))
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready, pin::pin};

    use futures_util::TryStreamExt;
    use prepare_audio::store::StoreError;

    use super::*;

    #[tokio::test]
    async fn each_page_starts_after_the_previous_one() {
        let cursors = RefCell::new(Vec::new());
        let read = |after: i64| {
            cursors.borrow_mut().push(after);
            ready(Ok((after + 1..=5).take(2).collect()))
        };
        let pages: Vec<Vec<i64>> = pages(0, read, |row| *row).try_collect().await.unwrap();
        assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(*cursors.borrow(), [0, 2, 4, 5]);
    }

    #[tokio::test]
    async fn an_error_ends_the_pages() {
        let read = |after: i64| ready(if after == 0 { Ok(vec![1]) } else { Err(StoreError::Lost(7)) });
        let mut pages = pin!(pages(0, read, |row: &i64| *row));
        assert_eq!(pages.try_next().await.unwrap(), Some(vec![1]));
        assert!(pages.try_next().await.is_err());
        assert_eq!(pages.try_next().await.unwrap(), None);
    }
}
