"""What a run leaves for people to look at: report.html, anew after each epoch, and the report card at its end.

It owns where the facts come from; it does not know how they are shown or scored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from seq2seq import config, report
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline.plan import parameters
from seq2seq.pipeline.run import Run, replace
from seq2seq.report import Contents, Test
from seq2seq.translator import FLAGS, Translation

Say = Callable[[str], None]
Samples = Callable[[], Sequence[tuple[str, str, str]]]
History = Sequence[Mapping[str, float]]

PAGE = "report.html"
SAMPLES = "samples.json"
COUNTED = ("repeats", "skips", "cut", "empty", "copies")
"""Faults that a card always counts."""


class Watch(keras.callbacks.Callback):
    """Keeps the page of a run up to date.

    Arguments:
        run: the run folder, whose data and configuration are written.
        resolved: its configuration.
        model: what is trained.
        samples: called after each epoch; source, translation and reference of the same few sentences.
        history: the entries of all epochs so far.
        left_out: pairs of the training text that are not trained on, by the reason.
    """

    def __init__(
        self,
        run: Run,
        resolved: Config,
        model: Seq2Seq,
        *,
        samples: Samples,
        history: Callable[[], History],
        left_out: Mapping[str, int],
    ) -> None:
        super().__init__()
        self._left_out = left_out
        self._run, self._resolved, self._ask, self.history = run, resolved, samples, history
        self._parameters = parameters(model)
        self._samples: dict[int, Any] = {}
        self._heard: dict[str, Test] = {}

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        done, path = len(self.history()), self._run.folder / SAMPLES
        before = json.loads(path.read_text(encoding="utf-8")) if done and path.exists() else {}
        self._samples = {int(epoch): rows for epoch, rows in before.items() if int(epoch) <= done}
        self._write(self._state("in training"))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._samples[epoch + 1] = self._ask()
        replace(self._run.folder / SAMPLES, json.dumps(self._samples, ensure_ascii=False).encode("utf-8"))
        self._write(self._state("in training"))

    def hear(self, name: str, beam: int, translations: Sequence[Translation]) -> None:
        """Keeps translations of a test set for its card: the first engine's, of its widest beam."""
        engine = translations[0].engine
        known = self._heard.get(name)
        if known and known.engine.partition(", ")[0] != engine:
            return
        sources, references = self._run.pair(name, self._resolved)
        texts, flags = [each.text for each in translations], [each.flags for each in translations]
        self._heard[name] = Test(name, f"{engine}, beam {beam}", sources, texts, references, flags)

    def finish(self, say: Say, astray: str | None = None) -> None:
        """Says the report card of each test set, and adds it to the log file and to the page.

        Arguments:
            astray: why training did not come to its end, if so; the log file and the page have it too.
        """
        cards = [report.mark(test, COUNTED) for test in self._heard.values()]
        lines = [line for card in cards for line in str(card).splitlines()]
        kept, state = lines, self._state("finished")
        if astray:
            kept, state = [*lines, astray], f"{self._state('went astray')}. {astray}"
        with (self._run.folder / "training.log").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in kept)
        for line in lines:
            say(line)
        self._write(state, cards)
        say(f"report: {self._run.folder / PAGE}")

    def _state(self, state: str) -> str:
        history, most = self.history(), self._resolved.training.epochs
        minutes = history[-1]["seconds"] / 60 if history else 0.0
        return f"{state}: {len(history)} of at most {most} epochs, {minutes:.1f} minutes"

    def _write(self, state: str, cards: Sequence[report.Card] = ()) -> None:
        found = self._run.report
        contents = Contents(
            title=f"{self._run.folder.name}: {self._resolved.source_language} to {self._resolved.target_language}",
            state=state,
            history=self.history(),
            samples=self._samples,
            corpus=found | {"splits": found["splits"] | self._left_out} if found else {},
            parameters=self._parameters,
            configuration=config.dump(self._resolved),
            cards=cards,
            notes=FLAGS,
        )
        replace(self._run.folder / PAGE, report.write(contents).encode("utf-8", "replace"))
