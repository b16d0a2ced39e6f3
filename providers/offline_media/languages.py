"""Which language a text is in, guessed from its small words, or from its script where that is not the Latin one."""

from __future__ import annotations

from .text import words_of

SMALL_WORDS = {
    "en": "the and of to is in that it for you with this are was be not have we at by from or as on your our",
    "de": "der die das und ist nicht ein eine mit auf für von zu den dem sich des im wir sie es auch bei oder sind",
    "fr": "le la les et est une des du dans pour que qui vous nous avec sur pas ce au par il elle sont votre",
    "es": "el la los las y es una de en que por para con no se del al su lo como más está son su",
    "it": "il lo la gli e è una di che per con non si del della nel sono questo come più anche al da",
    "pt": "o os as e é uma de que em para com não se do da no na por mais como são seu sua ao",
    "nl": "de het een en is van niet dat met voor op te zijn aan ook bij naar wij uw er deze",
}
KNOWN = {language: frozenset(words.split()) for language, words in SMALL_WORDS.items()}
SCRIPTS = (
    ("\u0400", "\u04ff", "ru"),
    ("\u0370", "\u03ff", "el"),
    ("\u0590", "\u05ff", "he"),
    ("\u0600", "\u06ff", "ar"),
    ("\u3040", "\u30ff", "ja"),
    ("\uac00", "\ud7af", "ko"),
    ("\u4e00", "\u9fff", "zh"),
)
"""First and last letter of a script, and a language it is used for."""
LEAST = 2
"""Small words that must be there: one alone may be a name."""


def guessed_language(text: str) -> str | None:
    """The ISO 639-1 code of the language a text is most likely in; None where it is too short to tell."""
    letters = sum(map(str.isalpha, text))
    for first, last, language in SCRIPTS:
        if sum(first <= letter <= last for letter in text) * 4 > letters > 0:
            return language
    words = words_of(text)
    found = {language: sum(word in small for word in words) for language, small in KNOWN.items()}
    best = max(found, key=lambda language: found[language])
    return best if found[best] >= LEAST else None
