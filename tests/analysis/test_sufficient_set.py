"""The smallest sufficient set: known answers, and how little is asked."""

from __future__ import annotations

from video_cam.analysis.sufficient_set import pruned, sufficient_set


class Game:
    """Sets that contain one of ``needed`` are enough; counts the different questions."""

    def __init__(self, *needed: set[int], most: int = 1000) -> None:
        self.needed, self.most = needed, most
        self.asked: set[frozenset[int]] = set()

    def __call__(self, players: frozenset[int]) -> float | None:
        if players not in self.asked and len(self.asked) >= self.most:
            return None
        self.asked.add(players)
        if not any(one <= players for one in self.needed):
            return None
        return 0.9 + 0.001 * sum(players)


def test_one_player_is_enough() -> None:
    assert sufficient_set(Game({3}), [3, 0, 1, 2, 4]) == {3}
    # Also where its contribution is small.
    assert sufficient_set(Game({3}), [0, 1, 2, 4, 3]) == {3}


def test_the_smaller_set_of_two_ways() -> None:
    # The largest contributions come first, but two others are enough.
    assert sufficient_set(Game({0, 1, 2}, {3, 4}), [4, 3, 0, 1, 2]) == {3, 4}
    assert sufficient_set(Game({0, 1}, {2, 3}), [0, 2, 1, 3]) == {0, 1}


def test_nothing_can_be_left_out() -> None:
    everyone = {0, 1, 2, 3}
    assert sufficient_set(Game(everyone), [2, 0, 3, 1]) == everyone
    assert sufficient_set(Game({0}), [0]) == {0}


def test_where_nothing_more_can_be_asked_the_set_is_still_enough() -> None:
    for most in range(1, 12):
        game = Game({1, 4}, most=most)
        assert {1, 4} <= sufficient_set(game, [4, 2, 1, 3, 0]), most
        assert len(game.asked) <= most


def test_pruning_begins_with_the_last() -> None:
    either = Game({0}, {1})
    assert pruned(either, frozenset({0, 1}), [0, 1]) == {0}
    assert pruned(either, frozenset({0, 1}), [1, 0]) == {1}
