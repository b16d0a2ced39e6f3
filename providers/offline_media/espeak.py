"""Reads text aloud with espeak-ng: a small program of its own, run by `voice`, not imported.

espeak-ng keeps state from one sentence to the next, so the second utterance of a process differs from the first; it is
not thread-safe; and it is C code fed with strangers' text. A fresh process for each utterance answers all three, and
with nothing but the standard library it starts in a few hundredths of a second.

    python offline_espeak.py LIBRARY DATA VOICE WORDS_PER_MINUTE PITCH  < text  > samples

Text is UTF-8; samples are 16 bit, mono, in the machine's byte order, preceded by four bytes with their rate in Hz.
"""

from __future__ import annotations

import ctypes
import os
import sys

SYNCHRONOUS = 2
DO_NOT_EXIT = 0x8000
CHARACTERS_UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4
SPREAD = 55
"""How much the pitch moves within a sentence, 0 (a monotone) to 100."""

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(library_path: str, data_path: str, voice: str, rate: int, pitch: int, text: bytes) -> tuple[int, bytes]:
    """The sample rate in Hz, and the samples. Raises RuntimeError when espeak-ng does not start or know the voice."""
    library = ctypes.CDLL(library_path)
    os.chdir(data_path)  # espeak-ng cuts paths of more than 160 characters, and a relative one is short
    hertz = library.espeak_Initialize(SYNCHRONOUS, 0, b".", DO_NOT_EXIT)
    if hertz <= 0:
        raise RuntimeError("espeak-ng did not start")
    pieces: list[bytes] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = Callback(collect)  # kept in a name: the library calls it long after this line
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice}")
    for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, SPREAD)):
        library.espeak_SetParameter(parameter, value, 0)
    library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, CHARACTERS_UTF8, None, None)
    return hertz, b"".join(pieces)


def main() -> None:
    """Serve one utterance, standard input to standard output."""
    library_path, data_path, voice, rate, pitch = sys.argv[1:]
    hertz, samples = speak(library_path, data_path, voice, int(rate), int(pitch), sys.stdin.buffer.read())
    sys.stdout.buffer.write(hertz.to_bytes(4, "big") + samples)


if __name__ == "__main__":
    main()
