"""Writes down what is said: by a sound's own record where it has one, else by a small recogniser of English.

The recogniser is pocketsphinx, whose model comes in its wheel. It is twenty years behind the vendors, and says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest, JobFailed, NotOffered
from ..transcripts import segments_of
from ..types import Media, Transcript, Word
from .languages import guessed_language
from .opening import Samples, samples_of
from .records import record_of_sound

OWN_RECORD = "the file's own record"
RECOGNISED = "recognised by pocketsphinx, a small offline recogniser"
HERTZ = 16_000
FRAME = 160
"""Samples in a hundredth of a second, in which the recogniser counts."""
QUIET = 0.06
"""Below this share of the loudest moment it is silent."""
SILENCE = 200
"""A sound whose loudest sample is below this holds no voice."""
PROGRAM = Path(__file__).with_name("recogniser.py")
TIMEOUT_S, SLOWEST = 30.0, 4.0
"""How long it may take: so long, and so many times the length of the sound."""


def transcribe(media: Media, most_s: float, language: str | None = None) -> Transcript:
    """What is said in a sound or a clip, with the time of each word. Blocking.

    `language` is the one that is spoken, where it is known. Raises InvalidRequest when the file cannot be read, has no
    sound, or is longer than `most_s`, and NotOffered for another language than English where there is no record.
    """
    own = None if media.media_type.startswith("video/") else record_of_sound(media)  # a clip's record tells no words
    most_s = most_s * 4 if own else most_s  # what need not be recognised may be as long as the longest narration
    samples, more = samples_of(media, HERTZ, most_s)
    if not len(samples):
        raise InvalidRequest("There is no sound in this file.")
    if more:
        said = f"The offline stand-in transcribes at most {most_s:g} s of sound; give it a shorter piece."
        raise InvalidRequest(said)
    if own is None and language is not None and language.split("-")[0] != "en":
        raise NotOffered(f"The offline recogniser knows English only, not {language!r}.")
    words = spread(own, samples) if own else recognised(samples)
    return Transcript(
        text=own or " ".join(word.text for word in words),
        language=language or (guessed_language(own) if own else "en"),
        duration_s=round(len(samples) / HERTZ, 3),
        segments=segments_of(words),
        words=words,
        source=OWN_RECORD if own else RECOGNISED,
    )


def spread(text: str, samples: Samples) -> tuple[Word, ...]:
    """The words of a text over the moments that are not silent, each as long as it has letters."""
    voiced = np.flatnonzero(loudness(samples) > QUIET)
    if not len(voiced):
        return ()
    words = text.split()
    weights = np.array([len(word) + 2.0 for word in words])
    edges = np.concatenate(([0.0], np.cumsum(weights) / weights.sum())) * (len(voiced) - 1)
    times = voiced[edges.round().astype(int)] / 100
    return tuple(
        Word(text=word, start_s=round(float(start), 2), end_s=round(float(max(end, start)), 2))
        for word, start, end in zip(words, times[:-1], times[1:], strict=True)
    )


def recognised(samples: Samples) -> tuple[Word, ...]:
    """The English words the recogniser hears: the same for the same samples. Blocking, for about half their length.

    Raises JobFailed.
    """
    if not len(samples) or int(np.abs(samples.astype(int)).max()) < SILENCE:
        return ()  # in silence it hears words too
    command = [sys.executable, "-I", str(PROGRAM), str(HERTZ)]
    most_s = TIMEOUT_S + SLOWEST * len(samples) / HERTZ
    try:
        done = subprocess.run(command, input=samples.tobytes(), capture_output=True, timeout=most_s, check=True)  # noqa: S603
        heard = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise JobFailed(f"The offline recogniser did not listen ({type(error).__name__}).") from error
    spoken = [(word.partition("(")[0], start, end) for word, start, end in heard if word[0] not in "<["]
    return tuple(Word(text=word, start_s=start / 100, end_s=(end + 1) / 100) for word, start, end in spoken if word)


def loudness(samples: Samples) -> NDArray[np.float64]:
    """How loud each hundredth of a second is, 1.0 being the loudest."""
    whole = samples[: len(samples) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    level = np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.zeros(0)
    return level / max(float(level.max(initial=0.0)), 1.0)
