"""The form and its events, made with gradio."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from video_cam.app.controls import Controls, add_controls
from video_cam.app.engine import Engine, Task
from video_cam.app.form import lines_of, run_config_of
from video_cam.app.networks import may_read_texts, network_facts
from video_cam.app.settings import AppConfig
from video_cam.app.view import line_html, result_html, status_html, task_html
from video_cam.errors import UsageError, VideoCamError, first_line
from video_cam.models.example_clips import write_example
from video_cam.utils.files import make_folder

_SECONDS_BETWEEN_LOOKS = 0.2
_MAX_WAITING = 50  # explanations of all people who use the app
_NO_CLIP = status_html("Choose a clip, and press Explain.", kind="done")
_READY = status_html("The clip is here: press Explain.", kind="done")
_DRAWN = "drawn"  # in the folder of uploads
# Events are of the page alone: no other program calls them, and the page shows what they do.
_EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def mount_interface(app: FastAPI, config: AppConfig, engine: Engine) -> None:
    """Serve the form at / of an application."""
    handlers = _Handlers(config, engine)
    with gr.Blocks(title="video_cam", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML("<h1>video_cam</h1><p>What a video network looked at, frame by frame.</p>")
        with gr.Row():
            with gr.Column(scale=1, min_width=320):
                controls = add_controls(config.run)
                status = gr.HTML(_NO_CLIP)
                with gr.Row():
                    explain = gr.Button("Explain", variant="primary", min_width=120)
                    cancel = gr.Button("Cancel", interactive=False, min_width=120)
            with gr.Column(scale=3, min_width=320):
                result = gr.HTML(line_html("The result is shown here."))
        _connect(blocks, handlers, controls, (status, result, explain, cancel))
    blocks.queue(max_size=_MAX_WAITING, api_open=False)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=config.host,
        footer_links=[],
        max_file_size=config.max_upload,
        ssr_mode=False,
        run_history=False,
        mcp_server=False,
        pwa=False,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=(files("video_cam.app") / "static" / "app.css").read_text(encoding="utf-8"),
    )
    # Only of an app that has been launched, gradio checks that a file that a request names was
    # uploaded: without this, any file of this machine could be explained.
    blocks.has_launched = True


def _connect(
    blocks: gr.Blocks, handlers: _Handlers, controls: Controls, outputs: tuple[Any, ...]
) -> None:
    """Say what happens when something is chosen or pressed."""
    status, _, explain, cancel = outputs
    network = [controls.network, controls.texts]
    of_network = [controls.texts, controls.classes, controls.layers, controls.network_facts]
    for listen in (blocks.load, controls.network.change, controls.texts.blur):
        listen(handlers.choose_network, network, of_network, **_EVENT)
    for action, button in controls.examples.items():
        button.click(
            lambda action=action: handlers.draw(action), None, [controls.clip, status], **_EVENT
        )
    controls.clip.upload(lambda: _READY, None, status, **_EVENT)
    values = [controls.clip, *network, *controls.fields.values()]
    names = tuple(controls.fields)

    def explained(
        request: gr.Request, clip: Any, network: str, texts: str, *form: Any
    ) -> Iterator[Any]:
        fields = dict(zip(names, form, strict=True))
        yield from handlers.explain(clip, (network, texts), fields, request)

    # Several people may wait: the engine explains one clip at a time.
    explain.click(explained, values, list(outputs), concurrency_limit=None, **_EVENT)
    cancel.click(handlers.cancel, None, None, queue=False, **_EVENT)
    blocks.unload(handlers.cancel)


class _Handlers:
    """What the page's events do."""

    def __init__(self, config: AppConfig, engine: Engine) -> None:
        self._config, self._engine = config, engine
        self._tasks: dict[str, Task] = {}  # of each open page, while it is explained

    def choose_network(self, network: str | None, texts: str) -> tuple[Any, ...]:
        """Texts, classes and layers to choose from, and a line about the network."""
        own, name = self._config.run.model, network or ""
        shows_texts = gr.update(visible=own.text is not None or may_read_texts(name))
        try:
            facts = network_facts(name, own, lines_of(texts))
        except VideoCamError as error:
            none = gr.update(choices=[], value=[])
            return shows_texts, none, none, line_html(str(error), kind="error")
        classes = [
            (f"{label} ({number})", str(number)) for number, label in enumerate(facts.classes)
        ]
        return (
            shows_texts,
            gr.update(choices=classes, value=[]),
            gr.update(choices=list(facts.layers), value=[]),
            line_html(facts.sentence),
        )

    def draw(self, action: str) -> tuple[Any, Any]:
        """A drawn clip in the place of an upload."""
        folder = self._config.uploads / _DRAWN
        path = folder / f"{action.replace(' ', '_')}.mp4"
        try:
            make_folder(folder)
            write_example(path, action)
        except OSError as error:
            return gr.skip(), status_html(f"the clip cannot be drawn: {error}", kind="error")
        return str(path), _READY

    def explain(
        self,
        clip: str | None,
        network: tuple[str, str],
        form: dict[str, Any],
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Explain a clip; the status, the result and whether the buttons can be pressed.

        Args:
            network: its name, and texts on lines.
        """
        session = str(request.session_hash)
        try:
            task = self._engine.submit(
                self._uploaded(clip), run_config_of(*network, form, self._config.run)
            )
            self._tasks[session] = task
            while not task.future.done():
                yield task_html(self._engine, task), gr.skip(), *_buttons(busy=True)
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            result = task.future.result()
        except VideoCamError as error:
            yield status_html(str(error), kind="error"), gr.skip(), *_buttons(busy=False)
        except Exception as error:  # whatever is broken is one line for whoever looks at the page
            line = f"{type(error).__name__}: {first_line(error)}"
            yield status_html(line, kind="error"), gr.skip(), *_buttons(busy=False)
        else:
            done = status_html("Done.", kind="done")
            yield done, result_html(self._config.results, result), *_buttons(busy=False)
        finally:
            self._tasks.pop(session, None)

    def cancel(self, request: gr.Request) -> None:
        """Give up what this page has asked for; also when the page is closed."""
        task = self._tasks.get(str(request.session_hash))
        if task is not None:
            self._engine.cancel(task)

    def _uploaded(self, clip: str | None) -> Path:
        """The path of the upload.

        Raises:
            UsageError: where nothing was uploaded, or the path is that of another file.
        """
        if clip is None:
            raise UsageError("no clip was chosen: drop a file, or choose a drawn clip")
        path = Path(clip).resolve()
        if not path.is_relative_to(self._config.uploads.resolve()) or not path.is_file():
            raise UsageError(f"{Path(clip).name!r} is no longer here: choose the clip again")
        return path


def _buttons(*, busy: bool) -> tuple[Any, Any]:
    """Explain and Cancel: one of them can be pressed."""
    return gr.update(interactive=not busy), gr.update(interactive=busy)
