"""How a text is to be read: the few words about it the offline voice can follow, with tempo, pitch and loudness."""

from __future__ import annotations

from dataclasses import dataclass

from .text import words_of


@dataclass(frozen=True)
class Manner:
    """What is different from plain reading: factors of the tempo and loudness, steps of the pitch and its movement."""

    tempo: float = 1.0
    pitch: int = 0
    spread: int = 0
    loudness: float = 1.0


PLAIN = Manner()
_MANNERS: tuple[tuple[str, Manner], ...] = (
    ("sad sadly mournful melancholic melancholy sorrowful gloomy", Manner(0.84, -12, -35, 0.85)),
    ("whisper whispering whispered hushed", Manner(0.9, -4, -40, 0.45)),
    ("soft softly quiet quietly gentle gently tender", Manner(0.94, 0, -15, 0.6)),
    ("calm calmly soothing relaxed peaceful bedtime sleepy", Manner(0.88, -4, -20, 0.85)),
    ("excited excitedly enthusiastic thrilled energetic", Manner(1.18, 12, 35, 1.25)),
    ("happy happily cheerful cheerfully joyful bright friendly", Manner(1.08, 8, 25, 1.1)),
    ("angry angrily furious stern", Manner(1.1, -4, 30, 1.4)),
    ("serious seriously solemn dramatic dramatically epic", Manner(0.92, -8, 5, 1.1)),
    ("slow slowly slower", Manner(tempo=0.75)),
    ("fast quick quickly faster hurried", Manner(tempo=1.3)),
    ("loud loudly louder shout shouting", Manner(loudness=1.5)),
    ("deep deeper low lower", Manner(pitch=-15)),
    ("high higher squeaky", Manner(pitch=20)),
    ("monotone flat robotic", Manner(spread=-55)),
)
MANNERS = {word: manner for words, manner in _MANNERS for word in words.split()}
CANNOT_WHISPER = "The offline voice cannot whisper; it speaks more softly instead."


def read_manner(instructions: str | None) -> tuple[Manner, tuple[str, ...]]:
    """What of some instructions the offline voice can follow, and a warning where that is not all of it."""
    if not instructions or not instructions.strip():
        return PLAIN, ()
    found = list(dict.fromkeys(MANNERS[word] for word in words_of(instructions) if word in MANNERS))
    if not found:
        known = ", ".join(words.split()[0] for words, _ in _MANNERS)
        return PLAIN, (f"The offline voice cannot follow these instructions; it knows such words as {known}.",)
    tempo = loudness = 1.0
    for one in found:
        tempo, loudness = tempo * one.tempo, loudness * one.loudness
    whole = Manner(tempo, sum(one.pitch for one in found), sum(one.spread for one in found), loudness)
    return whole, ((CANNOT_WHISPER,) if MANNERS["whisper"] in found else ())
