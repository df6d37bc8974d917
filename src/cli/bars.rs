//! Progress bars on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar over files that are verified.
const FILES: &str = "{bar:30} {pos}/{len} files  {eta} left";

/// The bar over segments that are exported.
const SEGMENTS: &str = "{bar:30} {pos}/{len} segments  {eta} left";

/// The bar over recordings whose segments are measured.
const RECORDINGS: &str = "{bar:30} {pos}/{len} recordings  {eta} left";

/// A bar over `total` recordings.
pub fn recordings(total: u64) -> ProgressBar {
    ProgressBar::with_draw_target(Some(total), draw_target()).with_style(style(RECORDINGS))
}

/// A bar over `total` segments.
pub fn segments(total: u64) -> ProgressBar {
    ProgressBar::with_draw_target(Some(total), draw_target()).with_style(style(SEGMENTS))
}

/// A bar over `total` files.
pub fn files(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), draw_target());
    bar.with_style(style(FILES))
}

/// Standard error, redrawn at most 8 times a second.
pub fn draw_target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(8)
}

/// The style for a template. A test checks the templates, which are constants, so an invalid one need not fail a run.
pub fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        ProgressStyle::with_template(FILES).unwrap();
        ProgressStyle::with_template(SEGMENTS).unwrap();
        ProgressStyle::with_template(RECORDINGS).unwrap();
    }
}
