//! The settings in an address's `options`, and as a statement for servers that do not take them when a session starts.

/// The settings in a text such as `-c search_path=a -cjit=off --geqo=off`, with their values. A backslash escapes the next
/// character: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>. Anything else is left out.
pub fn parse(options: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => Some(setting.to_owned()),
            (None, Some("")) => words.next(),
            (None, setting) => setting.map(str::to_owned),
        };
        if let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) {
            settings.push((name.to_owned(), value.to_owned()));
        }
    }
    settings
}

/// Splits at white space that is not escaped.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character.is_whitespace() {
            words.push(String::new());
        } else if let (Some(word), Some(next)) =
            (words.last_mut(), if character == '\\' { characters.next() } else { Some(character) })
        {
            word.push(next);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `; SELECT set_config(...)` for each setting, valid until the end of the transaction.
pub fn local(settings: &[(String, String)]) -> String {
    let quoted = |text: &str| format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let set =
        |(name, value): &(String, String)| format!("; SELECT set_config({}, {}, true)", quoted(name), quoted(value));
    settings.iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_the_server_reads_them() {
        let settings = parse(r"-csearch_path=mine -c  jit=off --geqo=off -c work_mem=4\ MB -W x=y -c");
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(settings, [("search_path", "mine"), ("jit", "off"), ("geqo", "off"), ("work_mem", "4 MB")]);
    }

    #[test]
    fn values_cannot_end_their_quotation_marks() {
        let settings = [("search_path".to_owned(), r"a'b\".to_owned())];
        assert_eq!(local(&settings), r"; SELECT set_config(E'search_path', E'a''b\\', true)");
    }
}
