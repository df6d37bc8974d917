//! What pages about recordings have in common: finding and opening a source as it was prepared, and reducing samples and
//! probabilities to the columns of a drawing.

use std::path::{Path, PathBuf};

use prepare_audio_media::OpenOptions;
use prepare_audio_pipeline::{PROBABILITY_CODING, unpack_probabilities};
use prepare_audio_types::{PackedProbabilities, Part};

/// Sample rate of the analysed samples, Hz.
pub(crate) const RATE: f64 = 16_000.0;
/// Samples of a window of probabilities.
pub(crate) const WINDOW: f64 = 512.0;

/// The file of a source, and the part of it that is the recording. A file whose name looks like a part is a file.
pub(crate) fn locate(audio_dir: &Path, source: &str) -> (PathBuf, Option<Part>) {
    let whole = audio_dir.join(source);
    match Part::split(source) {
        (path, Some(part)) if !whole.exists() => (audio_dir.join(path), Some(part)),
        _ => (whole, None),
    }
}

/// The probabilities of the analysed channel of a recording of this length, if they can be read.
pub(crate) fn probabilities(packed: &PackedProbabilities, duration_s: f64, channel: Option<u16>) -> Option<Vec<f32>> {
    if packed.coding != PROBABILITY_CODING {
        return None;
    }
    let all = unpack_probabilities(&packed.data, usize::try_from(packed.windows).ok()?).ok()?;
    let each = ((duration_s * RATE).round() / WINDOW).ceil() as usize;
    if each == 0 || all.len() <= each {
        return Some(all);
    }
    // Several channels were analysed, one after the other.
    let index = channel.map_or(0, |channel| usize::from(channel).saturating_sub(1));
    all.chunks(each).nth(index).map(<[f32]>::to_vec)
}

/// How the recording was opened: the model's key ends with `/track eng` or `/raw s16le:16000:1` where that was asked for.
pub(crate) fn open_options(model_key: &str) -> OpenOptions {
    let mut open = OpenOptions::default();
    for setting in model_key.split('/').skip(1) {
        match setting.split_once(' ') {
            Some(("track", track)) => open.track = track.parse().unwrap_or_default(),
            Some(("raw", raw)) => open.raw = raw.parse().ok(),
            _ => {}
        }
    }
    open
}

/// The least and the greatest sample of each column.
pub(crate) fn peaks(samples: &[f32], columns: usize) -> Vec<(f32, f32)> {
    let bounds = |part: &[f32]| part.iter().fold((0.0_f32, 0.0_f32), |(low, high), &s| (low.min(s), high.max(s)));
    split(samples, columns).map(bounds).collect()
}

/// The mean of each column.
pub(crate) fn means(values: &[f32], columns: usize) -> Vec<f32> {
    split(values, columns).map(|part| part.iter().sum::<f32>() / part.len() as f32).collect()
}

/// At most `columns` parts of about the same length, none of them empty.
pub(crate) fn split<T>(values: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
    let columns = columns.min(values.len());
    (0..columns).map(move |column| &values[column * values.len() / columns..(column + 1) * values.len() / columns])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_cover_all_values_once() {
        let values: Vec<f32> = (0..1000).map(|n| n as f32).collect();
        for columns in [1, 7, 600, 1000, 5000] {
            let parts: Vec<&[f32]> = split(&values, columns).collect();
            assert_eq!(parts.len(), columns.min(1000));
            assert_eq!(parts.concat(), values);
        }
        assert_eq!(split::<f32>(&[], 10).count(), 0);
        assert_eq!(peaks(&[0.5, -0.25, 0.0, 0.75], 2), [(-0.25, 0.5), (0.0, 0.75)]);
        assert_eq!(means(&[0.0, 1.0, 0.5, 0.5], 2), [0.5, 0.5]);
    }

    #[test]
    fn a_model_key_says_how_the_file_was_opened() {
        assert_eq!(open_options("0123abcd"), OpenOptions::default());
        let open = open_options("0123abcd/split/track 2/raw s16le:8000:1");
        assert_eq!(open.track.to_string(), "2");
        assert_eq!(open.raw.map(|raw| raw.to_string()).as_deref(), Some("s16le:8000:1"));
    }
}
