//! Reads conditions.

use std::str::FromStr;

use serde_json::Value;

use super::{Condition, Field, InvalidCondition, Operator, Source};
use crate::export::columns::{COLUMNS, Column};

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let condition = parser.any()?;
        match parser.peek() {
            None => Ok(condition),
            Some(token) => Err(InvalidCondition(format!("{token} is not expected there"))),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

/// Longest first, since `<` begins `<=`.
const SYMBOLS: &[&str] = &["<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")"];

fn tokens(text: &str) -> Result<Vec<Token>, InvalidCondition> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let mut value = String::new();
            let mut chars = rest.char_indices().skip(1);
            let end = loop {
                match chars.next() {
                    None => return Err(InvalidCondition(format!("{rest} lacks its closing quote"))),
                    Some((at, c)) if c == first => break at + 1,
                    Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                    Some((_, c)) => value.push(c),
                }
            };
            tokens.push(Token::Text(value));
            rest = &rest[end..];
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let is_end = |c: char| c.is_whitespace() || "<>=!()\"'".contains(c);
            let end = rest.find(is_end).unwrap_or(rest.len());
            if end == 0 {
                return Err(InvalidCondition(format!("{first} is not expected there")));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// Conditions within conditions, at most.
const DEEPEST: usize = 50;

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, what: &str) -> Result<Token, InvalidCondition> {
        let token = self.peek().cloned().ok_or_else(|| InvalidCondition(format!("{what} is missing at the end")))?;
        self.next += 1;
        Ok(token)
    }

    /// Goes past this word or symbol, if it is the next.
    fn skip(&mut self, wanted: &str) -> bool {
        let is_next = match self.peek() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(wanted),
            Some(Token::Symbol(symbol)) => *symbol == wanted,
            Some(Token::Text(_)) | None => false,
        };
        self.next += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.all()?];
        while self.skip("or") {
            conditions.push(self.all()?);
        }
        Ok(single_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.single()?];
        while self.skip("and") {
            conditions.push(self.single()?);
        }
        Ok(single_or(conditions, Condition::All))
    }

    fn single(&mut self) -> Result<Condition, InvalidCondition> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(InvalidCondition(format!("more than {DEEPEST} conditions lie within one another")));
        }
        let condition = if self.skip("not") {
            Condition::Not(Box::new(self.single()?))
        } else if self.skip("(") {
            let condition = self.any()?;
            if !self.skip(")") {
                return Err(InvalidCondition("a closing parenthesis is missing".into()));
            }
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, InvalidCondition> {
        let field = match self.take("a field")? {
            Token::Word(word) => field(&word)?,
            other => return Err(InvalidCondition(format!("{other} is not the name of a field"))),
        };
        if self.skip("is") {
            let is_not = self.skip("not");
            if !self.skip("null") {
                return Err(InvalidCondition("after `is` comes `null` or `not null`".into()));
            }
            let is_null = Condition::IsNull(field);
            return Ok(if is_not { Condition::Not(Box::new(is_null)) } else { is_null });
        }
        let operator = match self.take("an operator")? {
            Token::Symbol("=" | "==") => Operator::Equal,
            Token::Symbol("!=" | "<>") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            Token::Word(word) if word.eq_ignore_ascii_case("contains") => Operator::Contains,
            other => {
                return Err(InvalidCondition(format!("{other} is no operator: =, !=, <, <=, >, >= and contains are")));
            }
        };
        let value = match self.take("a value")? {
            Token::Text(text) => Value::String(text),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            Token::Word(word) => match word.parse::<f64>() {
                Ok(number) if number.is_finite() => number.into(),
                _ => return Err(InvalidCondition(format!("{word} is no value: put a text between quotes"))),
            },
            Token::Symbol(symbol) => return Err(InvalidCondition(format!("{symbol} is no value"))),
        };
        Ok(Condition::Compare(field, operator, value))
    }
}

fn single_or(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            many(conditions)
        }
        None => many(conditions),
    }
}

fn field(word: &str) -> Result<Field, InvalidCondition> {
    let keys: Vec<String> = word.split('.').map(str::to_owned).collect();
    if keys.len() > 1 && keys[0] == "metadata" && keys.iter().all(|key| !key.is_empty()) {
        return Ok(Field(Source::Metadata(keys[1..].to_vec())));
    }
    // `duration` is the segment's, as in --min-duration; `duration_s` is the recording's.
    let name = if word == "duration" { "segment_s" } else { word };
    match Column::named(name) {
        Some(column) => Ok(Field(Source::Column(column))),
        None => {
            let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
            Err(InvalidCondition(format!("{word} is no field: metadata.KEY, duration, {} are", names.join(", "))))
        }
    }
}
