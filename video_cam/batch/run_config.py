"""Settings of a run over clips: network, options, output folder, engine.

Each default value is written once, here or in video_cam/config.py. PyTorch is not imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from video_cam.config import ExplainConfig, InputConfig, LimitsConfig, RenderConfig
from video_cam.text_config import TextConfig
from video_cam.truth.checking import TruthCheck
from video_cam.utils.names import check_names, check_positive

ENGINES = ("local", "ray")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class ModelConfig:
    """Which network, and on which device.

    Attributes:
        name: as ``--model`` takes it; None for the default network.
        weights: name of a pretrained entry, a file, or "none" for random weights; None for the
            network's own pretrained ones.
        labels: path of a file with the class names.
        trust_checkpoint: allow files that can run code when they are loaded.
        allow_partial: load of the weights what fits.
        device: such as "cpu" or "cuda:1"; None for the CPU, or CUDA with ``use_cuda``.
        use_cuda: run on CUDA where it is available.
        text: the texts that clips are compared with; None for the network's own classes.
        input: the network's input where the caller knows better.
    """

    name: str | None = None
    weights: str | None = None
    labels: str | None = None
    trust_checkpoint: bool = False
    allow_partial: bool = False
    device: str | None = None
    use_cuda: bool = False
    text: TextConfig | None = None
    input: InputConfig = field(default_factory=InputConfig)

    @property
    def text_options(self) -> dict[str, Any]:
        """The arguments of ``load_model`` for the texts; empty without texts."""
        return {} if self.text is None else vars(self.text)


@dataclass(frozen=True)
class RayConfig:
    """How clips are distributed over a Ray cluster.

    Attributes:
        address: of the cluster: auto, HOST:6379 or ray://HOST:10001; None starts Ray on this
            machine only.
        actor_cpus: CPU cores that an actor reserves where it has no GPU.
        spread: process one clip at a time, its windows on all actors.
        actors: the least and the largest number of actors with the network; None for as many as
            the cluster has room for.
        cpu_actors: the same for the actors that read clips for those on GPUs, and for those that
            draw them. Without Ray, the largest number is that of processes that do both.
    """

    address: str | None = None
    actor_cpus: int = 4
    spread: bool = False
    actors: tuple[int, int] | None = None
    cpu_actors: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_positive(self, ("actor_cpus",))


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run over clips needs to know; sent to worker processes and Ray actors.

    Attributes:
        model: which network.
        explain: what of a clip is explained.
        render: how results are drawn.
        limits: how much a file may ask for.
        output_dir: a folder, or an address that fsspec knows.
        overwrite: compute finished results again.
        time_limit: seconds for one clip; None for no limit as long as it makes progress.
        engine: of ENGINES.
        ray: settings of the "ray" engine.
        log_level: the lowest level of the log in every process, of LOG_LEVELS.
        num_clips: how many clips the run has, for messages.
        truth: what of the ground truth is compared with the network's labels; None without any.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    explain: ExplainConfig = field(default_factory=lambda: ExplainConfig(own_methods=True))
    render: RenderConfig = field(default_factory=RenderConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    output_dir: str = "outputs"
    overwrite: bool = False
    time_limit: float | None = None
    engine: str = "local"
    ray: RayConfig = field(default_factory=RayConfig)
    log_level: str = "warning"
    num_clips: int = 1
    truth: TruthCheck | None = None

    def __post_init__(self) -> None:
        check_names("engine", [self.engine], ENGINES)
        check_names("log level", [self.log_level], LOG_LEVELS)
        check_positive(self, ("time_limit",))
