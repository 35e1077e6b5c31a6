# Runs the command in a container. For a GPU, build on an image that has CUDA:
#
#   docker build -t video_cam .
#   docker build -t video_cam --build-arg BASE=pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime .
#
#   docker run --rm -v "$PWD:/data" video_cam --clip /data/v.mp4 --output-dir /data/outputs
#   docker run --rm --gpus all -v "$PWD:/data" video_cam --clip /data/v.mp4 --use-cuda ...
ARG BASE=python:3.12-slim
FROM ${BASE}

# OpenCV's wheel needs these two libraries.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.txt requirements-ray.txt ./
# EXTRA=requirements-ray.txt adds Ray, PACKAGES="onnxruntime timm" adds optional packages. The index
# has CPU wheels, which keep the image small.
ARG EXTRA=requirements.txt
ARG PACKAGES=""
ARG INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --extra-index-url "${INDEX}" -r requirements.txt -r "${EXTRA}" ${PACKAGES}
COPY . .

# The command does not run as root. Downloaded weights are kept in /data/.cache.
RUN useradd --create-home --uid 1000 viewer && mkdir -p /data && chown viewer /data
USER viewer
ENV TORCH_HOME=/data/.cache/torch
RUN python -m video_cam.doctor
WORKDIR /data
ENTRYPOINT ["python", "/app/run_video_cam.py"]
