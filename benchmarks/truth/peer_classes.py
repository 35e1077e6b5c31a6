"""What other tools call the methods: the names of their classes."""

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
# Not asked for on clips: pytorch-grad-cam's fail on five axes, its finercam is called in a way of
# its own, torchcam's scorecam takes minutes a clip and its smoothgradcam++ is random.
NOT_ON_CLIPS = ("ablationcam", "scorecam", "fullgrad", "finercam", "smoothgradcam++")
