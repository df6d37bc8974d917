//! Recognises how a model is called, by the names, types and shapes of its inputs and outputs.
//!
//! They are read from the file itself, so that a model of another kind is rejected before a library is searched for.

use prost::Message;

use super::{INPUT, OnnxError, STATE};
use crate::VadError;

/// `TensorProto.DataType.FLOAT` and `.INT64`.
const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// Cells of the LSTM: half of the state.
const CELLS: usize = STATE / 2;

const EXPECTED: &str = "input [1, 576], state [2, 1, 128], sr -> output, stateN (Silero VAD v5 and v6, one window per \
    call), or input [n, 576], h [1, 1, 128], c [1, 1, 128] -> speech_probs, hn, cn (many windows per call)";

/// The two ways in which Silero VAD v5 and v6 are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `input, state, sr -> output, stateN`: one window per call. The official package's main file.
    PerWindow {
        /// Whether the model has the input `sr`. Files for 16 kHz only do not have it.
        has_rate: bool,
    },
    /// `input, h, c -> speech_probs, hn, cn`: any number of windows per call.
    Batched,
}

impl Interface {
    /// The interface of the model in an ONNX file.
    pub fn of(bytes: &[u8]) -> Result<Self, VadError> {
        let model = ModelProto::decode(bytes).map_err(|error| VadError::NotOnnx(error.to_string()))?;
        let graph = model.graph.ok_or_else(|| VadError::NotOnnx("it contains no graph".into()))?;
        let recognised = graph.recognise();
        recognised.ok_or_else(|| OnnxError::Interface { found: graph.describe(), expected: EXPECTED }.into())
    }
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<Named>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<Port>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<Port>,
}

/// `TensorProto`, of which only the name matters here.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "8")]
    name: String,
}

/// `ValueInfoProto`: an input or an output.
#[derive(Clone, PartialEq, Message)]
struct Port {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dims: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    size: Option<i64>,
    #[prost(string, optional, tag = "2")]
    symbol: Option<String>,
}

impl GraphProto {
    fn recognise(&self) -> Option<Interface> {
        let [window, cells] = [&[None, Some(INPUT)][..], &[Some(1), None, Some(CELLS)]];
        let state = [Some(2), None, Some(CELLS)];
        let takes = |name, element, shape: &[_]| self.input(name).is_some_and(|port| port.fits(element, shape));
        let gives = |names: &[&str]| names.iter().all(|name| self.outputs.iter().any(|port| port.name == *name));
        let inputs = self.inputs().count();
        let has_rate = takes("sr", INT64, &[]);
        if !takes("input", FLOAT, window) {
            None
        } else if takes("state", FLOAT, &state) && inputs == 2 + usize::from(has_rate) && gives(&["output", "stateN"]) {
            Some(Interface::PerWindow { has_rate })
        } else if takes("h", FLOAT, cells)
            && takes("c", FLOAT, cells)
            && inputs == 3
            && gives(&["speech_probs", "hn", "cn"])
        {
            Some(Interface::Batched)
        } else {
            None
        }
    }

    /// The inputs that a caller provides. Old exporters list the weights as inputs, too.
    fn inputs(&self) -> impl Iterator<Item = &Port> {
        self.inputs.iter().filter(|port| !self.initializers.iter().any(|weight| weight.name == port.name))
    }

    fn input(&self, name: &str) -> Option<&Port> {
        self.inputs().find(|port| port.name == name)
    }

    fn describe(&self) -> String {
        format!("{} -> {}", list(self.inputs()), list(self.outputs.iter()))
    }
}

impl Port {
    fn tensor(&self) -> Option<&TensorType> {
        self.kind.as_ref()?.tensor.as_ref()
    }

    /// Whether a tensor of this type and shape is accepted. A dimension that the file leaves open fits any size.
    fn fits(&self, element: i32, shape: &[Option<usize>]) -> bool {
        let Some(tensor) = self.tensor().filter(|tensor| tensor.element == element) else { return false };
        let Some(own) = &tensor.shape else { return true };
        let same = |(own, expected): (&Dimension, &Option<usize>)| match (own.size, expected) {
            (Some(own), Some(expected)) => usize::try_from(own) == Ok(*expected),
            _ => true,
        };
        own.dims.len() == shape.len() && own.dims.iter().zip(shape).all(same)
    }

    fn describe(&self) -> String {
        let Some(tensor) = self.tensor() else { return format!("{} (no tensor)", self.name) };
        let size = |dim: &Dimension| match (dim.size, &dim.symbol) {
            (Some(size), _) => size.to_string(),
            (None, Some(symbol)) => symbol.clone(),
            (None, None) => "?".into(),
        };
        let shape = tensor.shape.iter().flat_map(|shape| &shape.dims).map(size).collect::<Vec<_>>().join(", ");
        let element = if tensor.element == FLOAT { String::new() } else { format!(" of ONNX type {}", tensor.element) };
        format!("{} [{shape}]{element}", self.name)
    }
}

/// The first ports, for a message.
fn list<'p>(ports: impl Iterator<Item = &'p Port>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<String> = ports.map(Port::describe).collect();
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    if all.is_empty() { "nothing".into() } else { format!("{}{more}", all[..all.len().min(SHOWN)].join(", ")) }
}
