"""Recognises English words with pocketsphinx: a small program of its own, run by `transcribing`, not imported.

pocketsphinx keeps Python's one lock for as long as it listens, which would hold up everything else in the process; it
goes on learning from one sound to the next; and it is C code fed with strangers' sound. A fresh process for each sound
answers all three, and gives its hundred megabytes back; its model, which comes in its wheel, loads in a third of a
second.

    python recogniser.py HERTZ  < samples  > words

Samples are 16 bit, mono, in the machine's byte order; words are JSON: [[word, first, last], ...] in hundredths of a
second.
"""

from __future__ import annotations

import json
import sys

SEARCH = {"maxhmmpf": 3000, "maxwpf": 10}
"""How much is considered at a time: less than usual hears nearly the same in half the time."""


def main() -> None:
    """Serve one sound, standard input to standard output."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=int(sys.argv[1]), loglevel="FATAL", **SEARCH)
    decoder.start_utt()
    decoder.process_raw(sys.stdin.buffer.read(), full_utt=True)
    decoder.end_utt()
    heard = [[piece.word, piece.start_frame, piece.end_frame] for piece in decoder.seg() or ()]
    sys.stdout.write(json.dumps(heard))


if __name__ == "__main__":
    main()
