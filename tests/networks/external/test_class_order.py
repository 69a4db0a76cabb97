"""Whether labels say that a network has its classes in another order."""

import numpy as np
import pytest

from lisor.networks.external.class_order import find_better_order, find_idle

LABELS = np.arange(300) % 3


@pytest.mark.parametrize(
    ("labels", "answers", "count", "places"),
    [
        (LABELS % 2, 1 - LABELS % 2, 2, (1, 0)),
        (LABELS, (LABELS + 1) % 3, 3, (2, 0, 1)),
        (LABELS, np.array([1, 0, 2])[LABELS], 3, None),  # right on a third, which is chance
        (LABELS % 2, LABELS % 2, 2, None),
        (LABELS % 2, np.zeros(300, int), 2, None),
        (np.array([0, 1, 0]), np.array([1, 0, 1]), 2, None),  # too few to say so
        (np.empty(0, int), np.empty(0, int), 2, None),
    ],
)
def test_an_order_is_found_where_the_one_given_is_worse_than_chance_and_another_far_better(
    labels, answers, count, places
):
    found = find_better_order(labels, answers, count)
    assert (found and found.order) == places


def test_chance_does_not_turn_classes_round():
    rng = np.random.default_rng(0)
    for seed in range(200):
        count, size = 2 + seed % 3, int(rng.integers(20, 2000))
        assert (
            find_better_order(rng.integers(count, size=size), rng.integers(count, size=size), count)
            is None
        )


def test_a_message_names_both_orders_and_how_often_each_is_right():
    labels = LABELS % 2
    answers = np.where(np.arange(300) < 6, labels, 1 - labels)
    order = find_better_order(labels, answers, 2)
    assert order.names(("+", "-")) == ("-", "+")
    assert order.described(("+", "-")) == (
        "the network is right on 0.020 of the labelled sequences if its classes are +, -, and on "
        "0.980 if they are -, +"
    )


@pytest.mark.parametrize(
    ("labels", "predictions", "idle"),
    [
        (LABELS % 2, np.zeros(300, int), True),
        (LABELS % 2, np.arange(300) // 2 % 2, True),
        (LABELS % 2, LABELS % 2, False),
        (np.arange(300) < 30, np.arange(300) < 20, False),
        (np.zeros(300, int), np.zeros(300, int), False),  # nothing was to be learned
        (np.arange(4) % 2, np.arange(4) % 2, False),  # all right, though few
        (np.empty(0, int), np.empty(0, int), False),
    ],
)
def test_a_network_that_is_right_no_more_often_than_a_constant_is_noticed(
    labels, predictions, idle
):
    found = find_idle(labels.astype(int), predictions.astype(int), ("no", "yes", "else"))
    assert (found is not None) == idle


def test_what_is_said_of_a_network_that_has_learned_nothing():
    assert find_idle(LABELS, np.ones(300, int), ("no", "yes", "else")) == (
        "the network is right on 0.333 of the labelled sequences, the class no alone on 0.333"
    )
