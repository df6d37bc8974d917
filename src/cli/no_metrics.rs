//! `--metrics` in a program that was built without the feature `metrics`: the flag is refused.

use std::{str::FromStr, sync::Arc};

use prepare_audio::{
    progress::Progress,
    runner::{Shutdown, Tally},
};

use super::features;

/// An address without values, so that `serve` cannot be called.
#[derive(Clone, Copy, Debug)]
pub enum MetricsAddress {}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        Err(format!("built without the feature \"metrics\"; {}", features::how_to_get("metrics")))
    }
}

/// Has the signature of the function that serves metrics. It is never called.
pub async fn serve(
    address: MetricsAddress,
    _: Arc<Tally>,
    _: usize,
    _: Arc<dyn Progress>,
    _: &Shutdown,
) -> anyhow::Result<Arc<dyn Progress>> {
    match address {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_with_a_hint() {
        assert!("9464".parse::<MetricsAddress>().unwrap_err().contains("without the feature \"metrics\""));
    }
}
