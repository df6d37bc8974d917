//! Reads weights from an ONNX file: its initialisers by name, and the inputs of its nodes.
//!
//! ONNX is a protobuf message. Only the fields needed here are declared, with the numbers of the official
//! [`onnx.proto`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the decoder skips all others.

use prost::Message;

use super::VadError;

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

/// The graph of an ONNX file, decoded.
pub(super) struct OnnxFile(GraphProto);

impl OnnxFile {
    /// Decodes the bytes of an ONNX file. Random bytes and truncated files are an error, never a panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, VadError> {
        let model = ModelProto::decode(bytes).map_err(|error| VadError::NotOnnx(error.to_string()))?;
        let graph = model.graph.filter(|graph| !graph.nodes.is_empty());
        graph.map(Self).ok_or_else(|| VadError::NotOnnx("it contains no graph".into()))
    }

    /// The values of the initialiser `name`, row-major, provided it has exactly this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, VadError> {
        let tensor = self.0.initializers.iter().find(|tensor| tensor.name == name);
        let tensor = tensor.ok_or_else(|| wrong(self.names(), format!("a weight {name} {shape:?}")))?;
        let same_shape =
            tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).eq(shape.iter().map(|dim| Some(*dim)));
        if !same_shape || tensor.data_type != FLOAT {
            let found = format!("{name} {:?} of ONNX type {}", tensor.dims, tensor.data_type);
            return Err(wrong(found, format!("{name} {shape:?} of ONNX type {FLOAT}")));
        }
        let values = tensor.values();
        let expected = shape.iter().product::<usize>();
        if values.len() != expected {
            return Err(wrong(format!("{} values in {name}", values.len()), expected.to_string()));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(wrong(format!("{name} with infinities or NaN"), "finite weights".into()));
        }
        Ok(values)
    }

    /// The names of the inputs of the only node with this operator (an unnamed input is an empty string).
    pub fn inputs_of(&self, op_type: &str) -> Result<&[String], VadError> {
        let mut nodes = self.0.nodes.iter().filter(|node| node.op_type == op_type);
        match (nodes.next(), nodes.next()) {
            (Some(node), None) => Ok(&node.inputs),
            (None, _) => Err(wrong(format!("no {op_type} node among {}", self.names()), format!("one {op_type} node"))),
            (Some(_), Some(_)) => Err(wrong(format!("several {op_type} nodes"), "one".into())),
        }
    }

    /// Names and shapes of the first initialisers, for a message.
    fn names(&self) -> String {
        const SHOWN: usize = 8;
        let tensors = &self.0.initializers;
        let shown = tensors.iter().take(SHOWN).map(|tensor| format!("{} {:?}", tensor.name, tensor.dims));
        let more = if tensors.len() > SHOWN { ", ..." } else { "" };
        format!("{} weights ({}{more})", tensors.len(), shown.collect::<Vec<_>>().join(", "))
    }
}

impl TensorProto {
    /// The values. ONNX allows either field; exporters write `raw_data`, which is little-endian on every machine.
    fn values(&self) -> Vec<f32> {
        if self.raw_data.is_empty() {
            return self.float_data.clone();
        }
        let (values, rest) = self.raw_data.as_chunks::<4>();
        if rest.is_empty() { values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect() } else { Vec::new() }
    }
}

fn wrong(found: String, expected: String) -> VadError {
    VadError::WrongModel { found, expected }
}
