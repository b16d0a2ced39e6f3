"""Sound as samples (16 bit, mono, little-endian) and the files it is kept in. Everything here is blocking."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

import av

from .errors import MalformedAnswer

MP3_BIT_RATE = 64_000
MP3_FRAME = 576
"""Samples in a frame of MP3 at the sample rates below 32 kHz."""
NOTHING: Mapping[str, str] = MappingProxyType({})


def wav(hertz: int, samples: bytes, channels: int = 1) -> bytes:
    """The samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes(samples)
    return out.getvalue()


def mp3(hertz: int, samples: bytes) -> bytes:
    """The samples, at less than 32 kHz, as an MP3 file: the same bytes for the same samples."""
    out = io.BytesIO()
    for _ in encode_mp3(out, hertz, (samples,)):
        pass
    return out.getvalue()


def encode_mp3(
    out: object, hertz: int, pieces: Iterable[bytes], *, comment: str = "", muxer: Mapping[str, str] = NOTHING
) -> Iterator[None]:
    """Encode samples into the file `out`, coming up for air after each piece."""
    resampler = av.AudioResampler(format="s16p", layout="mono", rate=hertz, frame_size=MP3_FRAME)
    with av.open(out, "w", format="mp3", options={"fflags": "bitexact", **muxer}) as container:
        if comment:
            container.metadata["comment"] = comment
        stream = container.add_stream("libmp3lame", rate=hertz, layout="mono", options={"compression_level": "7"})
        stream.bit_rate = MP3_BIT_RATE
        at = 0
        for samples in pieces:
            frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
            frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.rate, frame.pts, frame.time_base = hertz, at, Fraction(1, hertz)
            at += frame.samples
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
            yield
        for piece in resampler.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    yield


def samples_of(file: bytes, hertz: int) -> bytes:
    """What a sound file of any kind holds, as samples at this rate. Raises MalformedAnswer when it holds no sound."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=hertz)
    pieces = []
    try:
        with av.open(io.BytesIO(file), "r") as container:
            for frame in container.decode(container.streams.audio[0]):
                frame.pts = None
                pieces += resampler.resample(frame)
        pieces += resampler.resample(None)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise MalformedAnswer("The sound that came cannot be read.") from error
    return b"".join(bytes(piece.planes[0])[: 2 * piece.samples] for piece in pieces)
