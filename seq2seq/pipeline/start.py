"""What a run begins with: clean text, tokenizers, the resolved configuration.

It owns how the settings of a run come about; it does not know training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from seq2seq import config, corpus
from seq2seq.config import Config
from seq2seq.pipeline.run import Files, PipelineError, Run, replace
from seq2seq.tokenizer import Tokenizer, TokenizerError
from seq2seq.tokenizer import train as train_tokenizer

Say = Callable[[str], None]


def start(files: Files, run: Run, settings: Mapping[str, Any], say: Say) -> None:
    """Writes what a run begins with: its data, its tokenizers and, last, its resolved configuration."""
    report = _prepare(files, run, config.build(dict(settings)))
    say(str(report))
    languages = dict(zip(("source_language", "target_language"), report.languages, strict=True))
    resolved = config.build(config.defaults(report.splits["train"]), dict(settings), languages)
    vocabulary = _train_tokenizers(run, resolved, "vocabulary" in settings.get("tokenizer", {}), say)
    resolved = config.build(msgspec.to_builtins(resolved), {"tokenizer": {"vocabulary": vocabulary}})
    replace(run.config, config.dump(resolved).encode())


def _prepare(files: Files, run: Run, asked: Config) -> corpus.Report:
    wanted = asked.corpus
    prepared = corpus.prepare(
        files.source,
        files.target,
        output=run.data,
        source_language=asked.source_language,
        target_language=asked.target_language,
        cleaning=corpus.Cleaning(wanted.max_characters, wanted.max_ratio, wanted.unicode),
        holdout=corpus.Holdout(
            wanted.valid,
            wanted.test,
            asked.training.seed,
            valid_files=(files.valid_source, files.valid_target) if files.valid_source else None,
            test_files=(files.test_source, files.test_target) if files.test_source else None,
        ),
    )
    if prepared.valid is None:
        raise PipelineError("Training needs pairs to validate on; corpus.valid must be at least 1. Received: 0")
    return prepared.report


def _train_tokenizers(run: Run, resolved: Config, exact: bool, say: Say) -> int:
    """Writes the tokenizers and returns the size of the largest.

    A vocabulary that nobody asked for gives way to the largest that the corpus supports.
    """
    wanted, texts = resolved.tokenizer, run.pair("train", resolved)
    sizes = []
    for name, sentences in zip(run.sides(resolved), ([*texts[0], *texts[1]],) if wanted.joint else texts, strict=False):

        def learn(vocabulary: int, sentences: Sequence[str] = sentences) -> bytes:
            form, symbols = resolved.corpus.unicode, wanted.symbols
            return train_tokenizer(sentences, vocabulary=vocabulary, kind=wanted.kind, symbols=symbols, form=form)

        try:
            model = learn(wanted.vocabulary)
        except TokenizerError as error:
            if exact or not error.largest:
                raise
            model = learn(error.largest)
        replace(run.folder / name, model)
        sizes.append(len(Tokenizer(model)))
        say(f"{name}: {sizes[-1]:,} pieces")
    return max(sizes)
