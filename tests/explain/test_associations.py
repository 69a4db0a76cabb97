import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lisor.explain.associations import LEVEL, MIN_COUNT, associations_of_ends, associations_of_steps


def noise(places: int = 600, units: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((places, units)).astype(np.float32)


@given(st.integers(0, 1000))
def test_correlations_are_pearsons_and_effects_are_distances_of_means(seed: int) -> None:
    things = np.random.default_rng(seed).integers(0, 4, 200)
    numbers = noise(200, 3, seed + 1)
    found = associations_of_ends(things, numbers, 4)
    for thing in range(4):
        for unit in range(3):
            column = numbers[:, unit]
            assert np.isclose(
                found.correlation[thing, unit],
                np.corrcoef(things == thing, column)[0, 1],
                atol=1e-5,
            )
            effect = (column[things == thing].mean() - column.mean()) / column.std()
            assert np.isclose(found.effect[thing, unit], effect, atol=1e-4)


def test_a_planted_link_is_found_and_no_other() -> None:
    things, numbers = np.random.default_rng(1).integers(0, 6, 600), noise()
    numbers[things == 2, 3] += 1
    for associations in (associations_of_steps, associations_of_ends):
        found = associations(things, numbers, 6)
        assert np.argwhere(found.p_value < LEVEL).tolist() == [[2, 3]]


def test_noise_is_held_to_be_something_at_most_as_often_as_the_level_says() -> None:
    false = 0
    for seed in range(60):
        things = np.random.default_rng(1000 + seed).integers(0, 5, 300)
        false += bool(
            (associations_of_steps(things, noise(300, 4, seed), 5, seed=seed).p_value < 0.1).any()
        )
    assert false <= 14  # 60 draws at level 0.1: more than 14 come about once in a thousand times


def test_slow_noise_beside_slow_things_is_not_a_finding() -> None:
    """Shuffled steps would find a link in nearly every such pair, since neighbours are alike."""
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        numbers = np.cumsum(rng.standard_normal((400, 3)), axis=0).astype(np.float32)
        things = np.repeat(rng.integers(0, 2, 8), 50)
        false += bool((associations_of_steps(things, numbers, 2, seed=seed).p_value < 0.05).any())
    assert false <= 8


def test_what_is_rare_everywhere_or_still_is_not_looked_at() -> None:
    things, numbers = np.zeros(100, np.int64), noise(100)
    things[: MIN_COUNT - 1] = 1
    numbers[:, 2] = 7
    for associations in (associations_of_steps, associations_of_ends):
        found = associations(things, numbers, 3)
        assert (found.correlation[1:] == 0).all()
        assert (found.p_value[1:] == 1).all()
        assert (found.correlation[:, 2] == 0).all()
    assert (associations_of_ends(np.zeros(50, np.int64), noise(50), 2).p_value == 1).all()


def test_the_same_seed_finds_the_same() -> None:
    things = np.random.default_rng(1).integers(0, 6, 600)
    first, again = (associations_of_steps(things, noise(), 6, seed=3).p_value for _ in range(2))
    np.testing.assert_array_equal(first, again)
