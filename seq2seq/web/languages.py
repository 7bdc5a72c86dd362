"""Names, writing direction and example sentences of languages, by their code; a code it does not know names itself.

It does not know which languages a model translates.
"""

from __future__ import annotations

from seq2seq.translator.text import primary

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian",
    "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic",
    "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean", "la": "Latin", "lt": "Lithuanian",
    "lv": "Latvian", "mk": "Macedonian", "ms": "Malay", "mt": "Maltese", "nb": "Norwegian", "nl": "Dutch",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
RIGHT_TO_LEFT = {"ar", "fa", "he", "ur", "yi"}
EXAMPLES = {
    "de": ("Wo ist der nächste Bahnhof?", "Ich habe noch nie einen so schönen Sonnenuntergang gesehen."),
    "en": (
        "Where is the nearest train station?",
        "I have never seen such a beautiful sunset.",
        "She will come tomorrow if it does not rain.",
        "He has lost the key that I gave him. Can you help us?",
    ),
    "es": ("¿Dónde está la estación más cercana?", "Nunca he visto una puesta de sol tan hermosa."),
    "fr": ("Où est la gare la plus proche ?", "Je n'ai jamais vu un aussi beau coucher de soleil."),
    "it": ("Dov'è la stazione più vicina?", "Non ho mai visto un tramonto così bello."),
    "nl": ("Waar is het dichtstbijzijnde station?", "Ik heb nog nooit zo'n mooie zonsondergang gezien."),
    "pt": ("Onde fica a estação mais próxima?", "Nunca vi um pôr do sol tão bonito."),
}


def name(code: str) -> str:
    """`de` and `de-AT` are German; a code of no known language is its own name.

    >>> name("de-AT"), name("tlh"), name("")
    ('German', 'tlh', 'unnamed language')
    """
    return NAMES.get(primary(code), code) or "unnamed language"


def right_to_left(code: str) -> bool:
    """Whether the language is written from right to left."""
    return primary(code) in RIGHT_TO_LEFT


def examples(code: str) -> tuple[str, ...]:
    """A few sentences of the language to try, none where we have none."""
    return EXAMPLES.get(primary(code), ())
