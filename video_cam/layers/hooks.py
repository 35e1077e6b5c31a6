"""Record what named layers put out, in a graph that starts at the first of them.

The parameters are frozen and the first captured output becomes a leaf, so nothing in front of it
is stored for the backward pass, and a backward pass ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.utils.names import nearest

Result = TypeVar("Result")


class Captured:
    """The outputs of the captured layers in the last forward pass, by layer name."""

    def __init__(self, layers: Sequence[str]) -> None:
        self.layers = tuple(layers)
        self.activations: dict[str, Tensor] = {}

    def clear(self) -> None:
        """Forget the last forward pass. Call it before the next one."""
        self.activations.clear()

    def gradients(self, score: Tensor, *, retain_graph: bool = False) -> dict[str, Tensor]:
        """d score / d output, for every captured layer; ``.grad`` of no tensor is touched.

        ``score`` is a scalar. Raises UsageError for a layer that the score does not depend on.
        """
        names = list(self.activations)
        outputs = [self.activations[name] for name in names]
        if not score.requires_grad:
            raise _no_path(names)
        grads = torch.autograd.grad(score, outputs, retain_graph=retain_graph, allow_unused=True)
        missing = [name for name, grad in zip(names, grads, strict=True) if grad is None]
        if missing:
            raise _no_path(missing)
        return dict(zip(names, grads, strict=True))


@contextmanager
def capture(model: nn.Module, layers: Sequence[str]) -> Iterator[Captured]:
    """Capture the outputs of ``layers`` (module names) in forward passes made inside the block.

    Inside, the model is in evaluation mode with frozen parameters and gradients are enabled;
    afterwards training flags, ``requires_grad`` and hooks are as they were, whatever happened.
    A layer that returns a tuple or a list is represented by the first tensor in it.

    Raises UsageError for an unknown name, and for a layer that runs twice in one forward pass.
    """
    captured = Captured(layers)
    modules = {name: find_module(model, name) for name in layers}
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(forward_hooks(modules, partial(_record, captured.activations)))
        yield captured


OutputHook = Callable[[str, nn.Module, Any], Any]


@contextmanager
def forward_hooks(modules: Mapping[str, nn.Module], hook: OutputHook) -> Iterator[None]:
    """Call ``hook(name, module, output)`` after every forward of these modules, inside the block.

    What the hook returns replaces the output, unless it is None.
    """

    def bound(name: str) -> Callable[..., Any]:
        return lambda module, _arguments, output: hook(name, module, output)

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(bound(name)).remove)
        yield


def retried_with_copies(run: Callable[[], Result]) -> Result:
    """``run()``; once more for networks that change in place what autograd had saved.

    Autograd refuses such networks. For those alone the pass is made again, with copies of what is
    changed.
    """
    try:
        return run()
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):  # autograd's words
            raise
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        return run()


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


@contextmanager
def _uncompiled(model: nn.Module) -> Iterator[None]:
    """Compiled modules run as they were written: compiled ones call no hooks of their parts."""
    compiled = any(
        getattr(module, "_compiled_call_impl", None) or getattr(module, "_orig_mod", None)
        for module in model.modules()
    )
    if not compiled or not hasattr(torch.compiler, "set_stance"):  # before PyTorch 2.6
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def frozen_evaluation(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and frozen parameters inside the block; every flag as it was afterwards.

    Nothing that was compiled runs so.
    """
    # PyTorch's transformer layers have a fused path that runs none of their sub-modules.
    fused = torch.backends.mha.get_fastpath_enabled()
    training = [(module, module.training) for module in model.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        model.eval()
        for parameter, _ in trainable:
            parameter.requires_grad_(False)
        with recurrent_layers_differentiable(model), _uncompiled(model):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, flag in training:
            module.training = flag
        for parameter, flag in trainable:
            parameter.requires_grad_(flag)


def on_meta(model: nn.Module) -> dict[str, Tensor]:
    """Shapes of all parameters and buffers, to be put in their place by functional_call.

    A module that goes by two names is in it once, and ``tie_weights`` has to be off: with both
    names functional_call saves the replacement as the original, and puts that back.
    """
    return {
        f"{prefix}.{name}".lstrip("."): tensor.detach().to("meta")
        for prefix, module in model.named_modules()
        for name, tensor in chain(
            module.named_parameters(recurse=False, remove_duplicate=False),
            module.named_buffers(recurse=False, remove_duplicate=False),
        )
    }


@contextmanager
def recurrent_layers_differentiable(model: nn.Module) -> Iterator[None]:
    """RNN, LSTM and GRU layers run without cuDNN inside the block, and nothing else does.

    cuDNN's recurrent layers refuse a backward pass in evaluation mode; PyTorch's own do not.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.RNNBase) and _on_cuda(module):
                entered = ExitStack()
                before = module.register_forward_pre_hook(_without_cudnn(entered))
                after = module.register_forward_hook(_as_before(entered), always_call=True)
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield


def _on_cuda(module: nn.Module) -> bool:
    return any(parameter.is_cuda for parameter in module.parameters())


def _without_cudnn(entered: ExitStack) -> Callable[..., None]:
    def enter(_module: nn.Module, _arguments: Any) -> None:
        entered.enter_context(torch.backends.cudnn.flags(enabled=False))

    return enter


def _as_before(entered: ExitStack) -> Callable[..., None]:
    def leave(_module: nn.Module, _arguments: Any, _output: Any) -> None:
        entered.close()

    return leave


def find_module(model: nn.Module, name: str) -> nn.Module:
    """The sub-module called ``name``; a wrong name answers with the nearest right ones."""
    modules = dict(model.named_modules())
    if name in modules:
        return modules[name]
    raise UsageError(f"unknown layer {name!r}: {nearest(name, [n for n in modules if n])}")


def _record(activations: dict[str, Tensor], name: str, _module: nn.Module, output: Any) -> Any:
    if name in activations:
        raise UsageError(
            f"layer {name!r} runs more than once in a forward pass, so its map is not defined: "
            "choose a layer that runs once, such as the block around it"
        )
    tensor = first_tensor(output)
    if tensor is None or not tensor.is_floating_point():
        raise UsageError(f"layer {name!r} puts out no floating-point tensor: choose another")
    if not tensor.requires_grad:
        tensor = tensor.detach().requires_grad_()
    activations[name] = tensor
    # A clone goes on: the next operation may be in place and must not rewrite the record.
    return _replace_first_tensor(output, tensor.clone())


def first_tensor(output: Any) -> Tensor | None:
    """A layer's output if it is a tensor, or the first tensor of a tuple or list; else None."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)):
        return next((item for item in output if isinstance(item, Tensor)), None)
    return None


def _replace_first_tensor(output: Any, tensor: Tensor) -> Any:
    if isinstance(output, Tensor):
        return tensor
    position = next(i for i, item in enumerate(output) if isinstance(item, Tensor))
    items = [*output[:position], tensor, *output[position + 1 :]]
    if hasattr(output, "_fields"):  # a named tuple takes its fields one by one
        return type(output)(*items)
    return type(output)(items)


def _no_path(layers: list[str]) -> UsageError:
    names = ", ".join(repr(layer) for layer in layers)
    return UsageError(
        f"the score does not depend on layer {names}: choose a layer between input and score"
    )
