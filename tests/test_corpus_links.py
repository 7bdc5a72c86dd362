"""Word alignments follow their pairs: through cleaning, duplicates and splits, of one corpus and of several."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from seq2seq.corpus import CorpusError, Holdout, Mixture, prepare

FEW = Holdout(valid=4, test=4)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
    return path


def corpus(folder: Path, name: str, rows: list[tuple[str, str, str]]) -> tuple[tuple[Path, Path], Path]:
    """Source, target and alignment files of these rows."""
    source, target, links = (
        write(folder / f"{name}.{ending}", list(side))
        for ending, side in zip(("en", "de", "links"), zip(*rows, strict=True), strict=True)
    )
    return (source, target), links


def rows(word: str, count: int) -> list[tuple[str, str, str]]:
    """Row n has the link that says its number, so that it can be told from the others."""
    return [
        (f"{word} {n} is here" + " now" * n, f"hier ist {word} {n}" + " jetzt" * n, f"{n}-{n}") for n in range(count)
    ]


def prepared(folder: Path, *corpora: tuple[tuple[Path, Path], Path], holdout: Holdout = FEW) -> list[tuple[str, str]]:
    """Source and links of each line of the training text."""
    pairs, links = zip(*corpora, strict=True)
    made = prepare(Mixture(pairs, links), output=folder / "out", holdout=holdout)
    lines = made.train[0].read_text(encoding="utf-8").splitlines()
    return list(zip(lines, (folder / "out" / "train.align").read_text(encoding="utf-8").splitlines(), strict=True))


def number(source: str) -> str:
    return source.split()[1]


def test_links_follow_their_pairs_through_cleaning_duplicates_and_splits(tmp_path):
    given = rows("cat", 40)
    given[3:3] = [("", "leer", "0-0"), ("same", "same", "0-0"), ("a", "b " * 60, "0-0")]  # these are left out
    given.insert(20, (*given[10][:2], "1-1"))  # a duplicate: the first stays, with its links
    given.append(("dog  50 \t is   here", "hier ist Hund 50\r", "0-2 1-3  2-1"))
    kept = dict(prepared(tmp_path, corpus(tmp_path, "one", given)))
    assert kept.pop("dog 50 is here", "0-2 1-3 2-1") == "0-2 1-3 2-1"
    assert len(kept) > 25
    assert all(links == f"{number(source)}-{number(source)}" for source, links in kept.items())


def test_links_of_several_corpora_stay_with_them(tmp_path):
    kept = prepared(tmp_path, *(corpus(tmp_path, name, rows(name, 20)) for name in ("cat", "dog")))
    assert {source.split()[0] for source, _ in kept} == {"cat", "dog"}
    assert all(links == f"{number(source)}-{number(source)}" for source, links in kept)


def test_a_line_may_be_empty_and_a_file_compressed_and_pairs_in_one_file(tmp_path):
    given = [(source, target, links if n % 2 else "") for n, (source, target, links) in enumerate(rows("cat", 30))]
    pairs = write(
        tmp_path / "all.en-de.tsv", ["source\ttarget", *(f"{source}\t{target}" for source, target, _ in given)]
    )
    links = tmp_path / "links.gz"
    links.write_bytes(gzip.compress("\n".join(line for *_, line in given).encode()))
    kept = prepared(tmp_path, ((pairs, None), links))
    assert all(
        line == ("" if int(number(source)) % 2 == 0 else f"{number(source)}-{number(source)}") for source, line in kept
    )


def test_many_blocks_of_pairs_keep_their_lines(tmp_path):
    given = [(f"cat {n} here", f"hier Katze {n}", f"{n % 3}-{n % 2}") for n in range(9000)]
    kept = prepared(tmp_path, corpus(tmp_path, "one", given))
    assert len(kept) > 8900
    assert all(links == f"{int(number(source)) % 3}-{int(number(source)) % 2}" for source, links in kept)


def test_without_alignments_nothing_is_written_of_them(tmp_path):
    pair, _ = corpus(tmp_path, "one", rows("cat", 20))
    prepare(Mixture((pair,)), output=tmp_path / "out", holdout=FEW)
    assert not (tmp_path / "out" / "train.align").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a b", "c d", "0-0 1"), "An alignment must hold links such as 0-0 1-2 2-1. Received: {}:6, '0-0 1'"),
        (("a b", "c d", "0-0 2-1"), "counted from 0. Received: {}:6, 2-1, for 2 and 2 words"),
        (("a b", "c d", "1-2"), "counted from 0. Received: {}:6, 1-2, for 2 and 2 words"),
        (("a b\xa0c", "c d", "1-1"), "must be separated by plain blanks; align the text that seq2seq prepare writes. "),
        (("a \x01 b", "c d", "1-1"), "Received: {}:6, 'a \\x01 b'"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, row, message):
    pair, links = corpus(tmp_path, "one", [*rows("cat", 5), row, *rows("dog", 9)])
    with pytest.raises(CorpusError) as raised:
        prepare(Mixture((pair,), (links,)), output=tmp_path / "out", holdout=FEW)
    assert message.format(links) in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lines", [19, 21, 0])
def test_there_must_be_a_line_for_each_pair(tmp_path, lines):
    pair, links = corpus(tmp_path, "one", rows("cat", 20))
    write(links, ["0-0"] * lines)
    with pytest.raises(CorpusError, match=rf"a line for each pair. Received: .*one.links with {lines}, for 20 pairs"):
        prepare(Mixture((pair,), (links,)), output=tmp_path / "out", holdout=FEW)


def test_text_and_alignment_are_not_both_stdin(tmp_path):
    pair, _ = corpus(tmp_path, "one", rows("cat", 20))
    with pytest.raises(CorpusError, match="must be another file than its text. Received: - and -"):
        prepare(Mixture((("-", pair[1]),), ("-",)), output=tmp_path / "out", source_language="en", target_language="de")


def test_text_whose_words_stay_may_be_cleaned(tmp_path):
    given = [*rows("cat", 30), ("caf\u0065\u0301\x01 au lait", "Milch\u200b kaffee da", "0-1")]
    kept = dict(prepared(tmp_path, corpus(tmp_path, "one", given), holdout=Holdout(valid=1, test=0, seed=2)))
    assert kept["caf\xe9 au lait"] == "0-1"
