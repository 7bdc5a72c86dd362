"""From trained weights, or from several models, to a model folder: export, score, write the card.

It owns what goes into the folder and what is measured on it; it does not know how the weights came about.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save as serialise

import seq2seq
from seq2seq import bundle, calibration, card, evaluation, export, inference, weights
from seq2seq.bundle import Bundle, Member
from seq2seq.calibration import Calibration, CalibrationError
from seq2seq.config import Config
from seq2seq.report import reliability
from seq2seq.translator import Translation, Translator
from seq2seq.translator.checks import UNUSABLE

Pair = tuple[Sequence[str], Sequence[str]]
Hear = Callable[[str, int, Sequence[Translation]], None]

BEAMS = (1, 5)


class EnsembleError(ValueError):
    """Models cannot be made one."""


def release(
    path: Path,
    config: Config,
    arrays: Mapping[str, np.ndarray],
    *,
    tokenizers: Mapping[str, Path],
    tests: Mapping[str, Pair],
    provenance: Mapping[str, Any],
    say: Callable[[str], None],
    hear: Hear | None = None,
) -> Bundle:
    """Writes a model folder, measures it, and writes it again with its scores and its card.

    Arguments:
        path: the model folder.
        config: the resolved configuration.
        arrays: weights by path, rounded to float16 already.
        tokenizers: files by the name they have in the folder.
        tests: source and reference sentences by name; an empty one is skipped.
        provenance: how the model was made, plain JSON.
        say: called with each line of progress.
        hear: called with the name of a test, the beam and the translations, for each engine, test and beam.
    """
    say("exporting")
    graph = inference.Inference(inference.build(config, arrays))
    files: dict[str, bytes | Path] = {
        **tokenizers,
        bundle.GRAPH: export.litert(graph),
        weights.NAME: _weights(arrays),
    }
    bundle.write(path, config=config, files=files, provenance=provenance, scores=[])
    listener = _Listener(hear)
    scores = _measured(path, tests, say, listener)
    sure = _calibrated(listener.heard, tests, say)
    files |= _said(card.write(config, provenance, scores=scores, calibration=sure), sure)
    return bundle.write(path, config=config, files=files, provenance=provenance, scores=scores, calibration=sure)


def calibrate(model: Bundle, tests: Mapping[str, Pair], path: Path, *, say: Callable[[str], None] = print) -> Bundle:
    """Writes a model folder again, with its confidence fitted on the first test set and judged on the last.

    Of a single one each gets a half.

    Arguments:
        model: the model.
        tests: source and reference sentences by name, of the kind that will be translated.
        path: where the folder goes; the model's own path replaces it.
        say: called with each line of progress.

    Raises:
        CalibrationError: there is too little text, or confidence cannot be told from it.
        SaveError: the folder cannot be written.
        BundleError: a file of the model was altered.
    """
    translator = Translator.load(model.path)
    sure = _fitted([_evidence(translator(list(sources)), references) for sources, references in tests.values()])
    say(_verdict(sure))
    if model.members:
        words = card.write_ensemble(
            model.config, model.provenance, scores=model.scores, members=model.members, calibration=sure
        )
    else:
        words = card.write(model.config, model.provenance, scores=model.scores, calibration=sure)
    contents = model.contents()
    contents["files"] |= _said(words, sure)
    return bundle.write(path, **contents | {"calibration": sure})


def ensemble(
    models: Sequence[Bundle],
    path: Path,
    *,
    tests: Mapping[str, Pair] | None = None,
    say: Callable[[str], None] = print,
) -> Bundle:
    """Writes the model folder of an ensemble, whole or not at all.

    Languages, tokenizers and search settings are the members'; where these settings differ, the first one's.

    Arguments:
        models: two or more single models with the same tokenizers; their sizes may differ, and one may stand twice.
        path: the folder to make; new, or empty.
        tests: source and reference sentences by name, to measure it on before it is written.
        say: called with each line of progress.

    Raises:
        EnsembleError: the models do not fit together, or the folder is in use.
        SaveError: the folder cannot be written.
        BundleError: a model has no weights, or a file of it was altered or is broken.
    """
    _check(models, path)
    members, arrays = [], {}
    for number, model in enumerate(models, start=1):
        prefix = f"member_{number}/"
        members.append(Member(model.name, prefix, model.config, model.provenance, model.scores))
        for name, array in weights.load(model).items():
            arrays[prefix + name] = array.astype(np.float16)
    first = models[0]
    graph = inference.Inference(inference.together(members, arrays))
    provenance = _together(members, sum(array.size for array in arrays.values()))
    files: dict[str, bytes | Path] = {
        **{name: first.read(name) for name in first.tokenizers},
        bundle.GRAPH: export.litert(graph),
        weights.NAME: _weights(arrays),
    }

    facts: dict[str, Any] = {"config": first.config, "provenance": provenance, "members": members}
    listener, scores = _Listener(), []
    if tests:
        with tempfile.TemporaryDirectory() as folder:
            whole = bundle.write(Path(folder) / "model", files=files, scores=[], **facts)
            scores = _measured(whole.path, tests, say, listener)
    sure = _calibrated(listener.heard, tests or {}, say)
    words = card.write_ensemble(first.config, provenance, scores=scores, members=members, calibration=sure)
    files |= _said(words, sure)
    return bundle.write(path, files=files, scores=scores, calibration=sure, **facts)


def _check(models: Sequence[Bundle], path: Path) -> None:
    if len(models) < 2:
        raise EnsembleError(f"An ensemble must have at least two members. Received: {len(models)}")
    for model in models:
        if model.members:
            raise EnsembleError(
                "The members of an ensemble must be single models; name its own members instead. "
                f"Received: {model.path}, an ensemble of {len(model.members)}"
            )
    first = models[0]
    for model in models[1:]:
        languages = [f"{each.source_language} to {each.target_language}" for each in (first, model)]
        if languages[0] != languages[1]:
            raise EnsembleError(
                f"The members of an ensemble must translate between the same languages. Received: {first.path}, "
                f"{languages[0]}, and {model.path}, {languages[1]}"
            )
        if [first.read(name) for name in first.tokenizers] != [model.read(name) for name in model.tokenizers]:
            raise EnsembleError(
                "The members of an ensemble must have the same tokenizers, byte for byte. "
                f"Received: {first.path} and {model.path}, whose tokenizers differ"
            )
    if not bundle.is_free(path):
        raise EnsembleError(f"An ensemble must go to {bundle.FREE}. Received: {path}")


def _together(members: Sequence[Member], parameters: int) -> dict[str, Any]:
    """The provenance of an ensemble: what holds for it of its members'."""
    return {
        "version": seq2seq.__version__,
        "parameters": parameters,
        "data": " ".join(dict.fromkeys(card.data(each.provenance) for each in members)),
        "licence": " and ".join(dict.fromkeys(map(card.licence, members))),
    }


def _weights(arrays: Mapping[str, np.ndarray]) -> bytes:
    return serialise({name: np.ascontiguousarray(array) for name, array in arrays.items()})


class _Listener:
    """Passes translations on, and keeps the first of each test with the widest beam."""

    def __init__(self, hear: Hear | None = None) -> None:
        self.heard: dict[str, Sequence[Translation]] = {}
        self._hear = hear

    def __call__(self, test: str, beam: int, translations: Sequence[Translation]) -> None:
        if beam == BEAMS[-1]:
            self.heard.setdefault(test, translations)
        if self._hear:
            self._hear(test, beam, translations)


def _calibrated(
    heard: Mapping[str, Sequence[Translation]], tests: Mapping[str, Pair], say: Callable[[str], None]
) -> Calibration | None:
    """The calibration of what was heard, or None and a line that says why."""
    if not heard:
        return None
    sets = [_evidence(translations, tests[name][1]) for name, translations in heard.items()]
    try:
        sure = _fitted(sets)
    except CalibrationError as error:
        say(f"no confidence: {error}")
        return None
    say(_verdict(sure))
    return sure


def _fitted(sets: Sequence[tuple[list[float], list[float]]]) -> Calibration:
    if len(sets) == 1:
        sets = [(log_probs[start::2], chrf[start::2]) for log_probs, chrf in sets for start in (0, 1)]
    return calibration.judge(calibration.fit(*sets[0]), *sets[-1])


def _evidence(translations: Sequence[Translation], references: Sequence[str]) -> tuple[list[float], list[float]]:
    """The mean log-probability of a piece of each translation that makes a claim, and its chrF."""
    log_probs, chrf = [], evaluation.sentences([each.text for each in translations], references)
    kept = []
    for translation, score in zip(translations, chrf, strict=True):
        best = [each.hypotheses[0] for each in translation.sentences if each.hypotheses[0].pieces]
        if best and not UNUSABLE & set(translation.flags):
            log_probs.append(min(each.log_prob / (len(each.pieces) + 1) for each in best))
            kept.append(score)
    return log_probs, kept


def _verdict(sure: Calibration) -> str:
    return f"confidence: fitted on {sure.sentences:,} sentences, off by {sure.error or 0:.1%} on others"


def _said(words: str, sure: Calibration | None) -> dict[str, bytes | Path]:
    """The card, and its picture."""
    return {"README.md": words.encode(), **({"reliability.svg": reliability.diagram(sure).encode()} if sure else {})}


def _measured(
    path: Path, tests: Mapping[str, Pair], say: Callable[[str], None], hear: Hear | None = None
) -> list[dict[str, Any]]:
    """The scores of a model folder on every engine and test set."""
    given = {name: pair for name, pair in tests.items() if pair[0]}
    rows = []
    for engine in ("litert", "tensorflow") if given else ():
        translator = Translator.load(path, engine=engine)
        rows += [row for name, pair in given.items() for row in _scores(translator, name, pair, say, hear)]
    return rows


def _scores(
    translator: Translator, name: str, pair: Pair, say: Callable[[str], None], hear: Hear | None
) -> list[dict[str, Any]]:
    """BLEU, chrF and TER of greedy and beam search on one test set, each with its signature."""
    rows = []
    for beam in BEAMS:
        search = msgspec.structs.replace(translator.config.search, beam=beam, n_best=1)
        begun = time.perf_counter()
        translations = translator(list(pair[0]), search=search)
        seconds = time.perf_counter() - begun
        if hear:
            hear(name, beam, translations)
        scores = evaluation.score([each.text for each in translations], list(pair[1]))
        row = {"test": name, "engine": translator.engine_name, "beam": beam}
        row |= {"length_penalty": search.length_penalty, **dataclasses.asdict(scores), "seconds": round(seconds, 2)}
        say(f"{name}, {translator.engine_name}, beam {beam}: BLEU {row['bleu']:.1f}, chrF {row['chrf']:.1f}")
        rows.append(row)
    return rows
