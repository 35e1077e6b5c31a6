"""The user's function that makes the arguments of a network, where a clip is not its only input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from video_cam.errors import ClipError, UsageError, VideoCamError, first_line
from video_cam.models.user_code import digest_of_code, digest_of_reference, find_function
from video_cam.utils.names import function_name
from video_cam.video.clip import Clip

InputFunction = Callable[[Any, str | None, list[float] | None], Any]


class InputFactory:
    """Makes the arguments of a network's forward from a prepared clip.

    The function is called as ``function(clip, path, times)``: the clip as the network would get it
    without the function, the path of the file and the time of each frame in seconds. Path and times
    are None where there is no clip: layers are found, and the positions of their cells measured, on
    made-up values. It returns a tensor or list, which is the one argument, a tuple of arguments, or
    a dict of arguments by name.
    """

    def __init__(self, function: str | InputFunction) -> None:
        """Bind a function, or the text "file.py:function".

        Raises:
            UsageError: where there is no such function.
        """
        if isinstance(function, str):
            self._name, self._function = function, find_function(function)
            self._code = digest_of_reference(function)
        elif callable(function):
            self._name, self._function = function_name(function), function
            self._code = digest_of_code(function)
        else:
            raise UsageError(f"input_factory {function!r} must be a function (clip, path, times)")
        self._path: str | None = None
        self._times: list[float] | None = None

    def __repr__(self) -> str:
        """The same text for the same code in every process."""
        return f"InputFactory({self._name} {self._code})"

    @contextmanager
    def in_window(self, clip: Clip, frame_indices: Sequence[int]) -> Iterator[None]:
        """Inside the block every input is a version of this window of a clip.

        Args:
            frame_indices: source frames of the window.
        """
        self._path = str(clip.path)
        self._times = [float(clip.timeline.pts_seconds(index)) for index in frame_indices]
        try:
            yield
        finally:
            self._path = self._times = None

    def __call__(self, clip: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the forward, by position and by name.

        Raises:
            UsageError: where the function raises without a clip, or returns something else.
            ClipError: where it raises for a clip.
        """
        times = None if self._times is None else list(self._times)
        try:
            made = self._function(clip, self._path, times)
        except VideoCamError:
            raise
        except Exception as error:  # the user's code may raise anything
            message = f"{self._name} raised {type(error).__name__}: {first_line(error)}"
            if self._path is not None:
                raise ClipError(message) from error
            raise UsageError(
                f"{message}; it is called as (clip, path, times), once with path and times None"
            ) from error
        if isinstance(made, Mapping):
            return (), dict(made)
        if isinstance(made, tuple):
            return made, {}
        if isinstance(made, Tensor | list):
            return (made,), {}
        raise UsageError(
            f"{self._name} returned a {type(made).__name__}, expected a tensor, or a list, tuple "
            "or dict of the network's arguments"
        )
