"""Fixtures of the command."""

from tests.support.command import out, run

__all__ = ["out", "run"]
