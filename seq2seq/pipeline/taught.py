"""What each network of a training with teachers is like: the teachers, the one that translates back, the student.

It owns their settings and what they read; it does not know in which order they come about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from seq2seq import config, corpus
from seq2seq.pipeline.run import Files, Run
from seq2seq.tokenizer import BARE

LONGER = 1.5
"""The student sees so many times as many pairs as a teacher."""
DROPOUT = 2 / 3
"""Its share of the teachers' dropout: it has more text, and no lines to learn by heart."""
MOVING_AVERAGE = 0.999


def noise(number: int, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings in which the teacher of this number, from 0, is unlike other networks, where `settings` do not say them.

    Networks that are disturbed alike err alike, and together gain less. So none of them leaves out the same units at
    all steps of a sentence, and every second one reads each word in the same pieces each time.
    """
    apart: dict[str, dict[str, Any]] = {"model": {"variational_dropout": False}, "training": {}}
    if number % 2:
        apart["training"]["sampling"] = 0.0
    return {
        section: {name: value for name, value in values.items() if name not in settings.get(section, {})}
        for section, values in apart.items()
    }


class Taught:
    """What the teachers were trained on, and what follows from it for others.

    Arguments:
        run: that of the first teacher.
        asked: the settings that were given; the others keep to them.
    """

    def __init__(self, run: Run, asked: Mapping[str, Any]) -> None:
        self.run = run
        self.config = run.resolved
        self.asked = asked
        self.languages = self.config.source_language, self.config.target_language

    def text(self, side: int) -> list[str]:
        """The training text in the source language, 0, or the target language, 1."""
        return self.run.text("train", self.languages[side])

    def held_out(self) -> set[str]:
        """The sources of the validation and test sets, folded."""
        language = self.languages[0]
        sets = (self.run.text(name, language) for name in ("valid", "test") if self._file(name, 0).exists())
        return {line for lines in sets for line in corpus.fold_all(lines)}

    def back(self) -> Files:
        """The text the other way round."""
        return self._files(self._file("train", 1), self._file("train", 0), sides=(1, 0))

    def mirrored(self) -> dict[str, Any]:
        """The settings of the network that translates back."""
        settings = self._settings()
        settings["source_language"], settings["target_language"] = self.languages[::-1]
        return settings

    def student(self, corpora: Sequence[tuple[Path, Path]]) -> Files:
        """What the student reads and is judged on."""
        return self._files(*corpora[0], sides=(0, 1), more=tuple(corpora[1:]))

    def studied(self, corpora: Sequence[tuple[Path, Path]]) -> dict[str, Any]:
        """The settings of the student."""
        pairs, characters = _read(corpora)
        settings = self._settings()
        for name in config.DROPOUTS:
            settings["model"][name] = round(DROPOUT * settings["model"][name], 3)
        # What is translated wrongly may hold characters that the text does not have.
        tokenizer = settings["tokenizer"]
        tokenizer["vocabulary"] = max(tokenizer["vocabulary"], BARE + len(characters))
        training = settings["training"]
        training["epochs"] = max(2, round(LONGER * training["epochs"] * len(self.text(0)) / pairs))
        training["moving_average"] = self.asked.get("training", {}).get("moving_average", MOVING_AVERAGE)
        return settings

    def _settings(self) -> dict[str, Any]:
        settings = msgspec.to_builtins(self.config)
        held_out = {name: settings["corpus"][name] * self._file(name, 0).exists() for name in ("valid", "test")}
        settings["corpus"] |= {"weights": (), **held_out}
        settings["model"]["variational_dropout"] = config.build(dict(self.asked)).model.variational_dropout
        settings["training"]["guided_attention"] = 0.0
        if "max_ratio" not in self.asked.get("search", {}):
            del settings["search"]["max_ratio"]  # each finds its own, in its direction
        return settings

    def _files(
        self, source: Path, target: Path, *, sides: tuple[int, int], more: tuple[tuple[Path, Path], ...] = ()
    ) -> Files:
        """Text to train on, with the held-out sets."""
        held_out = [self._file(name, side) for name in ("valid", "test") for side in sides]
        valid_source, valid_target, test_source, test_target = (path if path.exists() else None for path in held_out)
        return Files(source, target, valid_source, valid_target, test_source, test_target, more=more)

    def _file(self, name: str, side: int) -> Path:
        return self.run.data / f"{name}.{self.languages[side]}"


def _read(corpora: Iterable[tuple[Path, Path]]) -> tuple[int, set[str]]:
    """How many pairs there are, each counted once, as cleaning will leave them; and the characters in them."""
    pairs: set[tuple[bytes, bytes]] = set()
    characters: set[str] = set()
    for source, target in corpora:
        with source.open("rb") as left, target.open("rb") as right:
            for pair in zip(left, right, strict=True):
                pairs.add(pair)
                characters.update(*(side.decode() for side in pair))
    return len(pairs), characters
