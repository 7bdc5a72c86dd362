"""A translator made of a dictionary: the interface of `seq2seq.translator.Translator`, and no model behind it."""

from __future__ import annotations

import re
import sys
import time

import msgspec
import numpy as np
import web_traces

from seq2seq.calibration import Calibration
from seq2seq.config import Config
from seq2seq.translator import Candidate, Translation

WORDS = {
    "where": "wo", "is": "ist", "the": "der", "nearest": "nächste", "train": "Zug", "station": "Bahnhof", "i": "ich",
    "have": "habe", "never": "nie", "seen": "gesehen", "such": "solch", "a": "einen", "beautiful": "schönen",
    "sunset": "Sonnenuntergang", "he": "er", "has": "hat", "lost": "verloren", "key": "Schlüssel", "that": "den",
    "gave": "gab", "him": "ihm", "can": "können", "you": "Sie", "help": "helfen", "us": "uns",
}  # fmt: skip


def pieces(text: str) -> list[str]:
    """Words cut after six letters, the way a tokenizer would."""
    found = []
    for word in re.findall(r"\w+|[^\w\s]", text):
        start = "▁" if word[0].isalnum() else ""
        found += [start + word[:6], *(word[i : i + 6] for i in range(6, len(word), 6))]
    return found


class Translator:
    """Translates word by word; the word `slowly` takes `delay` seconds, the word `explode` fails inside."""

    source_language, target_language, engine_name, path = "en", "de", "litert-int8", None
    calibration: Calibration | None = Calibration(2.0, 4.0, 500)

    def __init__(self, *, delay: float = 1.0, languages: tuple[str, str] = ("en", "de")) -> None:
        self.config = Config()
        self.delay = delay
        self.source_language, self.target_language = languages
        self.searches: list[object] = []

    def __call__(self, text, *, search=None, terms=None):
        if not isinstance(text, str):
            return [self(each, search=search, terms=terms) for each in text]
        self.searches.append(search)
        if "slowly" in text:
            print("translating slowly", file=sys.stderr, flush=True)
            time.sleep(self.delay)
        if "explode" in text:
            raise RuntimeError("secret detail of the machine")
        parts = re.findall(r"[^.!?]+[.!?]*\s*", text) or [text]
        sentences = tuple(self._sentence(part, search) for part in parts)
        joined = "".join(s.text + re.search(r"\s*$", s.source)[0] for s in sentences)
        warnings = ("A sentence of more than 256 pieces was split at its commas.",) if "endless" in text else ()
        return Translation(
            text,
            joined,
            sum(s.score for s in sentences),
            sentences[0].hypotheses,
            sentences,
            warnings,
            self.engine_name,
            confidence=min(s.confidence for s in sentences) if self.calibration else None,
        )

    def watched(self, told):
        self.told = told

    def stoppable(self, between):
        return lambda texts, **wanted: [(between(), self(each, **wanted))[1] for each in texts]

    def explain(self, text, *, target=None, search=None, terms=None, **wanted):
        said = target if target is not None else self._demanded(self._words(text), terms)
        bias = None
        if terms is not None and terms.attend:
            bias = np.zeros(len(pieces(text)) + 1, np.float32)
            for place, added in terms.attend.items():
                bias[place] += added
        chosen = msgspec.to_builtins(search) if search is not None else None
        return web_traces.trace(text, said, pieces(text), pieces(said), search=chosen, bias=bias, **wanted)

    def influence(self, text, **asked):
        told = self.explain(text, **asked)
        return web_traces.influences(told.source, told.target, told.attention, told.translation)

    def saliency(self, text, **asked):
        told = self.explain(text, **asked)
        return web_traces.influences(told.source, told.target, told.attention, told.translation, "gradient")

    def _demanded(self, text, terms):
        """The words after as many as the prefix has, behind the prefix; another for each that is forbidden."""
        if terms is None:
            return text
        text = re.sub(r"\w+", lambda m: "Ding" if m[0] in terms.forbidden else m[0], text)
        return " ".join([terms.prefix, *text.split(" ")[len(terms.prefix.split()) :]]) if terms.prefix else text

    def _words(self, text):
        return re.sub(r"\w+", lambda m: WORDS.get(m[0].lower(), m[0]), text)

    def _sentence(self, text, search):
        best = self._words(text).strip()
        count = search.n_best if search is not None else 1
        hypotheses = tuple(
            Candidate(best if k == 0 else f"{best} ({k})", -0.1 - k, -0.5 - k, (), k < 4) for k in range(count)
        )
        sure = (0.4 if "lost" in text else 0.84) if self.calibration else None
        return Translation(text, best, -0.1, hypotheses, (), (), self.engine_name, confidence=sure)


def _watch_connections() -> None:
    """Says on stderr whenever this process looks up or calls a host that is not this machine."""
    import ipaddress
    import socket

    def watched(function, place):
        def call(*arguments, **named):
            address = arguments[place]
            host = address[0] if isinstance(address, tuple) else address
            host = host.decode() if isinstance(host, bytes) else host
            try:
                local = host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
            except ValueError:
                local = False
            if not local:
                print(f"OUTBOUND {host}", file=sys.stderr, flush=True)
            return function(*arguments, **named)

        return call

    socket.getaddrinfo = watched(socket.getaddrinfo, 0)
    socket.socket.connect = watched(socket.socket.connect, 1)  # type: ignore[method-assign]


if __name__ == "__main__":
    _watch_connections()
    from seq2seq.web import service, shelf

    service.run(lambda: shelf.single(Translator), port=int(sys.argv[1]))
