//! What people say of segments.

use super::sql;
use crate::store::{
    Result, Store,
    columns::signed,
    statement::{Statement, Value},
};

/// What a person says of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The source of its recording.
    pub source: String,
    /// Its channel, from 1; `None` where channels were mixed.
    pub channel: Option<u16>,
    /// Its first sample, at 16 kHz.
    pub start_sample: u64,
    /// The sample after its last.
    pub end_sample: u64,
    /// A word, such as `good` or `bad`.
    pub tag: Option<String>,
    /// Any text.
    pub note: Option<String>,
}

impl Annotation {
    /// `$1` to `$4`: the segment.
    fn statement(&self, text: &'static str) -> Statement<'static> {
        let statement = Statement::new(text).bind(self.source.clone()).bind(self.channel.map_or(0, i64::from));
        statement.bind(signed(self.start_sample)).bind(signed(self.end_sample))
    }

    /// `$5` and `$6`: what is said.
    fn values(&self) -> [Value<'static>; 2] {
        [self.tag.clone().into(), self.note.clone().into()]
    }
}

/// Annotations. They are read with the segments: [`Store::segments`], [`Store::segments_between`].
impl Store {
    /// Stores what is said of a segment, instead of what was said before. Nothing is kept of one without tag and note.
    pub async fn annotate(&self, annotation: &Annotation) -> Result<()> {
        if annotation.tag.is_none() && annotation.note.is_none() {
            return self.write(annotation.statement(sql::REMOVE_ANNOTATION)).await.map(drop);
        }
        let update = annotation.statement(sql::UPDATE_ANNOTATION).bind_all(annotation.values());
        let insert = annotation.statement(sql::INSERT_ANNOTATION).bind_all(annotation.values());
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            if transaction.execute(update).await?.affected == 0 {
                transaction.execute(insert).await?;
            }
            transaction.commit().await
        })
        .await
    }
}
