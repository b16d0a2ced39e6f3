"""Opens the clips and the sound that come in.

The container is told to the decoder by the first bytes, never guessed by it: FFmpeg's guess includes playlists, which
would make it read other files and addresses.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..media_types import HEAD_BYTES, container_of
from ..types import Media

Samples = NDArray[np.int16]


@contextmanager
def opened(media: Media) -> Iterator[Any]:
    """A clip or a sound as an open container. Blocking. Raises InvalidRequest when it cannot be read."""
    try:
        with io.BytesIO(media.data or b"") if media.path is None else media.path.open("rb") as source:
            container = container_of(source.read(HEAD_BYTES))
            if container is None:
                raise InvalidRequest(f"The offline stand-in cannot open a file of type {media.media_type}.")
            source.seek(0)
            with av.open(source, format=container[0]) as file:
                yield file
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InvalidRequest("The clip or sound cannot be read; it may be damaged.") from error


def samples_of(media: Media, hertz: int, most_s: float) -> tuple[Samples, bool]:
    """The sound of a file, mono, and whether it goes on after `most_s` seconds. Blocking. No sound: no samples.

    Raises InvalidRequest when the file cannot be read.
    """
    pieces: list[Samples] = []
    most, count = round(most_s * hertz), 0
    with opened(media) as container:
        if not container.streams.audio:
            return np.zeros(0, np.int16), False
        resampler = av.AudioResampler(format="s16", layout="mono", rate=hertz)
        for frame in container.decode(audio=0):
            frame.pts = None  # gaps in the timestamps of a damaged file are no silence
            for piece in resampler.resample(frame):
                pieces.append(piece.to_ndarray()[0].astype(np.int16))
                count += len(pieces[-1])
            if count > most:
                return np.concatenate(pieces)[:most], True
        pieces += [piece.to_ndarray()[0].astype(np.int16) for piece in resampler.resample(None)]
    return (np.concatenate(pieces) if pieces else np.zeros(0, np.int16)), False
