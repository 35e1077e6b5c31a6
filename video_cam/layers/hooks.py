"""Context managers that capture layer outputs, and leave the network exactly as it was.

In a captured pass the parameters are frozen and the first captured output becomes a leaf of the
graph. So nothing before it is stored for the backward pass, and the backward pass ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.differentiable import (
    no_gradient,
    reentrant_checkpoints_refused,
    refuse_quantised,
)
from video_cam.layers.network_state import left_as_found
from video_cam.utils.names import nearest
from video_cam.utils.nested import map_tensors, tensors_in

Result = TypeVar("Result")


class Captured:
    """The outputs of the captured layers in the last forward pass.

    Attributes:
        layers: names of the captured layers.
        also: names of further ones, which a forward pass need not run and a score not depend on.
        activations: layer -> output, part of the graph; of a tuple or list, the first tensor.
    """

    def __init__(self, model: nn.Module, layers: Sequence[str], also: Sequence[str] = ()) -> None:
        self._model, self.layers = model, tuple(layers)
        self.also = tuple(name for name in also if name not in self.layers)
        self.activations: dict[str, Tensor] = {}
        # Layers whose further outputs may be functions of the captured one.
        self._with_inner_graph: set[str] = set()
        self._may_repeat = False

    def clear(self) -> None:
        """Forget the last forward pass. Call it before the next one."""
        self.activations.clear()

    def complete(self, run: Callable[[], Result]) -> Result:
        """``run()``, a forward pass in which gradients reach a layer's output on every path.

        The pass is repeated where a layer returns (y, f(y)): then the graph has to begin in front
        of the layer, so that it holds f.
        """
        self._may_repeat = True
        try:
            while True:
                self.clear()
                try:
                    return run()
                except _BeginsTooLate as late:
                    self._with_inner_graph.add(late.layer)
        finally:
            self._may_repeat = False

    def before(self, name: str, inputs: Any) -> Any:
        """The inputs of a layer, as a forward pre-hook: part of the graph where it needs them."""
        return map_tensors(_part_of_graph, inputs) if name in self._with_inner_graph else inputs

    def after(self, name: str, output: Any) -> Any:
        """Keep a layer's output, as a forward hook, and let the network go on with a copy."""
        # A checkpointed part of a network runs again in the backward pass, for the same values.
        runs_again = in_backward_pass()
        if name in self.activations and not runs_again:
            raise UsageError(
                f"layer {name!r} runs more than once in a forward pass, so its map is not defined: "
                "choose a layer that runs once, such as the block around it"
            )
        tensor = first_tensor(output)
        if tensor is None or not tensor.is_floating_point():
            raise UsageError(f"layer {name!r} returns no floating-point tensor: choose another")
        if not tensor.requires_grad:
            is_new = self._may_repeat and name not in self._with_inner_graph
            if is_new and any(_is_function(one, tensor) for one in tensors_in(output)):
                raise _BeginsTooLate(name)
            tensor = tensor.detach().requires_grad_()
        if not runs_again:
            self.activations[name] = tensor
        # A clone, because the next operation may be in place and must not change what is captured.
        return replace_first_tensor(output, tensor.clone())

    def gradients(self, score: Tensor, *, retain_graph: bool = False) -> dict[str, Tensor]:
        """Gradients of a score with respect to the captured outputs; no ``.grad`` is changed.

        Args:
            score: a scalar computed from the last forward pass.
            retain_graph: keep the graph for further backward passes.

        Returns:
            Layer -> gradient in the shape of the layer's output; of ``also`` those that there are.

        Raises:
            UsageError: for a layer that the score does not depend on, and for quantised networks.
        """
        refuse_quantised(self._model)
        names = list(self.activations)
        outputs = [self.activations[name] for name in names]
        if not score.requires_grad:
            raise no_gradient(f"layer {', '.join(map(repr, names))}")
        with reentrant_checkpoints_refused():
            grads = torch.autograd.grad(
                score, outputs, retain_graph=retain_graph, allow_unused=True
            )
        found = dict(zip(names, grads, strict=True))
        missing = [name for name in names if found[name] is None and name not in self.also]
        if missing:
            raise _no_path(missing)
        return {name: grad for name, grad in found.items() if grad is not None}


@contextmanager
def capture(
    model: nn.Module, layers: Sequence[str], also: Sequence[str] = ()
) -> Iterator[Captured]:
    """Capture the outputs of ``layers`` (module names) in forward passes made inside the block.

    Those of ``also`` are captured where there are any.

    Inside, the model is in evaluation mode with frozen parameters, and gradients are enabled.
    Afterwards training flags, ``requires_grad`` and hooks are as they were, also after an error.

    Raises:
        UsageError: for an unknown name, for a layer that runs twice in one forward pass, and for
            one whose output has no floating-point tensor.
    """
    captured = Captured(model, layers, also)
    modules = {name: find_module(model, name) for name in (*captured.layers, *captured.also)}
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for name, module in modules.items():
            hook = module.register_forward_pre_hook(_before(captured, name), with_kwargs=True)
            stack.callback(hook.remove)
        stack.enter_context(forward_hooks(modules, lambda name, _, out: captured.after(name, out)))
        yield captured


class _BeginsTooLate(Exception):
    """The graph of a pass has to begin in front of this layer, not at its output."""

    def __init__(self, layer: str) -> None:
        super().__init__(layer)
        self.layer = layer


def _before(captured: Captured, name: str) -> Callable[..., Any]:
    return lambda _module, *inputs: captured.before(name, inputs)


def _part_of_graph(tensor: Tensor) -> Tensor:
    """A clone, because the layer may begin with an in-place operation, which a leaf refuses."""
    if tensor.requires_grad or not tensor.is_floating_point():
        return tensor
    return tensor.detach().requires_grad_().clone()


def _is_function(one: Tensor, tensor: Tensor) -> bool:
    """Whether ``one`` may be computed from another output ``tensor``."""
    return one is not tensor and one.is_floating_point()


OutputHook = Callable[[str, nn.Module, Any], Any]


@contextmanager
def forward_hooks(modules: Mapping[str, nn.Module], hook: OutputHook) -> Iterator[None]:
    """Call ``hook(name, module, output)`` after every forward of these modules, inside the block.

    The hook's return value replaces the output, unless it is None. The hooks are removed at the end
    of the block, also after an error.
    """

    def with_name(name: str) -> Callable[..., Any]:
        return lambda module, _arguments, output: hook(name, module, output)

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(with_name(name)).remove)
        yield


def retried_with_copies(run: Callable[[], Result]) -> Result:
    """``run()``, repeated once where the network changes in place a tensor that autograd saved.

    Autograd refuses the backward pass of such networks. Only for them the pass is repeated, with
    copies of the tensors that are changed.
    """
    try:
        return run()
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):  # autograd's message
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
    """Run compiled modules uncompiled inside the block: compiled code calls no sub-module hooks."""
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
    """Evaluation mode and frozen parameters inside the block; all is restored afterwards.

    That is every flag, and what forward passes keep on the network (see ``network_state``).
    Compiled modules run uncompiled, and recurrent layers without cuDNN.
    """
    # PyTorch's transformer layers have a fused path that calls none of their sub-modules.
    fused = torch.backends.mha.get_fastpath_enabled()
    training = [(module, module.training) for module in model.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        model.eval()
        for parameter, _ in trainable:
            parameter.requires_grad_(False)
        with left_as_found(model), recurrent_layers_differentiable(model), _uncompiled(model):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, flag in training:
            module.training = flag
        for parameter, flag in trainable:
            parameter.requires_grad_(flag)


@contextmanager
def recurrent_layers_differentiable(model: nn.Module) -> Iterator[None]:
    """Run RNN, LSTM and GRU layers, and only them, without cuDNN inside the block.

    cuDNN's recurrent layers have no backward pass in evaluation mode; PyTorch's own have one.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.RNNBase) and _on_cuda(module):
                flags = ExitStack()
                before = module.register_forward_pre_hook(_disable_cudnn(flags))
                after = module.register_forward_hook(_restore_cudnn(flags), always_call=True)
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield


def _on_cuda(module: nn.Module) -> bool:
    return any(parameter.is_cuda for parameter in module.parameters())


def _disable_cudnn(flags: ExitStack) -> Callable[..., None]:
    def hook(_module: nn.Module, _arguments: Any) -> None:
        flags.enter_context(torch.backends.cudnn.flags(enabled=False))

    return hook


def _restore_cudnn(flags: ExitStack) -> Callable[..., None]:
    def hook(_module: nn.Module, _arguments: Any, _output: Any) -> None:
        flags.close()

    return hook


def find_module(model: nn.Module, name: str) -> nn.Module:
    """The sub-module called ``name``.

    Raises:
        UsageError: for an unknown name, with the most similar known ones.
    """
    modules = dict(model.named_modules())
    if name in modules:
        return modules[name]
    raise UsageError(f"unknown layer {name!r}: {nearest(name, [n for n in modules if n])}")


def in_backward_pass() -> bool:
    """Whether autograd is running, which for a forward pass means a checkpointed part."""
    return torch._C._current_graph_task_id() != -1


def first_tensor(output: Any) -> Tensor | None:
    """The output itself if it is a tensor, the first tensor of a tuple or list, else None."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)):
        return next((item for item in output if isinstance(item, Tensor)), None)
    return None


def replace_first_tensor(output: Any, tensor: Tensor) -> Any:
    """The output with another first tensor, in every place where the same one is."""
    if isinstance(output, Tensor):
        return tensor
    first = first_tensor(output)
    items = [tensor if item is first else item for item in output]
    if hasattr(output, "_fields"):  # a named tuple takes its fields as single arguments
        return type(output)(*items)
    return type(output)(items)


def _no_path(layers: list[str]) -> UsageError:
    names = ", ".join(repr(layer) for layer in layers)
    return UsageError(
        f"the score does not depend on layer {names}: choose a layer between input and score"
    )
