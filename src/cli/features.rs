//! The Cargo features that users choose, and which of them this program was built with.
//!
//! `doctor` and `--version` list them. Each feature is one line below; a test compares the list with Cargo.toml.

macro_rules! features {
    ($($name:literal: $purpose:literal,)*) => {
        &[$(Feature { name: $name, purpose: $purpose, is_compiled: cfg!(feature = $name) }),*]
    };
}

const FEATURES: &[Feature] = features! {
    "inspect": "inspect, pages to look at recordings and to listen to them",
    "live": "listen, for audio that arrives over a WebSocket",
    "metrics": "fetch --metrics, for Prometheus",
    "onnx": "other models for detection and denoising, and CUDA, through ONNX Runtime",
    "parquet": "export parquet and export huggingface-parquet",
    "postgres": "queues on a PostgreSQL server",
};

/// A Cargo feature of this package.
struct Feature {
    name: &'static str,
    /// What a user needs it for.
    purpose: &'static str,
    is_compiled: bool,
}

/// The names of the features that this program was built with.
pub fn compiled() -> Vec<&'static str> {
    FEATURES.iter().filter(|feature| feature.is_compiled).map(|feature| feature.name).collect()
}

/// Name and purpose of each feature that this program was built without.
pub fn left_out() -> Vec<(&'static str, &'static str)> {
    FEATURES.iter().filter(|feature| !feature.is_compiled).map(|feature| (feature.name, feature.purpose)).collect()
}

/// How to get a feature that was left out.
pub fn how_to_get(name: &str) -> String {
    format!("build the program with it: cargo install --path . --features {name}")
}

/// The error of a command whose feature was left out.
#[cfg_attr(all(feature = "inspect", feature = "live"), allow(dead_code))]
pub fn not_compiled(name: &str) -> anyhow::Error {
    super::exit::Usage(format!("built without the feature {name:?}; {}", how_to_get(name))).into()
}

/// The text of `--version`: the version, then the features. `-V` prints the version alone.
pub fn long_version() -> String {
    let without: Vec<String> = left_out().iter().map(|(name, purpose)| format!("{name} ({purpose})")).collect();
    let list = |names: &[String]| if names.is_empty() { "none".into() } else { names.join(", ") };
    let with: Vec<String> = compiled().into_iter().map(str::to_owned).collect();
    format!(
        "{}\nfeatures compiled in: {}\nfeatures left out: {}",
        env!("CARGO_PKG_VERSION"),
        list(&with),
        list(&without)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Cargo.toml has four more features, which users do not choose: two sets of others, one for the tests, and the HTTP
    /// server, which `inspect` and `metrics` enable.
    #[test]
    fn the_list_equals_that_of_cargo_toml() {
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        let names = manifest["features"].as_table().unwrap().keys().map(String::as_str);
        let declared: BTreeSet<_> =
            names.filter(|name| !["default", "full", "fault-injection", "web"].contains(name)).collect();
        let listed: BTreeSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(listed, declared);
    }

    /// Every feature for users is in `full`, directly or through `default`.
    #[test]
    fn full_contains_every_feature() {
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        let set = |name: &str| manifest["features"][name].as_array().unwrap().iter().filter_map(toml::Value::as_str);
        let full: BTreeSet<_> =
            set("full").chain(set("default").filter(|_| set("full").any(|it| it == "default"))).collect();
        for feature in FEATURES {
            assert!(full.contains(feature.name), "{} is not in `full`", feature.name);
        }
    }
}
