"""Networks whose input is no clip: the tool has to say so in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from benchmarks.networks.network import Network, imported


def ms_tcn() -> nn.Module:
    """MS-TCN: features (N, 2048, T) and a mask in, scores of frames out."""
    # The trainer below the network's classes is in Python 2.
    source = Path("model.py").read_text(encoding="utf-8").partition("class Trainer")[0]
    names: dict[str, Any] = {"__name__": "ms_tcn"}
    exec(source, names)
    return names["MultiStageModel"](4, 10, 64, 2048, 48)


def st_gcn() -> nn.Module:
    """ST-GCN: skeletons (N, 3, T, joints, persons) in."""
    return imported("net.st_gcn:Model")(
        3, 400, {"layout": "openpose", "strategy": "spatial"}, edge_importance_weighting=True
    )


NETWORKS = (
    Network("MS-TCN", "ms-tcn", ms_tcn),
    Network("ST-GCN", "st-gcn", st_gcn),
)
