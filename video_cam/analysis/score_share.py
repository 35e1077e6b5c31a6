"""What 90 % of a score is: of a probability, of a logit, and of the value of a function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ENOUGH = 0.9  # share of the score that a sufficient set keeps
# Of the score: differences below it are rounding errors of float32.
ROUNDING = 1e-5


@dataclass(frozen=True)
class ScoreShare:
    """Counts shares of a score.

    A probability is counted from 0. Other scores have no zero of their own, and may be negative:
    they are counted from the score of the clip without any frame.

    Attributes:
        whole: the score of the clip as it is.
        blank: that of the clip without any frame.
        is_probability: whether the scores are probabilities.
        is_function: whether they are values of a function, which the frames may also lower.
    """

    whole: float
    blank: float
    is_probability: bool
    is_function: bool = False

    @property
    def is_there(self) -> bool:
        """Whether there is a share to be kept: the frames make the score what it is."""
        if self.is_probability:
            return self.whole > 0
        size = max(abs(self.whole), abs(self.blank), 1.0)
        difference = self.whole - self.blank
        return (abs(difference) if self.is_function else difference) > ROUNDING * size

    @property
    def is_lowered(self) -> bool:
        """Whether the frames lower a probability.

        Nearly any set of frames keeps a multiple of what is left of it, so none of them is named.
        """
        return self.is_probability and self.whole < self.blank

    @property
    def sign(self) -> float:
        """-1.0 where the frames lower a function's value, else 1.0."""
        return -1.0 if self.is_function and self.whole < self.blank else 1.0

    def of(self, scores: np.ndarray) -> np.ndarray:
        """The shares of ``whole`` that scores are; 1 for all of it, more for a higher score."""
        zero = 0.0 if self.is_probability else self.blank
        return (scores - zero) / (self.whole - zero)
