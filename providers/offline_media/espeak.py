"""Reads text aloud with espeak-ng: a small program of its own, run by `voice`, not imported.

espeak-ng keeps state from one sentence to the next, so the second utterance of a process differs from the first; it is
not thread-safe; and it is C code fed with strangers' text. A fresh process for each utterance answers all three, and
with nothing but the standard library it starts in a few hundredths of a second.

    python offline_espeak.py LIBRARY DATA VOICE WORDS_PER_MINUTE PITCH SPREAD LOUDNESS  < text  > samples

Text is UTF-8; samples are 16 bit, mono, in the machine's byte order, preceded by four bytes with their rate in Hz, and
come as they are spoken. SPREAD is how much the pitch moves within a sentence, 0 to 100; LOUDNESS 100 is normal.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

SYNCHRONOUS = 2
DO_NOT_EXIT = 0x8000
CHARACTERS_UTF8 = 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4

Write = Callable[[bytes], object]
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(library_path: str, data_path: str, voice: str, settings: dict[int, int], text: bytes, write: Write) -> None:
    """Write the sample rate in Hz, then the samples. Raises RuntimeError when espeak-ng does not start or know the
    voice."""
    library = ctypes.CDLL(library_path)
    os.chdir(data_path)  # espeak-ng cuts paths of more than 160 characters, and a relative one is short
    hertz = library.espeak_Initialize(SYNCHRONOUS, 0, b".", DO_NOT_EXIT)
    if hertz <= 0:
        raise RuntimeError("espeak-ng did not start")

    def pass_on(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            write(ctypes.string_at(samples, count * 2))
        return 0

    callback = Callback(pass_on)  # kept in a name: the library calls it long after this line
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice}")
    for parameter, value in settings.items():
        library.espeak_SetParameter(parameter, value, 0)
    write(hertz.to_bytes(4, "big"))
    library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, CHARACTERS_UTF8, None, None)


def main() -> None:
    """Serve one utterance, standard input to standard output."""
    library_path, data_path, voice, *numbers = sys.argv[1:]
    settings = dict(zip((RATE, PITCH, RANGE, VOLUME), map(int, numbers), strict=True))
    speak(library_path, data_path, voice, settings, sys.stdin.buffer.read(), sys.stdout.buffer.write)


if __name__ == "__main__":
    main()
