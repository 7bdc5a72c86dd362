"""Several corpora are prepared as one: nothing leaks between them, and it is known whose pairs are whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq.corpus import CorpusError, Holdout, Mixture, prepare


def files(folder: Path, name: str, rows: list[tuple[str, str]]) -> tuple[Path, Path]:
    paths = folder / f"{name}.en", folder / f"{name}.de"
    for path, side in zip(paths, zip(*rows, strict=True), strict=True):
        path.write_text("".join(text + "\n" for text in side), encoding="utf-8")
    return paths


def rows(name: str, count: int) -> list[tuple[str, str]]:
    return [(f"the {name} number {n}", f"{name} Nummer {n}, ja") for n in range(count)]


@pytest.fixture
def corpora(tmp_path) -> tuple[tuple[Path, Path], ...]:
    shared = ("they are in both", "sie sind in beiden")
    return files(tmp_path, "one", [*rows("cat", 60), shared]), files(tmp_path, "two", [shared, *rows("dog", 40)])


def read(paths: tuple[Path, Path]) -> list[tuple[str, str]]:
    return list(zip(*(path.read_text(encoding="utf-8").splitlines() for path in paths), strict=True))


def test_the_pairs_of_each_stand_together_and_are_counted(corpora, tmp_path):
    made = prepare(Mixture(corpora), output=tmp_path / "out", holdout=Holdout(valid=5, test=5))
    first, second = made.report.corpora
    train = read(made.train)
    assert first + second == len(train) == 91
    assert {pair[0].split()[1] for pair in train[first:]} == {"dog"}
    assert {pair[0].split()[1] for pair in train[:first]} <= {"cat", "are"}
    everything = [*train, *read(made.valid), *read(made.test)]
    assert sorted(everything) == sorted({*read(corpora[0]), *read(corpora[1])}), "the shared pair stays once"
    assert f"train, of corpus 2{second:>26,}" in str(made.report)
    assert made.report.files == tuple(str(path) for pair in corpora for path in pair)


def test_a_sentence_of_one_is_not_held_out_while_another_trains_on_it(tmp_path):
    one = files(tmp_path, "one", rows("cat", 50))
    two = files(tmp_path, "two", [(source, f"{target}!") for source, target in rows("cat", 50)])
    made = prepare(Mixture((one, two)), output=tmp_path / "out", holdout=Holdout(valid=8, test=8))
    assert made.valid and made.test
    train = {source for source, _ in read(made.train)}
    assert not train & {source for paths in (made.valid, made.test) for source, _ in read(paths)}


def test_a_single_corpus_is_a_mixture_of_one(corpora, tmp_path):
    made = prepare(*corpora[0], output=tmp_path / "out", holdout=Holdout(valid=5, test=5))
    assert made.report.corpora == (51,)
    assert "of corpus" not in str(made.report)


def test_each_of_them_must_be_there(corpora, tmp_path):
    with pytest.raises(CorpusError, match=r"none\.en"):
        prepare(Mixture((corpora[0], (tmp_path / "none.en", corpora[1][1]))), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
