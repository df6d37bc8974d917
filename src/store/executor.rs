//! Executes statements with sqlx: one function for both databases.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{
    Arguments, AssertSqlSafe, Database, Either, Encode, Executor, IntoArguments, Type, database::HasStatementCache,
    error::BoxDynError, query_with,
};

use super::{
    Result, StoreError,
    backend::Transaction,
    dialect::Dialect,
    row::{Answer, Row},
    statement::{Statement, Value},
};

/// What [`execute`] needs to know of a driver of sqlx.
pub trait Driver: Database<Arguments: IntoArguments<Self>> + HasStatementCache {
    /// How the database spells the words in braces.
    const DIALECT: Dialect;

    /// Encodes the values of parameters.
    fn arguments(values: Vec<Value<'_>>) -> std::result::Result<Self::Arguments, BoxDynError>;

    /// A row of this database.
    fn row(row: Self::Row) -> Row;

    /// Number of rows that a statement changed.
    fn affected(result: &Self::QueryResult) -> u64;
}

/// Executes a statement and collects what it returns.
pub async fn execute<'c, DB, E>(executor: E, database: &Arc<str>, statement: Statement<'_>) -> Result<Answer>
where
    DB: Driver,
    E: Executor<'c, Database = DB>,
{
    let driver = |error| StoreError::driver(database, &error);
    let text = AssertSqlSafe(DB::DIALECT.sql(&statement));
    let arguments = DB::arguments(statement.parameters).map_err(|error| driver(sqlx::Error::Encode(error)))?;
    let query = query_with(text, arguments).persistent(statement.persistent);
    let mut answer = Answer { database: Arc::clone(database), rows: Vec::new(), affected: 0 };
    let mut steps = executor.fetch_many(query);
    while let Some(step) = steps.try_next().await.map_err(driver)? {
        match step {
            Either::Left(result) => answer.affected += DB::affected(&result),
            Either::Right(row) => answer.rows.push(DB::row(row)),
        }
    }
    drop(steps);
    Ok(answer)
}

/// [`Driver::arguments`], which each database compiles with its own types.
pub fn arguments<DB: Database>(values: Vec<Value<'_>>) -> std::result::Result<DB::Arguments, BoxDynError>
where
    Option<i64>: for<'q> Encode<'q, DB> + Type<DB>,
    Option<f64>: for<'q> Encode<'q, DB> + Type<DB>,
    Option<String>: for<'q> Encode<'q, DB> + Type<DB>,
    for<'v> Option<&'v str>: Encode<'v, DB> + Type<DB>,
    for<'v> Option<&'v [u8]>: Encode<'v, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Integer(integer) => arguments.add(integer)?,
            Value::Real(real) => arguments.add(real)?,
            Value::Text(Some(Cow::Owned(text))) => arguments.add(Some(text))?,
            Value::Text(text) => arguments.add(text.as_deref())?,
            Value::Blob(bytes) => arguments.add(bytes)?,
        }
    }
    Ok(arguments)
}

/// An open transaction of either database.
pub struct OpenTransaction<'c, DB: Database> {
    /// The database, for messages.
    pub database: Arc<str>,
    /// The transaction itself.
    pub transaction: sqlx::Transaction<'c, DB>,
}

#[async_trait]
impl<DB: Driver> Transaction for OpenTransaction<'_, DB>
where
    for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
{
    async fn execute(&mut self, statement: Statement<'_>) -> Result<Answer> {
        execute(&mut *self.transaction, &self.database, statement).await
    }

    async fn execute_script(&mut self, script: &'static str) -> Result<()> {
        let executed = (*self.transaction).execute(sqlx::raw_sql(script)).await;
        executed.map(drop).map_err(|error| StoreError::driver(&self.database, &error))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.transaction.commit().await.map_err(|error| StoreError::driver(&self.database, &error))
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.transaction.rollback().await.map_err(|error| StoreError::driver(&self.database, &error))
    }
}
