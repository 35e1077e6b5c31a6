"""The class names of the methods in other tools."""

PYTORCH_GRAD_CAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "xgradcam": "XGradCAM",
    "hirescam": "HiResCAM",
    "gradcam-elementwise": "GradCAMElementWise",
    "layercam": "LayerCAM",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
    "ablationcam": "AblationCAM",
    "scorecam": "ScoreCAM",
    "fullgrad": "FullGrad",
    "finercam": "FinerCAM",
    "shapleycam": "ShapleyCAM",
    "fem": "FEM",
}
TORCHCAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMpp",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "smoothgradcam++": "SmoothGradCAMpp",
    "scorecam": "ScoreCAM",
}
CAPTUM = {"gradcam": "LayerGradCam"}
# Left out of the benchmark. In pytorch-grad-cam, ablationcam, scorecam and fullgrad fail on clips
# (5 axes) and finercam takes other targets; in torchcam, scorecam takes minutes per clip and
# smoothgradcam++ is random.
NOT_ON_CLIPS = ("ablationcam", "scorecam", "fullgrad", "finercam", "smoothgradcam++")
