"""SummaryWriter: writes what TensorBoard shows, without needing TensorBoard."""

from __future__ import annotations

import io
import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from jitnet.tensor import Tensor

from .records import block, double, doubles, png, record, single, whole

_files = count()  # several writers of one process and second get files of their own


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.detach().float().numpy()  # type: ignore[no-any-return]
    return np.asarray(value, np.float64)


class SummaryWriter:
    """Writes scalars, histograms, images and texts to an event file in log_dir.

    log_dir: runs/DATE_HOST and the comment unless given. The file is written at once; max_queue
    and flush_secs are accepted and change nothing.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self.filename_suffix = filename_suffix
        self._others: dict[str, SummaryWriter] = {}
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        path = Path(self.log_dir, f"{name}.{next(_files)}{filename_suffix}")
        self._file = path.open("wb")
        self._event(block(3, "brain.Event:2"), purge_step, None)

    def get_logdir(self) -> str:
        """Return the folder."""
        return self.log_dir

    def _event(self, content: bytes, step: int | None, walltime: float | None) -> None:
        when = double(1, time.time() if walltime is None else walltime)
        number = whole(2, int(step)) if step else b""
        self._file.write(record(when + number + content))

    def _value(
        self, tag: str, value: bytes, step: int | None, walltime: float | None, plugin: str = ""
    ) -> None:
        about = block(9, block(1, block(1, plugin))) if plugin else b""
        self._event(block(5, block(1, block(1, tag) + about + value)), step, walltime)

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Write a number."""
        value = _array(scalar_value)
        if value.size != 1:
            raise ValueError(f"add_scalar wants one number, got shape {value.shape}")
        self._value(tag, single(2, value.item()), global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write numbers for one chart, each to a folder of its own."""
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self._others:
                self._others[folder] = SummaryWriter(folder, filename_suffix=self.filename_suffix)
            self._others[folder].add_scalar(main_tag, value, global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Write how values are distributed, in 64 bins of equal width unless bins are given."""
        data = _array(values).reshape(-1).astype(np.float64)
        if not data.size:
            raise ValueError("add_histogram wants values, got none")
        counts, edges = np.histogram(data, 64 if bins == "tensorflow" else bins)
        facts = (data.min(), data.max(), data.size, data.sum(), data.dot(data))
        message = b"".join(double(field, float(fact)) for field, fact in enumerate(facts, start=1))
        message += doubles(6, edges) + doubles(7, [0.0, *counts])
        self._value(tag, block(5, message), global_step, walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Write an image: floats from 0 to 1 or bytes, 1, 3 or 4 channels, dims as dataformats."""
        image = img_tensor.detach().numpy() if isinstance(img_tensor, Tensor) else img_tensor
        image = np.asarray(image)
        if image.ndim != len(dataformats):
            raise ValueError(f"dataformats {dataformats!r} want another shape than {image.shape}")
        if "C" not in dataformats:
            image, dataformats = image[..., None], f"{dataformats}C"
        image = image.transpose([dataformats.index(dim) for dim in "HWC"])
        if image.dtype != np.uint8:
            image = (np.clip(image, 0, 1) * 255).astype(np.uint8)
        height, width, channels = image.shape
        sizes = whole(1, height) + whole(2, width) + whole(3, channels)
        self._value(tag, block(4, sizes + block(4, png(image))), global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Write images [N, ...] as a grid of them, nearly square."""
        images = img_tensor.detach().numpy() if isinstance(img_tensor, Tensor) else img_tensor
        images = np.asarray(images).transpose([dataformats.index(dim) for dim in "NHWC"])
        number, height, width, channels = images.shape
        across = math.ceil(math.sqrt(number))
        down = math.ceil(number / across)
        padded = np.zeros((down * across, height, width, channels), images.dtype)
        padded[:number] = images
        grid = padded.reshape(down, across, height, width, channels).swapaxes(1, 2)
        grid = grid.reshape(down * height, across * width, channels)
        self.add_image(tag, grid, global_step, walltime, "HWC")

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Write a figure of matplotlib, or several as images of one tag."""
        for each in figure if isinstance(figure, Sequence) else [figure]:
            drawn = io.BytesIO()
            each.savefig(drawn, format="rgba")
            width, height = (int(size) for size in each.canvas.get_width_height())
            image = np.frombuffer(drawn.getvalue(), np.uint8).reshape(height, width, 4)
            self.add_image(tag, image, global_step, walltime, "HWC")
            if close:
                from matplotlib import pyplot

                pyplot.close(each)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write a text, which TensorBoard reads as Markdown."""
        string, one = 7, block(2, block(2, whole(1, 1)))  # the dtype, and the shape [1]
        tensor = block(8, whole(1, string) + one + block(8, text_string))
        self._value(f"{tag}/text_summary", tensor, global_step, walltime, "text")

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Write settings as a table in Markdown, and metrics as scalars."""
        rows = [f"| {name} | {value} |" for name, value in hparam_dict.items()]
        self.add_text("hparams", "\n".join(["| name | value |", "| --- | --- |", *rows]))
        for name, value in metric_dict.items():
            self.add_scalar(name, value, global_step)

    def add_graph(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise NotImplementedError("SummaryWriter draws no graphs; fn.dump('graph') prints them")

    def add_embedding(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise NotImplementedError("SummaryWriter writes no embeddings; save them with jitnet.save")

    def flush(self) -> None:
        """Hand all that was added to the disk."""
        for writer in (self, *self._others.values()):
            writer._file.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in (self, *self._others.values()):
            writer._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


__all__ = ["SummaryWriter"]
