"""How sentences begin and end that ask, change, greet or question: the patterns, and nothing else."""

from __future__ import annotations

import re

from .words import word_set

OPENER = re.compile(
    r"\s*(?:(?:hi|hello|hey|ok|okay|so|please|now|and|also|then|thanks|dear \w+)\b[\s,.!]*)*"
    r"(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?(?:also\s+)?|"
    r"(?:i|we)(?:'d|’d|\s+would)?\s+(?:really\s+)?(?:want|need|like|love)\s+(?:you\s+)?(?:to\s+(?:have|see|get|make|create)\s+)?|"  # noqa: RUF001
    r"(?:i|we)(?:'m|’m|'re|’re|\s+am|\s+are)\s+[a-z]+ing\s+|let's\s+|let\s+us\s+|how\s+about\s+|what\s+about\s+|"  # noqa: RUF001
    r"please\s+|show\s+me\s+)?"
    r"(?:(?:make|create|generate|produce|design|give|announce|promote|launch|celebrate|advertise|prepare|build|craft|"
    r"imagine|present|introduce)\b(?:\s+(?:me|us|it|them)\b)*\s*)?",
    re.IGNORECASE,
)
"""Words that merely ask: "please create ...", "I would like ..."."""

TAIL = 60
TURNED = re.compile(
    r"[\s,]*(?:\b(?:and|then)\b[\s,]*)*\b(?:turn|make|convert|change|bring)\s+"
    r"(?:it|this|that|them|(?:the|this|that|my)\s+(?:picture|image|photo\w*|pic|drawing|painting|illustration))\s*(?:(?:in)?to)?\s*$",
    re.IGNORECASE,
)
"""What stands at the end, in the last `TAIL` characters, before "a video" that is to be made of the same."""

GREETINGS = word_set(
    "hi hello hey hiya greetings good morning afternoon evening night day thanks thank you very much ok okay cool "
    "great nice perfect yes no bye goodbye there test help please everyone all impresario"
)

QUESTION = re.compile(
    r"\s*(?:(?:hi|hello|hey)\b[\s,.!]*)?(?:(?:what|who|why|when|where|which|how)\b(?!\s+about\b).*"
    r"|(?:is|are|am|do|does|did|can|could|will|would|should|have|has)\s+(?:i|you|we|they|there|this|that|it)\b.*\?"
    r"|(?:tell|write|explain|translate|transcribe|extract|compare|analy[sz]e|summari[sz]e|describe\s+(?:it|this|that|these|the)|calculate|compute|list|recommend|teach|help)\s+.*)",
    re.IGNORECASE | re.DOTALL,
)

IT = re.compile(r"(?:it|them|him|her)\s+(?=\w)", re.IGNORECASE)
"""A subject that only goes on with another: "her eating breakfast"."""
DOING = re.compile(r"\s+\w+ing\b")
"""Where the doing begins in "a girl waking up"."""
CONTENT_OF = re.compile(
    r"^\s*(?:an?\s+|the\s+)?(?:short\s+|brief\s+)?(?:description|summary|introduction|overview|script|message)\s+"
    r"(?=(?:of|about|to|for)\b)",
    re.IGNORECASE,
)
"""Words that say no more of a narration than that it has words."""

TURNING = re.compile(
    r"\b(?:turn|make|convert|change|bring)\s+(?:it|this|that|them|(?:the|this|that|my)\s+\w+)\s*(?:(?:in)?to)?\s*$",
    re.IGNORECASE,
)
"""What stands before "a video" that is to be made of a picture."""

FOLLOW_UP = re.compile(
    r"\s*(?:(?:ok(?:ay)?|great|nice|thanks?|perfect)\b[,.!]*\s+|(?:and|now|please|can you|could you)\s+)*"
    r"(?:(?:make|do|have|try|show|render|draw)\s+(?:it|them|this|that|the\s+(?:image|picture|photo|clip|video|narration))\b"
    r"(?:\s+again)?"
    r"|(?:once\s+)?again\b|once more\b|(?:the\s+)?same\b(?:\s+(?:again|one|thing|image|picture|clip|video))?"
    r"|(?:do|try)\s+(?:that\s+|it\s+)?again\b|another\s+(?:one|version|try)\b|one more\b|redo\b(?:\s+it)?"
    r"|(?=(?:in|with|without|as|at)\b(?:\W+\w+){1,6}\W*$)"
    r"|(?=(?:add|remove|replace|change|use|more|less|darker|brighter|lighter|bigger|smaller)\b)"
    r"|(?=(?:[a-z]+er|different)(?:\s+please)?[.!]?\s*$)"
    r"|(?:no|actually|instead)[,.]?\s)"
    r"[\s,;:.-]*(?:but\b|and\b|only\b|just\b)?",
    re.IGNORECASE,
)
"""How a prompt begins that changes what was asked before; what follows the match is the change."""

VIEWS = (
    "as described",
    "seen up close",
    "in a wide view",
    "at golden hour",
    "from above",
    "at night",
    "in soft morning light",
    "from a low angle",
    "in the rain",
    "against a plain background",
    "in autumn",
    "in the snow",
)
"""What makes the second and later of several works of one subject differ from the first."""
VOICE_ROUND = ("nova", "onyx", "shimmer", "echo", "fable", "alloy")
