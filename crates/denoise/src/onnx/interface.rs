//! How a model is called: `input [1, hop]` and states in, `output [1, hop]` and states out, and the metadata `sample_rate`,
//! `hop` and `delay`.

use ort::{
    session::Session,
    value::{Outlet, TensorElementType},
};

use crate::{FrameSpec, SAMPLE_RATE};

/// The input of samples.
pub const INPUT: &str = "input";

/// The output of samples.
pub const OUTPUT: &str = "output";

/// A state goes in as `NAME` and comes out as `NAME_out`.
const STATE_OUT: &str = "_out";

/// Sample rates that make sense for speech.
const RATES: std::ops::RangeInclusive<usize> = 8_000..=192_000;

/// Samples of a frame or of a delay, at most: more than five seconds at any rate.
const MOST_SAMPLES: usize = 1 << 20;

/// Values of a state, at most: 64 MB.
const MOST_VALUES: usize = 1 << 24;

/// What a model takes and gives.
pub struct Interface {
    pub spec: FrameSpec,
    pub states: Vec<State>,
}

/// A tensor that goes from one frame to the next. It is zero at the start of a recording.
pub struct State {
    pub input: String,
    pub output: String,
    pub shape: Vec<usize>,
}

impl State {
    /// Number of its values.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Interface {
    /// The interface of a session's model, or what is wrong with it.
    pub fn of(session: &Session) -> Result<Self, String> {
        let metadata = session.metadata().map_err(|error| error.to_string())?;
        let number = |name: &str| match metadata.custom(name) {
            None => Ok(None),
            Some(text) => match text.trim().parse::<usize>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("its metadata {name} is {text:?}, expected a whole number")),
            },
        };
        let rate = number("sample_rate")?.unwrap_or(SAMPLE_RATE as usize);
        if !RATES.contains(&rate) {
            return Err(format!("its metadata sample_rate is {rate}, expected {} to {}", RATES.start(), RATES.end()));
        }
        let hop = hop(session, number("hop")?)?;
        let delay = number("delay")?.unwrap_or_default();
        if delay > MOST_SAMPLES {
            return Err(format!("its metadata delay is {delay} samples, expected at most {MOST_SAMPLES}"));
        }
        if !session.outputs().iter().any(|output| output.name() == OUTPUT) {
            return Err(format!("it has no output {OUTPUT:?}"));
        }
        let others = session.inputs().iter().filter(|input| input.name() != INPUT);
        let states = others.map(|input| state(session, input)).collect::<Result<_, _>>()?;
        Ok(Self { spec: FrameSpec { rate: rate as u32, hop, delay }, states })
    }

    /// The inputs and outputs of a session's model, for a message.
    pub fn describe(session: &Session) -> String {
        format!("{} -> {}", list(session.inputs()), list(session.outputs()))
    }
}

/// The samples of a frame: from the shape of the input, or where that is open from the metadata.
fn hop(session: &Session, declared: Option<usize>) -> Result<usize, String> {
    let expected = format!("expected {INPUT} [1, hop] of float32");
    let input = session.inputs().iter().find(|input| input.name() == INPUT);
    let input = input.ok_or_else(|| format!("it has no input {INPUT:?}, {expected}"))?;
    let shape = float_shape(input).filter(|shape| shape.len() == 2 && [1, -1].contains(&shape[0]));
    let of_shape = shape.ok_or_else(|| format!("its input has another shape or type, {expected}"))?[1];
    let hop = match (usize::try_from(of_shape).ok(), declared) {
        (None, None) => return Err("the length of its input is open, and it has no metadata hop".into()),
        (Some(of_shape), Some(declared)) if of_shape != declared => {
            return Err(format!("its metadata hop is {declared}, and its input has {of_shape} samples"));
        }
        (Some(hop), _) | (None, Some(hop)) => hop,
    };
    if (1..=MOST_SAMPLES).contains(&hop) {
        Ok(hop)
    } else {
        Err(format!("a frame of {hop} samples, expected 1 to {MOST_SAMPLES}"))
    }
}

/// The state of an input.
fn state(session: &Session, input: &Outlet) -> Result<State, String> {
    let name = input.name();
    let output = format!("{name}{STATE_OUT}");
    if !session.outputs().iter().any(|found| found.name() == output) {
        return Err(format!("its input {name:?} has no output {output:?} for the next frame"));
    }
    let shape = float_shape(input).ok_or_else(|| format!("its state {name:?} is not of float32"))?;
    let shape: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
    let shape = shape.ok_or_else(|| format!("the shape of its state {name:?} is open"))?;
    let values = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if values.is_some_and(|values| (1..=MOST_VALUES).contains(&values)) {
        Ok(State { input: name.to_owned(), output, shape })
    } else {
        Err(format!("its state {name:?} is empty, or has more than {MOST_VALUES} values"))
    }
}

/// The shape of a tensor of float32; open dimensions are -1.
fn float_shape(outlet: &Outlet) -> Option<&[i64]> {
    let kind = outlet.dtype();
    kind.tensor_shape().filter(|_| kind.tensor_type() == Some(TensorElementType::Float32)).map(|shape| &**shape)
}

/// The first inputs or outputs, for a message.
fn list(outlets: &[Outlet]) -> String {
    const SHOWN: usize = 8;
    let describe = |outlet: &Outlet| {
        let size = |&size: &i64| if size < 0 { "?".to_owned() } else { size.to_string() };
        let shape = outlet.dtype().tensor_shape().map(|shape| shape.iter().map(size).collect::<Vec<_>>().join(", "));
        format!("{} [{}]", outlet.name(), shape.unwrap_or_default())
    };
    let shown: Vec<String> = outlets.iter().take(SHOWN).map(describe).collect();
    let more = if outlets.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
