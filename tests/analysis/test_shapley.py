"""Shapley values against their definition, closed forms, and the coverage of the standard error."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.support.random_state import random_states_kept
from video_cam.analysis.shapley import (
    all_sets,
    exact_shapley,
    num_sampled_sets,
    sampled_shapley,
)


def random_game(num_players: int, seed: int = 0):
    """Any value for each set."""
    drawn = np.random.default_rng(seed).normal(size=2**num_players)
    values = dict(zip(all_sets(num_players), drawn, strict=True))
    return lambda sets: np.array([values[one] for one in sets])


def by_all_orders(game, num_players: int) -> np.ndarray:
    """The definition: the mean over all orders of what each player adds to those before it."""
    added = np.zeros(num_players)
    orders = list(permutations(range(num_players)))
    for order in orders:
        for place, player in enumerate(order):
            before, after = game([frozenset(order[:place]), frozenset(order[: place + 1])])
            added[player] += (after - before) / len(orders)
    return added


@pytest.mark.parametrize("num_players", [1, 2, 5])
def test_enumeration_is_the_mean_over_all_orders(num_players: int) -> None:
    game = random_game(num_players)
    found = exact_shapley(game, num_players)
    np.testing.assert_allclose(found.contributions, by_all_orders(game, num_players), atol=1e-12)
    none, everyone = game([frozenset(), frozenset(range(num_players))])
    assert found.contributions.sum() == pytest.approx(everyone - none, abs=1e-12)
    assert not found.standard_errors.any()


def test_of_a_sum_the_contributions_are_the_terms() -> None:
    terms = np.random.default_rng(1).normal(size=7)

    def game(sets):
        return np.array([3.0 + sum(terms[player] for player in one) for one in sets])

    np.testing.assert_allclose(exact_shapley(game, 7).contributions, terms, atol=1e-12)
    sampled = sampled_shapley(game, 7, num_pairs=2)
    np.testing.assert_allclose(sampled.contributions, terms, atol=1e-12)
    np.testing.assert_allclose(sampled.standard_errors, 0, atol=1e-12)


def test_opposite_orders_are_exact_where_players_act_in_pairs() -> None:
    pairs = np.random.default_rng(2).normal(size=(6, 6))

    def game(sets):
        return np.array([sum(pairs[a, b] for a in one for b in one) for one in sets])

    sampled = sampled_shapley(game, 6, num_pairs=2, seed=5)
    np.testing.assert_allclose(
        sampled.contributions, exact_shapley(game, 6).contributions, atol=1e-12
    )


def test_the_standard_error_is_that_of_the_estimate() -> None:
    """Over seeds, the variance of the estimates is the mean of the squared standard errors."""
    game, exact = random_game(6), by_all_orders(random_game(6), 6)
    found = [sampled_shapley(game, 6, num_pairs=12, seed=seed) for seed in range(400)]
    estimates = np.array([one.contributions for one in found])
    errors = np.array([one.standard_errors for one in found])
    np.testing.assert_allclose(estimates.var(0, ddof=1).mean(), (errors**2).mean(), rtol=0.1)
    within = np.abs(estimates - exact) <= 2 * errors
    assert within.mean() == pytest.approx(0.929, abs=0.02)  # Student's t, 11 degrees of freedom
    none, everyone = game([frozenset(), frozenset(range(6))])
    np.testing.assert_allclose(estimates.sum(1), everyone - none, atol=1e-12)


def test_a_seed_decides_and_the_callers_random_state_is_kept() -> None:
    game = random_game(8)
    with random_states_kept():
        first, again, other = (sampled_shapley(game, 8, 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.contributions, again.contributions)
    assert (first.contributions != other.contributions).any()


def test_the_number_of_sets_is_known_before() -> None:
    asked = []

    def game(sets):
        asked.extend(sets)
        return np.zeros(len(sets))

    sampled_shapley(game, 16, num_pairs=3)
    assert len(set(asked)) <= num_sampled_sets(16, 3) == 92
