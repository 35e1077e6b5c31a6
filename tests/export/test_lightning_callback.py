"""The callback of Lightning: training goes on as without it, and loggers get the results."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.media import write_clip

pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")


class Network(pl.LightningModule):
    """Batch normalisation and dropout show whether modes, buffers and random states are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(3, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.Dropout(0.5)
        )
        self.head = nn.Linear(4, 3)
        self.layers[1].eval()  # frozen on purpose

    def forward(self, x):
        noise = torch.randn(3, 1, 1, 1)  # in evaluation mode, too
        return self.head(self.layers(x + 0.01 * noise).mean((2, 3, 4)))

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index) -> None:
        self.log("loss", self.training_step(batch, index))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1, momentum=0.9)


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_clip(tmp_path / "clip.mp4", 8)


def trained(folder: Path, *callbacks, loggers=False, validate=True, epochs=2) -> Network:
    torch.manual_seed(0)
    network = Network()
    clips = torch.rand(4, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    data = torch.utils.data.TensorDataset(clips, torch.tensor([0, 1, 2, 0]))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    quiet = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=loggers,
        callbacks=list(callbacks),
        accelerator="cpu",
        default_root_dir=folder,
        **dict.fromkeys(quiet, False),
    )
    trainer.fit(network, loader, loader if validate else None)
    return network


def callback_for(clip: Path, **options):
    from video_cam.export import ExplainCallback

    return ExplainCallback(
        clip,
        input_options={"num_frames": 4, "size": (16, 16), "frame_rate": 25},
        labels=["a", "b", "c"],
        layers=["layers.0"],
        detail="none",
        align="receptive-field",
        **options,
    )


def test_training_goes_on_as_without_it(clip, tmp_path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    alone = trained(tmp_path)
    logger = CSVLogger(tmp_path, name="csv")
    network = trained(tmp_path, callback_for(clip), loggers=[logger])
    for expected, found in zip(
        alone.state_dict().values(), network.state_dict().values(), strict=True
    ):
        assert torch.equal(expected, found)
    modes = [module.training for module in network.modules()]
    assert modes == [module.training for module in alone.modules()]
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    [name] = [name for name in rows[0] if name.startswith("video_cam/clip/score/")]
    scores = [float(row[name]) for row in rows if row[name]]
    assert len(scores) == 2 and all(0 < score < 1 for score in scores)


def test_gradients_are_kept_also_where_it_fails(clip, tmp_path) -> None:
    network = Network()
    network.head.weight.grad = torch.ones(3, 4)
    callback, wrong = callback_for(clip), callback_for(tmp_path / "missing.mp4")
    state = torch.get_rng_state()
    modes = [module.training for module in network.modules()]
    list(callback.explain(network))
    with pytest.raises(Exception, match=r"missing\.mp4"):
        list(wrong.explain(network))
    assert torch.equal(network.head.weight.grad, torch.ones(3, 4))
    assert network.head.bias.grad is None
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in network.modules()] == modes


def test_it_runs_every_n_epochs_and_without_validation(clip, tmp_path) -> None:
    steps: list[int] = []

    class Recorder(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None) -> None:
            if any(name.startswith("video_cam/") for name in metrics):
                steps.append(step)

    callback = callback_for(clip, every_n_epochs=2)
    trained(tmp_path, callback, loggers=[Recorder(tmp_path)], validate=False, epochs=4)
    assert steps == [4, 8]


def test_tensorboard_gets_strips(clip, tmp_path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = pl.loggers.TensorBoardLogger(tmp_path)
    trained(tmp_path, callback_for(clip), loggers=[logger], epochs=1)
    tags = EventAccumulator(logger.log_dir).Reload().Tags()
    assert tags["images"] == ["video_cam/clip/maps"]
