"""Shapley values: how much each player adds to the value of all players together.

Shapley 1953 ("A value for n-person games"). A game is a function from sets of players to values;
here players are frames of a clip, and the value is a network's score for the clip with only these
frames. The contributions of all players sum to the value of all less the value of none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

Players = frozenset[int]
# Sets of players -> their values, float64 (sets,).
Game = Callable[[Sequence[Players]], np.ndarray]


@dataclass(frozen=True)
class Shapley:
    """The contributions of players.

    Attributes:
        contributions: float64 (players,), in units of the game's values.
        standard_errors: float64 (players,), of sampling; zeros where nothing was sampled.
    """

    contributions: np.ndarray
    standard_errors: np.ndarray


def exact_shapley(game: Game, num_players: int) -> Shapley:
    """By enumeration: the definition, with the value of each of the 2^n sets.

    Args:
        game: asked once, for all sets.
        num_players: n; the players are 0 ... n - 1.
    """
    sets = all_sets(num_players)
    values = dict(zip(sets, game(sets), strict=True))
    contributions = np.zeros(num_players)
    for members, value in values.items():
        # The share of all orders in which exactly these members come before the player.
        for player in set(range(num_players)) - members:
            weight = 1 / (num_players * comb(num_players - 1, len(members)))
            contributions[player] += weight * (values[members | {player}] - value)
    return Shapley(contributions, np.zeros(num_players))


def sampled_shapley(game: Game, num_players: int, num_pairs: int, seed: int = 0) -> Shapley:
    """By permutation sampling, each permutation together with its reverse.

    Castro et al. 2009 ("Polynomial calculation of the Shapley value based on sampling"); pairs of
    opposite permutations: Mitchell et al. 2022 ("Sampling permutations for Shapley value
    estimation", section 4.1). In each permutation players are added one by one, so the
    contributions sum to the value of all less the value of none, whatever is drawn.

    Args:
        game: asked once, for all sets; a set comes as often as it is needed.
        num_players: the players are 0 ... n - 1.
        num_pairs: at least 2. The standard error of the mean is estimated from the differences
            between pairs, which are independent of each other.
        seed: of the permutations; no global random state is used.
    """
    orders = _orders(num_players, num_pairs, seed)
    sets = [frozenset(order[:size]) for order in orders for size in range(num_players + 1)]
    values = np.asarray(game(sets), np.float64).reshape(len(orders), num_players + 1)
    added = np.zeros((len(orders), num_players))
    for row, order, steps in zip(added, orders, np.diff(values, axis=1), strict=True):
        row[list(order)] = steps
    pairs = added.reshape(num_pairs, 2, num_players).mean(1)
    return Shapley(pairs.mean(0), pairs.std(0, ddof=1) / np.sqrt(num_pairs))


def num_sampled_sets(num_players: int, num_pairs: int) -> int:
    """How many sets, at most, ``sampled_shapley`` asks the game for, each counted once."""
    return 2 + 2 * num_pairs * (num_players - 1)


def all_sets(num_players: int) -> list[Players]:
    """Every set of the players 0 ... n - 1, the smaller ones first."""
    players = range(num_players)
    return [frozenset(c) for size in range(num_players + 1) for c in combinations(players, size)]


def _orders(num_players: int, num_pairs: int, seed: int) -> list[tuple[int, ...]]:
    generator = np.random.default_rng(seed)
    orders: list[tuple[int, ...]] = []
    for _ in range(num_pairs):
        order = tuple(generator.permutation(num_players).tolist())
        orders += [order, order[::-1]]
    return orders
