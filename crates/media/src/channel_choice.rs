//! The setting which of a recording's channels are analysed.

use std::{fmt, str::FromStr};

/// Which channels are analysed, and whether they are mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// All channels are mixed, and the mix is analysed.
    #[default]
    Mix,
    /// Each channel is analysed separately, and has segments of its own.
    Split,
    /// Only this channel is analysed; the first one is 1.
    One(u16),
}

impl ChannelChoice {
    /// The number, from 1, of the source's channel behind the analysed channel `index` (from 0); `None` for a mix.
    pub fn number(self, index: usize) -> Option<u16> {
        match self {
            Self::Mix => None,
            Self::Split => u16::try_from(index + 1).ok(),
            Self::One(number) => Some(number),
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
    fn parses_what_it_displays() {
        for choice in [ChannelChoice::Mix, ChannelChoice::Split, ChannelChoice::One(2)] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for text in ["", "0", "-1", "left", "1.5", "70000"] {
            assert!(text.parse::<ChannelChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn channel_numbers_count_from_one() {
        assert_eq!(ChannelChoice::Mix.number(0), None);
        assert_eq!(ChannelChoice::Split.number(1), Some(2));
        assert_eq!(ChannelChoice::One(3).number(0), Some(3));
    }
}
