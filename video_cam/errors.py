"""Errors the user can act on: each message is one line, shown without a traceback."""


class VideoCamError(Exception):
    """Base class of errors whose message is one line written for the user."""


class ClipError(VideoCamError):
    """The clip cannot be used: missing, empty, not a video, or undecodable."""


class UsageError(VideoCamError):
    """A wrong argument."""


class DoesNotFit(UsageError):
    """A network and the input that it is given do not fit."""


class CheckNotApplicable(Exception):
    """A check or test does not apply to this map, clip or network; the message says why."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the name of its type if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
