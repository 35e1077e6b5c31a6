"""3-D convolutional networks; they take (N, 3, T, H, W)."""

from __future__ import annotations

from torch import nn

from benchmarks.networks.network import Network, imported


def hara_resnet18() -> nn.Module:
    """3-D ResNet-18 with shortcuts of type B."""
    return imported("models.resnet:generate_model")(18, n_classes=400)


def hara_r2plus1d18() -> nn.Module:
    """R(2+1)D-18."""
    return imported("models.resnet2p1d:generate_model")(18, n_classes=400)


def hara_densenet121() -> nn.Module:
    """3-D DenseNet-121."""
    densenet = imported("models.densenet:generate_model")
    return densenet(121, num_classes=400, conv1_t_size=7, conv1_t_stride=1, no_max_pool=False)


def i3d() -> nn.Module:
    """Inception I3D; it returns (N, 400, T')."""
    return imported("pytorch_i3d:InceptionI3d")(400)


def s3d() -> nn.Module:
    """S3D."""
    return imported("model:S3D")(400)


def davide_c3d() -> nn.Module:
    """C3D with the 487 classes of Sports-1M; it ends with a softmax."""
    return imported("C3D_model:C3D")()


def jfzhang_c3d() -> nn.Module:
    """C3D for UCF-101."""
    return imported("network.C3D_model:C3D")(101)


def jfzhang_r2plus1d() -> nn.Module:
    """R(2+1)D with the layers of R(2+1)D-18."""
    return imported("network.R2Plus1D_model:R2Plus1DClassifier")(101, (2, 2, 2, 2))


def p3d63() -> nn.Module:
    """Pseudo-3D ResNet-63."""
    return imported("p3d_model:P3D63")(num_classes=400)


def movinet_a0() -> nn.Module:
    """MoViNet-A0 that sees the whole clip."""
    movinet = imported("movinets:MoViNet")
    return movinet(imported("movinets.config:_C").MODEL.MoViNetA0, causal=False)


def movinet_a0_stream() -> nn.Module:
    """MoViNet-A0 for streams, which forgets before every clip what it has seen before."""
    movinet = imported("movinets:MoViNet")
    network = movinet(imported("movinets.config:_C").MODEL.MoViNetA0, causal=True)
    network.register_forward_pre_hook(lambda module, _clip: module.clean_activation_buffers())
    return network


_HARA, _JFZHANG, _MOVINET = "3D-ResNets-PyTorch", "pytorch-video-recognition", "MoViNet-pytorch"
NETWORKS = (
    Network("Hara ResNet-18", _HARA, hara_resnet18),
    Network("Hara R(2+1)D-18", _HARA, hara_r2plus1d18, in_float64=False),
    Network("Hara DenseNet-121", _HARA, hara_densenet121, in_float64=False),
    Network(
        "I3D",
        "pytorch-i3d",
        i3d,
        16,
        (224, 224),
        scores=lambda outputs: outputs.mean(2),
        in_float64=False,
    ),
    Network("S3D", "S3D", s3d, in_float64=False),
    Network("C3D (DavideA)", "c3d-pytorch", davide_c3d, in_float64=False),
    Network("C3D (jfzhang95)", _JFZHANG, jfzhang_c3d, in_float64=False),
    Network("R(2+1)D (jfzhang95)", _JFZHANG, jfzhang_r2plus1d, in_float64=False),
    Network("P3D-63", "pseudo-3d-pytorch", p3d63, 16, (160, 160)),
    Network("MoViNet-A0", _MOVINET, movinet_a0, 16, (172, 172)),
    Network("MoViNet-A0 stream", _MOVINET, movinet_a0_stream, 16, (172, 172), in_float64=False),
)
