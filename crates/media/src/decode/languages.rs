//! Compares language codes: ISO 639-1 and both forms of ISO 639-2 (bibliographic, terminological), which containers mix.

/// The codes of common languages.
const CODES: [[&str; 3]; 48] = [
    ["ar", "ara", "ara"],
    ["bg", "bul", "bul"],
    ["bn", "ben", "ben"],
    ["ca", "cat", "cat"],
    ["cs", "cze", "ces"],
    ["cy", "wel", "cym"],
    ["da", "dan", "dan"],
    ["de", "ger", "deu"],
    ["el", "gre", "ell"],
    ["en", "eng", "eng"],
    ["es", "spa", "spa"],
    ["et", "est", "est"],
    ["eu", "baq", "eus"],
    ["fa", "per", "fas"],
    ["fi", "fin", "fin"],
    ["fr", "fre", "fra"],
    ["ga", "gle", "gle"],
    ["he", "heb", "heb"],
    ["hi", "hin", "hin"],
    ["hr", "hrv", "hrv"],
    ["hu", "hun", "hun"],
    ["hy", "arm", "hye"],
    ["id", "ind", "ind"],
    ["is", "ice", "isl"],
    ["it", "ita", "ita"],
    ["ja", "jpn", "jpn"],
    ["ka", "geo", "kat"],
    ["ko", "kor", "kor"],
    ["lt", "lit", "lit"],
    ["lv", "lav", "lav"],
    ["mk", "mac", "mkd"],
    ["ms", "may", "msa"],
    ["nl", "dut", "nld"],
    ["no", "nor", "nor"],
    ["pl", "pol", "pol"],
    ["pt", "por", "por"],
    ["ro", "rum", "ron"],
    ["ru", "rus", "rus"],
    ["sk", "slo", "slk"],
    ["sl", "slv", "slv"],
    ["sq", "alb", "sqi"],
    ["sr", "srp", "srp"],
    ["sv", "swe", "swe"],
    ["th", "tha", "tha"],
    ["tr", "tur", "tur"],
    ["uk", "ukr", "ukr"],
    ["vi", "vie", "vie"],
    ["zh", "chi", "zho"],
];

/// Whether two tags have the same language. Only the primary subtag is compared: `en-US` equals `eng`.
pub(super) fn same_language(one: &str, other: &str) -> bool {
    primary(one) == primary(other)
}

/// The primary subtag, converted to ISO 639-1 if the table has it.
fn primary(tag: &str) -> String {
    let subtag = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let short = CODES.iter().find(|codes| codes.contains(&subtag.as_str())).map(|[short, ..]| (*short).to_owned());
    short.unwrap_or(subtag)
}

#[cfg(test)]
mod tests {
    use super::same_language;

    #[test]
    fn all_codes_of_a_language_are_equal() {
        for (one, other) in
            [("en", "eng"), ("de", "ger"), ("deu", "ger"), ("pt-BR", "por"), ("ZH_Hant", "chi"), ("gsw", "GSW")]
        {
            assert!(same_language(one, other), "{one} {other}");
        }
        assert!(!same_language("en", "de") && !same_language("eng", "und") && !same_language("sl", "slo"));
    }
}
