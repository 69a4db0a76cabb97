"""An automaton as an ONNX model that looks its table up. `pip install lisor[onnx]`.

Shapes: N sequences, T steps, Q states, S symbols."""

from __future__ import annotations

import json

import numpy as np

from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError

OPSET, IR_VERSION = 17, 8
"""What a run time has to know at least: ONNX 1.12 of 2022."""


def to_onnx(automaton: Automaton) -> bytes:
    """A model of the inputs `symbols` int64[N, T] and `lengths` int64[N] and the outputs `class`
    and `state`, int64[N].

    Symbols are numbers of the alphabet; what stands after a sequence's length is padding and may be
    any number. A step (Loop) takes state and symbol of all sequences to the next state. A number
    that no symbol has is an error of the run time. The alphabet, the classes, the unknown symbol
    and the tokenizer are in the model's metadata, as JSON.

    Raises:
        AutomatonError: ONNX is not installed."""
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise AutomatonError("this export needs ONNX: pip install 'lisor[onnx]'") from None
    constants = {
        "transitions": automaton.transitions,
        "outputs": automaton.outputs,
        "start": automaton.start,
        "foreign": len(
            automaton.alphabet
        ),  # one past the last symbol: a look-up there fails, one at -1 would not
        "zero": 0,
        "second_axis": [1],
    }
    node, value, integers = helper.make_node, helper.make_tensor_value_info, TensorProto.INT64
    step = helper.make_graph(
        [
            node("Gather", ["symbols", "place"], ["read"], axis=1),
            node("Less", ["place", "lengths"], ["inside"]),
            node("Less", ["read", "zero"], ["negative"]),
            node("Where", ["negative", "foreign", "read"], ["known"]),
            node("Where", ["inside", "known", "zero"], ["symbol"]),
            node("Unsqueeze", ["before", "second_axis"], ["row"]),
            node("Unsqueeze", ["symbol", "second_axis"], ["column"]),
            node("Concat", ["row", "column"], ["cell"], axis=1),
            node("GatherND", ["transitions", "cell"], ["next"]),
            node("Where", ["inside", "next", "before"], ["after"]),
            node("Identity", ["go_on"], ["still_go_on"]),
        ],
        "step",
        [
            value("place", integers, []),
            value("go_on", TensorProto.BOOL, []),
            value("before", integers, ["N"]),
        ],
        [value("still_go_on", TensorProto.BOOL, []), value("after", integers, ["N"])],
    )
    graph = helper.make_graph(
        [
            node("Shape", ["lengths"], ["batch"]),
            node("Expand", ["start", "batch"], ["starts"]),
            node("Shape", ["symbols"], ["shape"]),
            node("Gather", ["shape", "second_axis"], ["steps"]),
            node("Loop", ["steps", "", "starts"], ["state"], body=step),
            node("Gather", ["outputs", "state"], ["class"]),
        ],
        "automaton",
        [value("symbols", integers, ["N", "T"]), value("lengths", integers, ["N"])],
        [value(name, integers, ["N"]) for name in ("class", "state")],
        [
            numpy_helper.from_array(np.array(constant, np.int64), name)
            for name, constant in constants.items()
        ],
    )
    model = helper.make_model(
        graph,
        producer_name="lisor",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    alphabet = automaton.alphabet
    about = {
        "alphabet": alphabet.symbols,
        "classes": automaton.classes,
        "unknown": alphabet.unknown,
        "tokenizer": alphabet.tokenizer,
    }
    helper.set_model_props(
        model,
        {name: json.dumps(value) for name, value in about.items()},
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
