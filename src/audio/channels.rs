//! Which channels of a recording are listened to.

use std::{fmt, str::FromStr};

/// What becomes of the channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// Their mean is listened to.
    #[default]
    Mix,
    /// Each is listened to by itself, and has segments of its own.
    Split,
    /// This one alone; the first is 1.
    One(u16),
}

impl ChannelChoice {
    /// The number, from 1, of the channel that the listener `ear` (from 0) hears; `None` for a mix.
    pub fn number(self, ear: usize) -> Option<i64> {
        match self {
            Self::Mix => None,
            Self::Split => Some(ear as i64 + 1),
            Self::One(number) => Some(i64::from(number)),
        }
    }
}

impl fmt::Display for ChannelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mix => f.write_str("mix"),
            Self::Split => f.write_str("split"),
            Self::One(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for ChannelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("mix", _) => Ok(Self::Mix),
            ("split", _) => Ok(Self::Split),
            (_, Ok(0)) => Err("channels count from 1, which is the left one of two".into()),
            (_, Ok(number)) => Ok(Self::One(number)),
            _ => Err("write mix, split, or a channel's number, from 1".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for choice in [ChannelChoice::Mix, ChannelChoice::Split, ChannelChoice::One(2)] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for text in ["", "0", "-1", "left", "1.5", "70000"] {
            assert!(text.parse::<ChannelChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_those_that_people_count() {
        assert_eq!(ChannelChoice::Mix.number(0), None);
        assert_eq!(ChannelChoice::Split.number(1), Some(2));
        assert_eq!(ChannelChoice::One(3).number(0), Some(3));
    }
}
