//! Collects the figures.

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use prepare_audio_types::ErrorCode;

use super::{Drawn, ErrorGroup, Excerpt, ExtremeRows, Groups, Histogram, Names, Report, Settings, excerpt};
use crate::store::{
    CATEGORIES, Class, Failure, MEASURES, Measure, NameCount, Outliers, Result, Selection, State, Store,
};

/// Rows of a list of outliers.
const OUTLIERS: usize = 5;
/// Examples of an error code.
const EXAMPLES: usize = 3;
/// Error codes, names of a category and recipes that are listed, at most. Tables that others edit may have any number.
const NAMES: usize = 40;

/// Collects the figures of a database.
///
/// # Errors
/// Those of the database. A recording whose source cannot be read is listed without its audio.
pub async fn gather(store: &Arc<Store>, settings: &Settings) -> Result<Report> {
    let states = store.counts().await?;
    let mut groups = Vec::new();
    for key in &settings.groups {
        groups.push(Groups::gather(store, key).await?);
    }
    let (mut histograms, mut outliers) = (Vec::new(), Vec::new());
    for measure in MEASURES {
        let mut counted = histogram(measure, &store.histogram(measure).await?);
        if let Some(scaled) = scaled(measure, &counted) {
            counted = histogram(&scaled, &store.histogram(&scaled).await?);
        }
        histograms.push(counted);
        for greatest in directions(measure.outliers) {
            let rows = store.extremes(measure, *greatest, OUTLIERS).await?;
            let &Measure { name, title, unit, .. } = measure;
            outliers.push(ExtremeRows { name, title, unit, greatest: *greatest, rows });
        }
    }
    let mut categories = Vec::new();
    for category in CATEGORIES {
        let names = store.category(category, NAMES).await?;
        categories.push(Names { name: category.name, title: category.title, names });
    }
    let newest = store.newest_of_each_error(EXAMPLES).await?;
    let errors = store.error_counts(NAMES).await?;
    let mut recipes = store.recipes(&Selection::All).await?;
    recipes.truncate(NAMES);
    let done = states.iter().find(|count| count.state == State::Done).map_or(0, |count| count.recordings);
    Ok(Report {
        audio_dir: settings.audio_dir.clone(),
        version: env!("CARGO_PKG_VERSION"),
        generated_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        database: settings.database.clone(),
        groups,
        histograms,
        categories,
        outliers,
        errors: errors.into_iter().map(|count| error_group(count, &newest, settings)).collect(),
        stages: store.stage_totals().await?,
        recipes,
        sample: draw(store, done.unsigned_abs(), settings).await?,
        states,
    })
}

fn directions(outliers: Outliers) -> &'static [bool] {
    match outliers {
        Outliers::Least => &[false],
        Outliers::Greatest => &[true],
        Outliers::Both => &[false, true],
    }
}

/// The measure with other classes, if its values are far smaller or greater than the usual ones. Shares and levels keep theirs.
fn scaled(measure: &Measure, counted: &Histogram) -> Option<Measure> {
    let (Some(mean), Some(greatest)) = (counted.mean, counted.greatest) else { return None };
    let beyond = counted.counts.last().copied().unwrap_or_default();
    let is_small = greatest < measure.high / 4.0;
    let is_great = greatest > measure.high && beyond as f64 > counted.number as f64 / 20.0;
    let is_open = measure.low == 0.0 && !measure.unit.is_empty() && measure.high > 0.0;
    let high = round_up(if is_small { greatest } else { greatest.min(3.0 * mean) });
    (is_open && (is_small || is_great) && high > 0.0 && high.is_finite()).then_some(Measure { high, ..*measure })
}

/// The next number that is 1, 2 or 5 times a power of ten.
fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= number);
    step.map_or(number, |step| step * power)
}

fn histogram(measure: &Measure, classes: &[Class]) -> Histogram {
    let &Measure { name, title, unit, low, high, .. } = measure;
    let mut counts = vec![0; measure.classes as usize];
    for class in classes {
        let last = counts.len() - 1;
        counts[usize::try_from(class.class).map_or(last, |class| class.min(last))] += class.number;
    }
    let number = counts.iter().sum();
    let total: f64 = classes.iter().map(|class| class.total).sum();
    let least = classes.iter().map(|class| class.least).reduce(f64::min);
    let greatest = classes.iter().map(|class| class.greatest).reduce(f64::max);
    let mean = (number > 0).then(|| total / number as f64);
    Histogram { name, title, unit, low, high, counts, number, mean, least, greatest }
}

fn error_group(count: NameCount, newest: &[Failure], settings: &Settings) -> ErrorGroup {
    let code: Option<ErrorCode> = count.name.parse().ok();
    ErrorGroup {
        recordings: count.number,
        meaning: code.map_or("", ErrorCode::meaning),
        advice: code.and_then(settings.advice),
        newest: newest.iter().filter(|failure| failure.error_code == count.name).cloned().collect(),
        code: count.name,
    }
}

/// Draws done recordings, of which there are `done`, and reads what can be seen and heard of them.
async fn draw(store: &Arc<Store>, done: u64, settings: &Settings) -> Result<Vec<Drawn>> {
    let size = settings.sample.min(Settings::MAX_SAMPLE).min(usize::try_from(done).unwrap_or(usize::MAX));
    if size == 0 {
        return Ok(Vec::new());
    }
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let mut positions = BTreeSet::new();
    while positions.len() < size {
        positions.insert(random.u64(1..=done));
    }
    let mut drawn = Vec::new();
    let mut reader = excerpt::Reader::new(Arc::clone(store), settings, size);
    for id in store.done_at(&positions.into_iter().collect::<Vec<_>>()).await? {
        let Some(recording) = store.done(&Selection::Id(id), i64::MIN, 1).await?.pop() else { continue };
        let excerpt = if settings.audio { reader.read(&recording, &mut random).await? } else { Excerpt::default() };
        let (source, duration_s, container) = (recording.source, recording.duration_s, recording.container);
        drawn.push(Drawn { id, source, duration_s, container, excerpt });
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_become_a_histogram() {
        let class = |class, number, total, least, greatest| Class { class, number, total, least, greatest };
        let classes = [class(0, 2, 0.01, 0.0, 0.01), class(39, 1, 1.0, 1.0, 1.0), class(99, 1, 2.0, 2.0, 2.0)];
        let histogram = histogram(&MEASURES[1], &classes);
        assert_eq!(histogram.counts.len(), 40);
        assert_eq!((histogram.counts[0], histogram.counts[39], histogram.number), (2, 2, 4));
        assert_eq!((histogram.least, histogram.greatest), (Some(0.0), Some(2.0)));
        assert!((histogram.mean.unwrap() - 0.7525).abs() < 1e-12);
    }

    #[test]
    fn classes_follow_the_values() {
        assert_eq!([0.11, 1.0, 1.2, 2.1, 60.0, 368.0].map(round_up), [0.2, 1.0, 2.0, 5.0, 100.0, 500.0]);
        let class = |class, number, total, greatest| Class { class, number, total, least: 0.0, greatest };
        let high =
            |measure: &Measure, class| scaled(measure, &histogram(measure, &[class])).map(|measure| measure.high);
        assert_eq!(high(&MEASURES[0], class(2, 10, 12.0, 2.5)), Some(5.0));
        assert_eq!(high(&MEASURES[0], class(9, 10, 100.0, 20.0)), None);
        assert_eq!(high(&MEASURES[0], class(29, 10, 600.0, 4_000.0)), Some(200.0));
        assert_eq!(high(&MEASURES[1], class(2, 10, 0.5, 0.1)), None, "a share");
    }

    #[test]
    fn no_rows_have_no_mean() {
        let histogram = histogram(&MEASURES[0], &[]);
        assert_eq!((histogram.number, histogram.mean, histogram.least), (0, None, None));
    }
}
