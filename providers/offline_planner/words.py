"""The words in which people ask for media, as tables, and the numbers, sizes, lengths and voices in their text."""

from __future__ import annotations

import re
from typing import Literal

from ..offline_media.text import NUMBERS

Kind = Literal["image", "video", "speech"]


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


# ---- what is asked for -----------------------------------------------------------------------------------------------

PLAIN_NOUNS: dict[str, Kind] = {
    "image": "image",
    "picture": "image",
    "photo": "image",
    "photograph": "image",
    "pic": "image",
    "visual": "image",
    "graphic": "image",
    "variant": "image",
    "variation": "image",
    "video": "video",
    "clip": "video",
    "film": "video",
    "movie": "video",
    "footage": "video",
    "animation": "video",
    "reel": "video",
    "narration": "speech",
    "voiceover": "speech",
    "voice-over": "speech",
    "speech": "speech",
    "audio": "speech",
    "recording": "speech",
    "voice": "speech",
    "tts": "speech",
}
"""Nouns that say nothing of what is to be seen or heard."""

TELLING_NOUNS: dict[str, Kind] = {
    **dict.fromkeys(
        word_set(
            "logo poster icon banner thumbnail artwork wallpaper sketch illustration drawing painting portrait "
            "landscape cartoon avatar sticker infographic cover render mockup flyer postcard collage watercolor "
            "doodle emblem hero comic meme diagram"
        ),
        "image",
    ),
    **dict.fromkeys(word_set("teaser trailer b-roll timelapse time-lapse gif advert ad commercial"), "video"),
    **dict.fromkeys(word_set("announcement greeting audiobook voicemail"), "speech"),
}
"""Nouns that belong into the prompt."""

NOUNS: dict[str, Kind] = {**PLAIN_NOUNS, **TELLING_NOUNS}

VERBS: dict[str, Kind] = {
    **dict.fromkeys(
        word_set("draw paint sketch illustrate photograph picture visualize visualise depict render"), "image"
    ),
    **dict.fromkeys(word_set("film animate shoot"), "video"),
    **dict.fromkeys(word_set("narrate say read speak recite announce pronounce"), "speech"),
}
"""Verbs that ask by themselves, where a sentence begins with them."""

VERBATIM_VERBS = word_set("say read recite pronounce speak")
"""What follows these is the text itself."""

BEYOND: dict[str, str] = {
    "music": "music",
    "song": "music",
    "soundtrack": "music",
    "jingle": "music",
    "melody": "music",
    "spreadsheet": "spreadsheets",
    "pdf": "documents",
    "presentation": "presentations",
    "website": "websites",
}
"""Nouns for works nothing here can make -> what to call them in the answer."""

# ---- how sentences are put together ----------------------------------------------------------------------------------

MAKING = word_set(
    "make create generate produce design give get want need like show see have add do include prepare build craft "
    "compose provide deliver send write record turn draw paint film shoot animate narrate say read love attach "
    "supply use take"
)
BOUNDARIES = MAKING | word_set(
    "and plus with then also or me us to into as both please now just you it them finally next"
)
"""Words after which a noun may begin a wish of its own."""

PREPOSITIONS = word_set(
    "of about for in on at by from showing featuring depicting near under over behind beside inside between "
    "against through during without around across like holding that which whose where"
)
ARTICLES = word_set("a an one another some any each every your additional extra new separate")
REFERRING = word_set("the this that these those my our its his her their")
"""Articles of a thing that exists already."""

FOLLOWERS = PREPOSITIONS | word_set(
    "with saying says reading and or plus then too also please to as using each along together sized lasting "
    "called titled named promoting announcing introducing is are should must will so but while afterwards next "
    "via instead"
)
"""Words that may come after a noun that is a wish; after any other it is part of a name ("video game")."""

PRONOUNS = word_set("it this that them these those one same him her")

STYLES = word_set(
    "cinematic short quick long nice beautiful great good simple minimal minimalist minimalistic modern vintage "
    "retro realistic photorealistic abstract watercolor watercolour oil pencil ink digital pixel flat 3d cartoon "
    "anime comic hero wide square portrait landscape banner vertical horizontal tall widescreen panoramic story "
    "mobile phone desktop warm calm bright dark deep soft gentle friendly dramatic cheerful happy sad funny cute "
    "epic elegant bold colorful colourful black-and-white monochrome hd 4k high-quality high-resolution small "
    "large big full tiny detailed stylized product promo promotional social social-media instagram youtube tiktok "
    "linkedin explainer looping slow slow-motion fast male female british american neutral spoken little single "
    "different matching second third first quality main cover background seamless"
)
"""Adjectives: they say how, not what."""

SUBJECT_LEADS = (
    "of|about|for|on|showing|featuring|depicting|with|that shows?|which shows?|where|in which|promoting|announcing|"
    "introducing|explaining|describing|celebrating|advertising|to promote|to go with|to announce|from|called|titled"
)

# ---- numbers ---------------------------------------------------------------------------------------------------------

COUNTS: dict[str, int] = {
    **NUMBERS,
    "couple": 2,
    "pair": 2,
    "few": 3,
    "several": 3,
    "some": 3,
    "set": 3,
    "series": 3,
    "dozen": 12,
}
PLURAL_COUNT = 2
"""How many "images" are, where no number is given."""

_NUMBER = r"\d{1,4}(?:\.\d{1,3})?|" + "|".join(COUNTS) + "|fifteen|twenty|thirty|forty-five|sixty|half an?|half|an?"
_TEENS = {"fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "forty-five": 45.0, "sixty": 60.0, "a": 1.0, "an": 1.0}
DURATION = re.compile(
    rf"(?:\b(?:for|lasting|of|about|in)\s+)?(?:\b(?P<number>{_NUMBER})[\s-]*(?P<unit>seconds?|secs?|minutes?|mins?)\b|"
    r"\b(?P<digits>\d{1,4}(?:\.\d{1,3})?)\s?s\b|\b(?P<long>minute)-long\b)(?:[\s-]*(?:long|in length))?",
    re.IGNORECASE,
)


def find_duration(text: str) -> float | None:
    """The first length of time in a text, in seconds."""
    match = DURATION.search(text)
    if match is None:
        return None
    if match["long"]:
        return 60.0
    number = (match["digits"] or match["number"]).lower()
    value = 0.5 if number.startswith("half") else COUNTS.get(number) or _TEENS.get(number) or float(number)
    return float(value) * (60 if (match["unit"] or "s").lower().startswith("m") else 1)


# ---- sizes -----------------------------------------------------------------------------------------------------------

SIZE_WORDS: dict[str, str] = {
    "square": "1024x1024",
    "avatar": "1024x1024",
    "icon": "1024x1024",
    **dict.fromkeys(word_set("portrait vertical tall story phone mobile poster"), "1024x1536"),
    **dict.fromkeys(word_set("landscape horizontal wide widescreen hero banner panoramic desktop"), "1536x1024"),
    "thumbnail": "1536x864",
    "720p": "1280x720",
    "1080p": "1920x1080",
}
RATIOS = word_set("1:1 16:9 9:16 4:3 3:4 3:2 2:3 21:9 9:21 4:5 5:4 2:1 1:2")
LONG_SIDE = 1536
SIZE = re.compile(
    r"(?:\b(?:at|in|sized|of size|(?:with|at|in) a size of)\s+)?"
    r"\b(?:(?P<width>\d{2,5})\s?[x×]\s?(?P<height>\d{2,5})|(?P<ratio>\d{1,2}:\d{1,2})|"  # noqa: RUF001
    r"(?P<lines>720p|1080p))\b(?:\s?(?:pixels|px))?",
    re.IGNORECASE,
)
FORMAT = re.compile(
    r"\b(?:in|as)\s+(?:a\s+)?(?P<word>square|portrait|landscape|vertical|horizontal|widescreen|wide)"
    r"(?:\s+(?:format|orientation|mode|shape|size|version))?(?=\s*(?:$|[,.;!?)]|\band\b))",
    re.IGNORECASE,
)


def find_size(text: str) -> str | None:
    """The first size in a text that is stated as pixels, as a ratio or as a format, as "WIDTHxHEIGHT"."""
    for match in SIZE.finditer(text):
        if match["width"]:
            return f"{int(match['width'])}x{int(match['height'])}"
        if match["lines"]:
            return SIZE_WORDS[match["lines"].lower()]
        if match["ratio"] in RATIOS:
            across, down = map(int, match["ratio"].split(":"))
            scale = LONG_SIDE / max(across, down)
            return f"{round(across * scale / 16) * 16}x{round(down * scale / 16) * 16}"
    named = FORMAT.search(text)
    return SIZE_WORDS[named["word"].lower()] if named else None


# ---- voices ----------------------------------------------------------------------------------------------------------

NAMED_VOICE = re.compile(
    r"\b(?:voice\s*(?:of\s+|:\s*|is\s+|=\s*|named\s+)?(?P<after>alloy|echo|fable|onyx|nova|shimmer)|"
    r"(?P<before>alloy|echo|fable|onyx|nova|shimmer)(?:'s|’s)?\s+voice)\b",  # noqa: RUF001
    re.IGNORECASE,
)
VOICE_PHRASE = re.compile(
    r"\b(?:(?:in|with|using|by)\s+)?(?:an?\s+|the\s+)?(?P<how>(?:[a-z]+[,\s]+(?:and\s+)?){1,4})"
    r"(?:voice|narrator|speaker|tone)\b",
    re.IGNORECASE,
)
VOICE_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("onyx", word_set("deep low dark gravelly bass serious dramatic epic")),
    ("fable", word_set("british english storyteller storytelling expressive")),
    ("shimmer", word_set("soft gentle calm soothing quiet tender")),
    ("nova", word_set("female woman woman's bright friendly cheerful energetic young happy")),
    ("echo", word_set("male man man's warm")),
    ("alloy", word_set("neutral plain clear robotic")),
)


def find_voice(text: str) -> str | None:
    """The voice a text asks for: by its name, or by how it sounds."""
    if named := NAMED_VOICE.search(text):
        return str(named["after"] or named["before"]).lower()
    for phrase in VOICE_PHRASE.finditer(text):
        if voice := voice_of(re.findall(r"[a-z']+", phrase["how"].lower())):
            return voice
    return None


def voice_of(words: list[str]) -> str | None:
    """The voice that sounds as these words say."""
    return next((voice for voice, sounds in VOICE_WORDS if sounds & set(words)), None)


# ---- manners ---------------------------------------------------------------------------------------------------------

MANNERS = word_set(
    "sad mournful melancholic gloomy whispering whispered soft gentle quiet calm soothing sleepy excited enthusiastic "
    "energetic happy cheerful joyful angry stern serious solemn dramatic slow fast quick loud monotone"
)
ADVERB = re.compile(
    r"(?:\bin an?\s+)?\b(?:"
    r"(?P<how>sad|soft|gent|quiet|calm|excited|cheerful|happi|angri|serious|slow|quick|loud|dramatical)ly|"
    r"(?P<verb>whisper|shout)(?:ed|ing|s)?|(?P<more>slower|faster|louder|quieter|softer))\b",
    re.IGNORECASE,
)
AS_SAID = {"gent": "gentle", "happi": "happy", "angri": "angry", "dramatical": "dramatic"}


def find_manner(text: str) -> str | None:
    """How a text is to be read, in the words that say so: "sad", "whisper"."""
    found = [word for phrase in VOICE_PHRASE.finditer(text) for word in re.findall(r"[a-z]+", phrase["how"].lower())]
    manners = [word for word in found if word in MANNERS]
    for match in ADVERB.finditer(text):
        word = (match["how"] or match["verb"] or match["more"]).lower()
        manners.append(AS_SAID.get(word, word))
    return " and ".join(dict.fromkeys(manners)) or None
