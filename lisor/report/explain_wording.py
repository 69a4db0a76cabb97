"""What the pages of explanations say of classes, and what of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from lisor.explain.removal import REMOVAL
from lisor.registry import TARGETS
from lisor.report.page import Colors


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The words for predictions of one kind.

    `given` is what the network gives to what is explained, `methods` what an attribution by each
    method is, `unlike` what one below 0 says, `colors` what its color says."""

    given: str
    methods: dict[str, str]
    unlike: str
    colors: Colors
    chosen: str
    shown: str
    deletion: str
    left: str
    judged: str
    complete: str
    by_class: str
    highest: str
    alone: str
    alone_format: str

    def write_alone(self, alone: float) -> str:
        """How well a unit predicts alone."""
        return f"{alone:{self.alone_format}}".replace("-", "\N{MINUS SIGN}")


CLASSES = Wording(
    given="the network's probability of",
    methods={
        "integrated-gradients": "integrated gradients, in units of the logit",
        REMOVAL: "how far its logit falls without the symbol",
    },
    unlike="below 0 it speaks against it",
    colors=Colors(more="for", less="against", what="the network's answer"),
    chosen="by the mean probabilities of the networks: the surest right predictions, the surest "
    "wrong ones, and the uncertain ones, where the two most probable classes are nearest to each "
    "other",
    shown="its prediction and its probability",
    deletion="The probability of a network's prediction when the symbols of the highest "
    "attribution are left out (above: the faster it falls, the better) and when they alone are "
    "kept (below: the faster it rises, the better).",
    left="probability",
    judged="those of the highest attribution first: the gain is the area between the network's "
    "probability then and when symbols are left out at random",
    complete="margin",
    by_class="the true class",
    highest="the class it is highest for",
    alone="the share of the test set that this unit alone classifies correctly",
    alone_format=".0%",
)

NUMBERS = Wording(
    given="the network's",
    methods={
        "integrated-gradients": "integrated gradients, in its unit",
        REMOVAL: "how far it falls without the symbol",
    },
    unlike="below 0 it lowers it",
    colors=Colors(more="raises", less="lowers", what="the network's number"),
    chosen="by the mean predictions of the networks: those nearest to what is true, those farthest "
    "from it, and the most extreme",
    shown="its prediction",
    deletion="How far a network's prediction moves, in standard deviations of its predictions, "
    "when the symbols of the largest attributions are left out (above: the faster it rises, the "
    "better) and when they alone are kept (below: the faster it falls, the better).",
    left="distance",
    judged="those of the largest attributions first: the gain is by how many standard deviations "
    "the prediction moves farther, on the average over all shares, than when symbols are left out "
    "at random",
    complete="prediction",
    by_class="thirds of the number that is true",
    highest="the third of the number that it is highest in",
    alone="R² of the test set's number when it is predicted from this unit alone",
    alone_format=".2f",
)


def wording_of(target: str) -> Wording:
    """The words for a kind of target."""
    return NUMBERS if TARGETS[target].is_numeric else CLASSES
