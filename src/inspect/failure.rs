//! Why a request has no answer.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use super::pages;
use crate::store::StoreError;

/// Why a request has no answer. The message is for the user.
#[derive(Debug)]
pub enum Failure {
    /// No such recording, segment or page.
    NotFound(String),
    /// The request has values that are out of range.
    Invalid(String),
    /// What it needs is not there: no probabilities are stored, or the source is gone.
    Unavailable(String),
    /// The database failed.
    Database(StoreError),
}

impl Failure {
    fn parts(self) -> (StatusCode, String) {
        match self {
            Self::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, message),
            Self::Unavailable(message) => (StatusCode::CONFLICT, message),
            Self::Database(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }

    /// The answer as a page.
    pub fn page(self) -> Response {
        let (status, message) = self.parts();
        (status, Html(pages::problem(&message))).into_response()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(format!("the temporary file of the decoded source cannot be read: {error}"))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.parts().into_response()
    }
}
