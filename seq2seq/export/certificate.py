"""What proves an export: a new process loads it and must say what the library says.

It owns which sentences are compared, what counts as the same, and what the certificate tells; it does not know how
an export is made.
"""

from __future__ import annotations

import hashlib
import json
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq import __version__, evaluation
from seq2seq.bundle import MANIFEST, Bundle
from seq2seq.engine import MAX_SOURCE, Hypothesis, TensorFlowEngine
from seq2seq.export import checker, warmup
from seq2seq.export.faces import FACES, GRAPH, Call, Face, plain_search
from seq2seq.tokenizer import SPECIALS, Tokenizer

__all__ = ["CERTIFICATE", "FACES", "GRAPH", "ExportError", "Sample", "content", "sample", "vocabularies"]

CERTIFICATE = "certificate.json"
APART = 1e-3
"""Most that an attention weight or a score may differ, and a score besides for its size: float16 rounds more."""
DRAWN = (1, 3, 8, 20)
"""Pieces of the sentences that are drawn from the vocabulary: languages differ, lengths must."""
_WORDS = ("README.md", "reliability.svg")
"""What is said about a model: it was not compared, and is written anew when more is known."""
_PACKAGES = ("tensorflow", "tensorflow-text", "tf2onnx", "onnxruntime", "ai-edge-litert", "sentencepiece", "numpy")
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\b")
_SECONDS = 5  # that a sentence may take where nothing is quick, and a hundred times that to begin


class ExportError(ValueError):
    """An export cannot be written, or is not what it should be."""


@dataclass(frozen=True)
class Sample:
    """The sentences that an export and the library are compared on."""

    texts: tuple[str, ...]
    """Those that were given, then those drawn from the vocabulary."""
    sources: tuple[list[int], ...]
    """Their pieces."""
    given: int
    references: tuple[str, ...]
    """Translations of those that were given, if there are any."""
    origin: str


def sample(bundle: Bundle, sentences: Sequence[str], references: Sequence[str], origin: str) -> Sample:
    """The given sentences and a few more, the same ones for the same model.

    Raises:
        ExportError: there are other than as many references, or a sentence is too long for a graph.
    """
    if references and len(references) != len(sentences):
        raise ExportError(
            f"There must be as many references as sentences. Received: {len(references)} and {len(sentences)}"
        )
    tokenizer = bundle.made(bundle.tokenizers[0], Tokenizer)
    names = tokenizer.pieces(range(len(tokenizer)))
    words = [number for number, name in enumerate(names) if name not in SPECIALS and not name.startswith("<0x")]
    draw = random.Random(1)
    drawn = [tokenizer.decode(draw.choices(words, k=length)) for length in DRAWN] if words else []
    texts = (*sentences, *drawn)
    sources = tuple(tokenizer.encode(text) for text in texts)
    for number, source in enumerate(sources, start=1):
        if len(source) > MAX_SOURCE:
            raise ExportError(
                f"A sentence must have at most {MAX_SOURCE} pieces. Received: {len(source)} in sentence {number}"
            )
    return Sample(texts, sources, len(sentences), tuple(references), origin or "drawn from the vocabulary")


def vocabularies(bundle: Bundle) -> tuple[int, int]:
    """Pieces of the source's and of the target's vocabulary."""
    source, target = (len(bundle.made(name, Tokenizer)) for name in bundle.tokenizers)
    return source, target


def content(bundle: Bundle, folder: Path, face: Face, compared: Sample) -> bytes:
    """The certificate of what lies in a folder.

    Raises:
        ExportError: it does not run, or does not say what the library says.
    """
    best, told, explained = _both(bundle, folder, face, compared)
    tokenizer = bundle.made(bundle.tokenizers[1], Tokenizer)
    expected = [
        face.expected(hypothesis, tokenizer) if source or face.by != "text" else ""  # of blank text nothing is said
        for source, hypothesis in zip(compared.sources, best, strict=True)
    ]
    said = [face.clean(words, tokenizer) for words, _ in told]
    same = sum(ours == theirs for ours, theirs in zip(said, expected, strict=True))
    scores = np.array([[score, each.score] for (_, score), each in zip(told, best, strict=True)])
    apart = float(np.abs(scores[:, 0] - scores[:, 1]).max())
    if same < len(expected) or not np.allclose(scores[:, 0], scores[:, 1], rtol=APART, atol=APART):
        raise ExportError(
            "An export must say what the library says; nothing was written. "
            f"Received: {len(expected) - same} of {len(expected)} sentences in other words, scores {apart:.2g} apart"
        )
    compare_attention(face, compared.sources[0], best[0].ids, explained)
    certificate: dict[str, Any] = {
        "form": face.form,
        "precision": face.precision,
        "model": {"name": bundle.name, "digest": bundle.digest},
        "files": files(folder),
        "versions": _versions(),
        "compared": {
            "with": face.engine.name,
            "by": face.by,
            "search": {name: getattr(plain_search(bundle), name) for name in ("beam", "length_penalty")},
            "sentences": len(expected),
            "given": compared.given,
            "origin": compared.origin,
            "same": same,
            "largest_score_difference": apart,
        },
        **_against_float32(bundle, face, compared, [hypothesis.ids for hypothesis in best]),
        **({"warm_up_requests": requests} if (requests := warmup.count(folder)) else {}),
    }
    if compared.references:
        texts = [face.text(words, tokenizer) for words in said[: compared.given]]
        measured = evaluation.score(texts, compared.references)
        certificate["bleu"] = {
            "score": measured.bleu,
            "signature": measured.signatures["bleu"],
            "sentences": measured.sentences,
            "source_sha256": _digest("\n".join(compared.texts[: compared.given]).encode()),
        }
    return json.dumps(certificate, indent=2, ensure_ascii=False).encode() + b"\n"


def _against_float32(
    bundle: Bundle, face: Face, compared: Sample, said: Sequence[tuple[int, ...]]
) -> dict[str, dict[str, Any]]:
    """Of how many sentences smaller weights say the same as the model in float32: told, not demanded."""
    if face.precision == "float32":
        return {}
    found = TensorFlowEngine(bundle).translate(compared.sources, plain_search(bundle))
    same = sum(ids == best.ids for ids, (best, *_) in zip(said, found, strict=True))
    return {"against_float32": {"with": TensorFlowEngine.name, "sentences": len(said), "same": same}}


def _both(
    bundle: Bundle, folder: Path, face: Face, compared: Sample
) -> tuple[list[Hypothesis], list[tuple[Any, float]], dict[str, Any]]:
    """What the library says, what the export says in a new process, and its attention over the first sentence."""
    order = sorted(range(len(compared.sources)), key=lambda row: len(compared.sources[row]), reverse=True)
    batches = [order[start : start + face.rows] for start in range(0, len(order), face.rows)]
    search = plain_search(bundle)
    best: dict[int, Hypothesis] = {}
    calls: list[Call] = []
    for rows in batches:
        sources = [compared.sources[row] for row in rows]
        found = face.engine.translate(sources, search)
        best |= {row: hypotheses[0] for row, hypotheses in zip(rows, found, strict=True)}
        calls.append(face.translate([compared.texts[row] for row in rows], sources))
    calls.append(face.explain(compared.texts[0], compared.sources[0], best[0].ids))
    *answers, explained = _asked(folder, calls)
    told: dict[int, tuple[Any, float]] = {}
    for rows, answer in zip(batches, answers, strict=True):
        told |= dict(zip(rows, face.read(answer), strict=True))
    return [best[row] for row in range(len(order))], [told[row] for row in range(len(order))], explained


def compare_attention(face: Face, source: list[int], target: tuple[int, ...], explained: dict[str, Any]) -> None:
    """Raises an ExportError unless an answer of `explain` has the attention (T, S) that the library gives."""
    expected = face.engine.explain(source, target)["attention"][: len(target)]
    found = np.array(explained["attention"][0], np.float32)[: len(target), : len(source) + 1]
    apart = float(np.abs(found - expected).max(initial=0.0))
    if not apart <= APART:
        raise ExportError(
            "An export must look where the library looks; nothing was written. "
            f"Received: attention that is {apart:.2g} apart"
        )


def _asked(folder: Path, calls: list[Call]) -> list[dict[str, Any]]:
    """The answers of an export to calls, in a process that has never heard of this package."""
    with tempfile.TemporaryDirectory() as work:
        asked, answers = Path(work) / "calls.json", Path(work) / "answers.json"
        asked.write_text(json.dumps(calls), encoding="utf-8")
        command = [sys.executable, "-P", str(checker.__file__), str(folder.resolve()), str(asked), str(answers)]
        limit = _SECONDS * (100 + 8 * len(calls))
        try:
            ended = subprocess.run(command, cwd=work, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise ExportError(
                f"An export must answer; nothing was written. Received: no answer within {limit} seconds"
            ) from None
        if ended.returncode:
            raise ExportError(
                f"An export must run in a new process; nothing was written. Received: {_end(ended)[:300]}"
            )
        return json.loads(answers.read_text(encoding="utf-8"))


def _end(ended: subprocess.CompletedProcess[bytes]) -> str:
    """Why a process failed, in a line: the signal that ended it, its exception, or the last that it said."""
    if ended.returncode < 0:
        number = -ended.returncode
        cause = ", as where memory runs out" if number == signal.SIGKILL else ""
        return f"a process that was ended by signal {number} ({signal.strsignal(number)}){cause}"
    lines = [line.strip() for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    raised = [line for line in lines if _EXCEPTION.match(line)]
    return [f"exit code {ended.returncode}", *lines[-1:], *raised[-1:]][-1]


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and digest of every file that runs, by its place in the folder; a manifest has a seal of its own."""
    left_out = (MANIFEST, CERTIFICATE, *_WORDS)
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in left_out)
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _digest(path.read_bytes())}
        for path in found
    }


def _versions() -> dict[str, str]:
    """Of what made the export and asked it."""
    found = {"seq2seq": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
