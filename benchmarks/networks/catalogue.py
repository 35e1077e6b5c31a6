"""All networks, in the order of the table."""

from __future__ import annotations

from benchmarks.networks import (
    attention,
    convolutional,
    facebook,
    libraries,
    openmmlab,
    refused,
    shifting,
)
from benchmarks.networks.network import Network

NETWORKS: tuple[Network, ...] = (
    *convolutional.NETWORKS,
    *shifting.NETWORKS,
    *facebook.NETWORKS,
    *openmmlab.NETWORKS,
    *attention.NETWORKS,
    *libraries.NETWORKS,
    *refused.NETWORKS,
)


def find_network(name: str) -> Network:
    """The network of this name."""
    return next(network for network in NETWORKS if network.name == name)
