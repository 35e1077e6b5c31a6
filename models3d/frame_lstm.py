"""A 2D network per frame, then an LSTM: an example of a recurrent video classifier."""

from __future__ import annotations

from torch import Tensor, nn


class FrameLSTM(nn.Module):
    """Normalised float clips (N, 3, T, H, W) of any size -> logits (N, num_classes).

    A small 2D network computes features of each frame; an LSTM reads them in order, and its last
    state is classified. There are no trained weights.
    """

    def __init__(self, num_classes: int = 8, features: int = 64, hidden: int = 64) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            *_block(3, 16),
            *_block(16, 32),
            *_block(32, features),
        )
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float clips (N, 3, T, H, W) -> logits (N, num_classes)."""
        frames = x.transpose(1, 2).flatten(0, 1)  # (N x T, 3, H, W)
        features = self.cnn(frames).mean((2, 3))  # (N x T, features)
        states, _ = self.lstm(features.unflatten(0, (len(x), x.shape[2])))  # (N, T, hidden)
        return self.fc(states[:, -1])


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def frame_lstm(num_classes: int = 8) -> FrameLSTM:
    """The network with random weights."""
    return FrameLSTM(num_classes)
