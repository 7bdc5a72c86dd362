"""The tokenizers of a run, trained on its clean text.

It owns their files and sizes; it does not know what else a run begins with.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import msgspec

from seq2seq import config
from seq2seq.config import Config
from seq2seq.pipeline.run import Run, replace
from seq2seq.tokenizer import Tokenizer, TokenizerError
from seq2seq.tokenizer import train as train_tokenizer

Say = Callable[[str], None]


def learn(run: Run, resolved: Config, exact: bool, say: Say) -> Config:
    """Writes the tokenizers and returns the configuration with the size of the largest.

    A vocabulary that nobody asked for gives way to the largest that the corpus supports; where its characters alone
    take more than that, as those of Japanese may, it grows until half of its size is left for longer pieces. Of two
    vocabularies the smaller one gives way even where somebody asked: that is what a resolved configuration asks for.

    Arguments:
        exact: whether somebody asked for it.
    """
    wanted, languages = resolved.tokenizer, (resolved.source_language, resolved.target_language)
    sizes: list[int] = []
    refused: list[TokenizerError] = []
    for name, read in zip(run.sides(resolved), (languages,) if wanted.joint else zip(languages), strict=False):

        def make(vocabulary: int, read: Sequence[str] = read) -> bytes:
            form, symbols = resolved.corpus.unicode, wanted.symbols
            sentences = itertools.chain.from_iterable(run.lines("train", language) for language in read)
            return train_tokenizer(sentences, vocabulary=vocabulary, kind=wanted.kind, symbols=symbols, form=form)

        try:
            model = make(wanted.vocabulary) if exact else _fitting(make, wanted.vocabulary)
        except TokenizerError as error:
            refused.append(error)
            if not error.largest or len(refused) == len(set(run.sides(resolved))):
                raise
            model = make(error.largest)
        replace(run.folder / name, model)
        sizes.append(len(Tokenizer(model)))
        say(f"{name}: {sizes[-1]:,} pieces")
    return config.build(msgspec.to_builtins(resolved), {"tokenizer": {"vocabulary": max(sizes)}})


def _fitting(make: Callable[[int], bytes], size: int) -> bytes:
    """A tokenizer of about this size: what has grown for its characters may then be too much for the corpus."""
    room = size // 2
    for _ in range(2):
        try:
            return make(size)
        except TokenizerError as error:
            if not (error.largest or error.smallest):
                raise
            size = error.largest or error.smallest + room
    return make(size)
