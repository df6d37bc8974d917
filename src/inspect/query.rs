//! The parameters of a request's address.

use std::{collections::BTreeMap, convert::Infallible, str::FromStr};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::Failure;

/// The parameters of a request's address. Of those that are given twice, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads what follows the question mark.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The text of a parameter, if it is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The value of a parameter, if it is not empty.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| text.parse().map_err(|_| Failure::Invalid(format!("{name} cannot be {text:?}")));
        self.text(name).map(parse).transpose()
    }

    /// The address of the same search with other parameters: those of `set` are changed, and all other ones kept that are
    /// in `kept`.
    pub fn address(&self, kept: &[&str], set: &[(&str, &str)]) -> String {
        let mut address = form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
        let others = kept.iter().filter(|name| set.iter().all(|(changed, _)| changed != *name));
        for name in others {
            if let Some(text) = self.text(name) {
                address.append_pair(name, text);
            }
        }
        for (name, value) in set.iter().filter(|(_, value)| !value.is_empty()) {
            address.append_pair(name, value);
        }
        address.finish()
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_written() {
        let query = Query::parse("q=a%26b+c&state=&before=12&before=13&x=%ff");
        assert_eq!((query.text("q"), query.text("state"), query.text("none")), (Some("a&b c"), None, None));
        assert_eq!(query.value::<i64>("before").unwrap(), Some(13));
        assert!(query.value::<i64>("q").is_err());
        assert_eq!(query.address(&["q", "before"], &[("before", "7")]), "?q=a%26b+c&before=7");
        assert_eq!(query.address(&["q", "before"], &[("before", "")]), "?q=a%26b+c");
    }
}
