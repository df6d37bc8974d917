//! From what a user names (files, folders, patterns, lists, queries) to the recordings that go into the table.
//!
//! Recordings are passed on one by one as they are found. Nothing here holds all of them.

mod delimiter;
mod error;
mod list_row;
mod lists;
mod query;
mod resolver;
mod walk;

pub use self::{
    error::SourceError,
    query::{Page, Query},
    resolver::{Found, Resolver},
};
