"""An automaton as an ONNX model that looks its table up. `pip install lisor[onnx]`.

Shapes: N sequences, T steps, Q states, S symbols, C classes."""

from __future__ import annotations

import json

import numpy as np

from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError

OPSET, IR_VERSION = 17, 8
"""What a run time has to know at least: ONNX 1.12 of 2022."""


def to_onnx(automaton: Automaton) -> bytes:
    """A model of the inputs `symbols` int64[N, T] and `lengths` int64[N] and the outputs `class`
    and `state`, int64[N], and where there are any `probabilities`, or `values` that were predicted
    last, double[N, C]; those of an empty sequence are NaN.

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
    # What numbers depend on: the state before the last symbol, and that symbol.
    has_values = automaton.values is not None
    carried = [("previous", "before"), ("last", "symbol")] if has_values else []
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
            *(
                node("Where", ["inside", new, f"{name}_in"], [f"{name}_out"])
                for name, new in carried
            ),
        ],
        "step",
        [
            value("place", integers, []),
            value("go_on", TensorProto.BOOL, []),
            value("before", integers, ["N"]),
            *(value(f"{name}_in", integers, ["N"]) for name, _ in carried),
        ],
        [
            value("still_go_on", TensorProto.BOOL, []),
            value("after", integers, ["N"]),
            *(value(f"{name}_out", integers, ["N"]) for name, _ in carried),
        ],
    )
    initializers = [
        numpy_helper.from_array(np.array(constant, np.int64), name)
        for name, constant in constants.items()
    ]
    outputs = [value(name, integers, ["N"]) for name in ("class", "state")]
    lookups = [node("Gather", ["outputs", "state"], ["class"])]
    if automaton.probabilities is not None:
        initializers.append(numpy_helper.from_array(automaton.probabilities, "distributions"))
        outputs.append(value("probabilities", TensorProto.DOUBLE, ["N", len(automaton.classes)]))
        lookups.append(node("Gather", ["distributions", "state"], ["probabilities"]))
    if automaton.values is not None:
        initializers.append(numpy_helper.from_array(automaton.values, "numbers"))
        initializers.append(numpy_helper.from_array(np.array(np.nan), "none"))
        outputs.append(value("values", TensorProto.DOUBLE, ["N", len(automaton.classes)]))
        lookups += [
            node("Unsqueeze", ["previous", "second_axis"], ["from"]),
            node("Unsqueeze", ["last", "second_axis"], ["on"]),
            node("Concat", ["from", "on"], ["transition"], axis=1),
            node("GatherND", ["numbers", "transition"], ["predicted"]),
            node("Less", ["zero", "lengths"], ["has_read"]),
            node("Unsqueeze", ["has_read", "second_axis"], ["column_has_read"]),
            node("Where", ["column_has_read", "predicted", "none"], ["values"]),
        ]
    graph = helper.make_graph(
        [
            node("Shape", ["lengths"], ["batch"]),
            node("Expand", ["start", "batch"], ["starts"]),
            node("Shape", ["symbols"], ["shape"]),
            node("Gather", ["shape", "second_axis"], ["steps"]),
            *([node("Mul", ["starts", "zero"], ["zeros"])] if has_values else []),
            node(
                "Loop",
                ["steps", "", "starts", *(["starts", "zeros"] if has_values else [])],
                ["state", *(name for name, _ in carried)],
                body=step,
            ),
            *lookups,
        ],
        "automaton",
        [value("symbols", integers, ["N", "T"]), value("lengths", integers, ["N"])],
        outputs,
        initializers,
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
