"""The logits behind probabilities: what a softmax or sigmoid was given, kept during a pass."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

_ACTIVATIONS = ("softmax", "log_softmax", "sigmoid", "expit")
# Operations that move numbers; where as many come out as went in, others are done to the input too.
_MOVING = (
    *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone"),
    *("transpose", "swapaxes", "permute", "movedim", "t", "__get__", "__getitem__"),
    *("float", "double", "half", "bfloat16", "to", "mean"),
)


class ActivationInputs(TorchFunctionMode):
    """Inside the block the input of each softmax, log softmax and sigmoid is kept with its output.

    Kept as long as the output is. What is done to the output's axes alone is done to the input as
    well, so that a head's view of its probabilities has logits of the same shape. A mean counts
    where it is over single cells.
    """

    def __init__(self) -> None:
        super().__init__()
        self._inputs = WeakTensorKeyDictionary()

    def __contains__(self, output: Tensor) -> bool:
        return output in self._inputs

    def __getitem__(self, output: Tensor) -> Tensor:
        """What the operation that made ``output`` was given, in the shape of ``output``.

        Raises:
            KeyError: where none of these operations made it.
        """
        return self._inputs[output]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        given = args[0] if args else kwargs.get("input")
        if not isinstance(given, Tensor) or not isinstance(result, Tensor) or result is given:
            return result
        if name in _ACTIVATIONS:
            self._inputs[result] = given
        elif args and name in _MOVING and given in self and result.numel() == given.numel():
            self._inputs[result] = func(self[given], *args[1:], **kwargs)
        return result
