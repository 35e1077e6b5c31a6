"""The smallest set of players that is found to be enough, with few questions to the game."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from video_cam.analysis.shapley import Players

# A set of players -> the share of the value that it keeps, where it is enough; None where it is
# not, or where nothing more can be asked.
Shares = Callable[[Players], float | None]


def sufficient_set(shares: Shares, order: Sequence[int]) -> Players:
    """Search greedily and by deletion, always along the contributions.

    Greedily: the players with the largest contributions, as many as are enough, less each that is
    not needed. By deletion: all players, less each that is not needed, the smallest contributions
    first. Sets are not searched at random: among thousands some are enough by chance, as a network
    was never trained on such clips.

    Args:
        shares: of a set; all players together are enough.
        order: all players, the one with the largest contribution first.

    Returns:
        The smaller set of the two; of equally small ones the one that keeps more. Without any one
        of its players it is not enough, unless nothing more could be asked.
    """
    everything = frozenset(order)
    prefixes = (frozenset(order[:size]) for size in range(1, len(order)))
    greedy = next((one for one in prefixes if shares(one) is not None), everything)
    found = [pruned(shares, start, order) for start in (greedy, everything)]
    return min(found, key=lambda one: (len(one), -(shares(one) or 0.0)))


def pruned(shares: Shares, start: Players, order: Sequence[int]) -> Players:
    """A set that is enough, less each player that is not needed.

    Args:
        shares: of a set.
        start: the set.
        order: players; those at the end are tried first.
    """
    left = start
    for player in reversed(order):
        rest = left - {player}
        if player in left and rest and shares(rest) is not None:
            left = rest
    return left
