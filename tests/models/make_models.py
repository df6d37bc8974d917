"""Makes tiny models that the tests of --vad-engine and --denoise need: python3 make_models.py, with the package onnx.

another_kind.onnx     a model with other inputs and outputs, which must be refused
fails_on_sound.onnx   a model with Silero's interface of one window per call, which fails with an index out of range if a
                      sample is above 0.01
halves.onnx           a denoising model that gives half of each sample, one frame of 160 samples later
halves_24k.onnx       the same at 24 kHz, with a frame of 240 samples that only the metadata tell
overflows.onnx        a denoising model whose output is infinite, except for silence
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).parent


def port(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, inputs, outputs, constants=(), metadata=None):
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8, producer_name="make_models.py")
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


save(
    "another_kind",
    [helper.make_node("Relu", ["mel"], ["logits"])],
    [port("mel", TensorProto.FLOAT, ["batch", 80, 3000])],
    [port("logits", TensorProto.FLOAT, ["batch", 80, 3000])],
)
save(
    "fails_on_sound",
    [
        helper.make_node("ReduceMax", ["input"], ["peak"], axes=[0, 1], keepdims=0),
        helper.make_node("Mul", ["peak", "hundred"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["only_one", "index"], ["row"], axis=0),
        helper.make_node("Identity", ["row"], ["output"]),
        helper.make_node("Identity", ["state"], ["stateN"]),
    ],
    [
        port("input", TensorProto.FLOAT, [1, 576]),
        port("state", TensorProto.FLOAT, [2, 1, 128]),
        port("sr", TensorProto.INT64, []),
    ],
    [port("output", TensorProto.FLOAT, [1]), port("stateN", TensorProto.FLOAT, [2, 1, 128])],
    [
        helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0]),
        helper.make_tensor("only_one", TensorProto.FLOAT, [1, 1], [0.0]),
    ],
)
for name, hop, frame, metadata in [
    ("halves", 160, 160, {"sample_rate": "16000", "delay": "160"}),
    ("halves_24k", 240, "hop", {"sample_rate": "24000", "delay": "240", "hop": "240"}),
]:
    save(
        name,
        [
            helper.make_node("Identity", ["last_frame"], ["output"]),
            helper.make_node("Mul", ["input", "half"], ["last_frame_out"]),
        ],
        [port("input", TensorProto.FLOAT, [1, frame]), port("last_frame", TensorProto.FLOAT, [1, hop])],
        [port("output", TensorProto.FLOAT, [1, hop]), port("last_frame_out", TensorProto.FLOAT, [1, frame])],
        [helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])],
        metadata,
    )
save(
    "overflows",
    [helper.make_node("Mul", ["input", "huge"], ["louder"]), helper.make_node("Mul", ["louder", "huge"], ["output"])],
    [port("input", TensorProto.FLOAT, [1, 160])],
    [port("output", TensorProto.FLOAT, [1, 160])],
    [helper.make_tensor("huge", TensorProto.FLOAT, [], [1e38])],
)
