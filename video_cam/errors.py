"""What goes wrong for reasons the user can act on: one line each, no traceback needed."""


class VideoCamError(Exception):
    """Base of the errors whose message is one line written for the user."""


class ClipError(VideoCamError):
    """The clip cannot be used: missing, empty, not a video, undecodable."""


class UsageError(VideoCamError):
    """A wrong argument."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
