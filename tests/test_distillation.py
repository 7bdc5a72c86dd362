"""Distillation: which translation a line gets, and that a run that was killed goes on where it stopped."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from scripted import tokens, write

from seq2seq import distillation
from seq2seq.cli import shell, streams
from seq2seq.config import Config, SearchConfig
from seq2seq.distillation import (
    BLANK,
    JOURNAL,
    OMITTED,
    REFERENCE,
    TRANSLATED,
    DistillationError,
    Journal,
    Line,
    choose,
)
from seq2seq.translator import Candidate, Translation
from seq2seq.translator.scoring import Score

LANGUAGES = Config(source_language="en", target_language="de")


def translation(source: str, *texts: str, flags: tuple[str, ...] = (), finished: bool = True) -> Translation:
    candidates = tuple(Candidate(text, 0.0, 0.0, (), finished) for text in texts)
    return Translation(source, texts[0], 0.0, candidates, (), (), "stand-in", flags)


class Teacher:
    """Writes a line backwards; `fail` stops it when it comes to a line, and "bad" is cut."""

    source_language, target_language, engine_name, config = "en", "de", "stand-in", LANGUAGES

    def __init__(self, fail: str = "") -> None:
        self.fail = fail
        self.asked: list[str] = []

    def stream(self, lines, *, search: SearchConfig):
        for line in lines:
            if self.fail and line == self.fail:
                raise KeyboardInterrupt
            self.asked.append(line)
            texts = [line[::-1] + "!" * n for n in range(search.n_best)]
            yield translation(line, *texts, flags=("cut",) if line == "bad" else ())


@pytest.mark.parametrize(
    ("said", "reference", "line"),
    [
        (translation("a cat", "Katze"), "eine Katze", Line(TRANSLATED, "a cat", "Katze")),
        (translation("a cat", "Hund", "Katze", "Katz"), "eine Katze", Line(TRANSLATED, "a cat", "Katze")),
        (translation("a cat", "Hund", "Katze"), " ", Line(TRANSLATED, "a cat", "Hund")),
        (translation("a cat", "Katze", flags=("skips",)), "", Line(TRANSLATED, "a cat", "Katze")),
        (translation("a cat", "Katze", flags=("cut",)), "Mieze", Line(REFERENCE, "a cat", "Mieze")),
        (translation("a cat", "Katze", finished=False), "Mieze", Line(REFERENCE, "a cat", "Mieze")),
        (translation("a cat", "", flags=("empty",)), "", Line(OMITTED, "a cat", "")),
        (translation("a cat", "x", flags=("repeats",)), " ", Line(OMITTED, "a cat", "")),
        (translation("a cat", "ja ja ja ja ja", "ein Hund"), "ja ja", Line(TRANSLATED, "a cat", "ein Hund")),
        (translation("  ", "  "), "x", Line(BLANK, "  ", "")),
    ],
)
def test_what_a_line_becomes(said, reference, line):
    assert choose(said, said.source, reference) == line


@pytest.fixture
def corpus(tmp_path) -> tuple[Path, Path]:
    source, target = tmp_path / "a.en", tmp_path / "a.de"
    source.write_text("one\n\nbad\nfour words stand here\nbad\n", encoding="utf-8")
    target.write_text("eins\n\nschlecht\nvier\n\n", encoding="utf-8")
    return source, target


@pytest.fixture
def teacher(monkeypatch) -> Teacher:
    from seq2seq import bundle

    made = Teacher()
    monkeypatch.setattr(shell, "load", lambda model, engine, threads=None: made)
    monkeypatch.setattr(bundle, "load", lambda model, verify: type("Bundle", (), {"digest": str(model)}))
    monkeypatch.setattr(streams, "silence", lambda: None)
    return made


def test_a_corpus_comes_out_in_order(run, corpus, teacher, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run("distill", "model", "--source", corpus[0], "--target", corpus[1], "--output", out)
    assert (code, stdout) == (0, f"{out / 'train.en'}\n{out / 'train.de'}\n")
    assert (out / "train.en").read_text() == "one\n\nbad\nfour words stand here\n"
    assert (out / "train.de").read_text() == "eno\n\nschlecht\nereh dnats sdrow ruof\n"
    assert "2 translated, 1 blank, 1 reference, 1 left out" in stderr
    assert f"next: seq2seq train --source {out / 'train.en'} --target {out / 'train.de'} --output STUDENT" in stderr
    assert "--valid-source VALID.en --valid-target VALID.de" in stderr
    assert sorted(path.name for path in out.iterdir()) == ["train.de", "train.en"]


def test_the_originals_follow(run, corpus, teacher, tmp_path):
    arguments = ("--source", corpus[0], "--target", corpus[1], "--output", tmp_path / "out", "--keep-original")
    assert run("distill", "model", *arguments)[0] == 0
    said = (tmp_path / "out" / "train.de").read_text().split("\n")
    assert said[4:] == ["eins", "schlecht", "vier", ""]


def test_a_table_is_bad_data(run, teacher, tmp_path):
    table = tmp_path / "pairs.en-de.tsv"
    table.write_text("a\tb\n")
    code, _, err = run("distill", "model", "--source", table, "--output", tmp_path / "out")
    assert code == 3
    assert f"seq2seq prepare makes such files of a table. Received: {table}" in err


def test_text_without_a_sentence_is_bad_data(run, teacher, tmp_path):
    (tmp_path / "blank.en").write_text(" \n\n")
    code, out, err = run("distill", "model", "--source", tmp_path / "blank.en", "--output", tmp_path / "out")
    assert (code, out) == (3, "")
    assert "must hold at least one sentence. Received: " in err
    assert not (tmp_path / "out").exists()


def test_sets_that_lie_beside_the_text_are_named_for_the_student(run, corpus, teacher, tmp_path):
    for name in ("valid.en", "valid.de"):
        (tmp_path / name).touch()
    *_, said = run("distill", "model", "--source", corpus[0], "--output", tmp_path / "out")
    assert f"--valid-source {tmp_path / 'valid.en'} --valid-target {tmp_path / 'valid.de'} --test-source TEST" in said


def test_the_next_command_can_be_given_as_it_is_printed(run, teacher, tmp_path):
    folder = tmp_path / "what I have"
    folder.mkdir()
    for name in ("a.en", "valid.en", "valid.de"):
        (folder / name).write_text("one\n", encoding="utf-8")
    *_, said = run("distill", "model", "--source", folder / "a.en", "--output", folder / "out")
    words = shlex.split(said.partition("next: ")[2])
    assert words[:6] == ["seq2seq", "train", "--source", f"{folder}/out/train.en", "--target", f"{folder}/out/train.de"]
    assert words[-8:-4] == ["--valid-source", f"{folder}/valid.en", "--valid-target", f"{folder}/valid.de"]


@pytest.mark.parametrize("torn", [b"", b'["translated", "fo'], ids=["whole", "torn"])
def test_what_was_stopped_goes_on_behind_the_last_line(run, corpus, teacher, tmp_path, torn):
    arguments = ("distill", "model", "--source", corpus[0], "--target", corpus[1], "--n-best", 2)
    assert run(*arguments, "--output", tmp_path / "whole")[0] == 0
    teacher.fail = "four words stand here"
    code, _, said = run(*arguments, "--output", tmp_path / "parts")
    told = f"stopped; what is done is saved. The same command goes on, in {tmp_path / 'parts'}"
    assert (code, said) == (130, f"seq2seq: note: {told}\n")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [JOURNAL]
    with (tmp_path / "parts" / JOURNAL).open("ab") as file:
        file.write(torn)
    teacher.fail, teacher.asked = "", []
    assert run(*arguments, "--output", tmp_path / "parts")[0] == 0
    assert teacher.asked == ["four words stand here", "bad"]
    for name in ("train.en", "train.de"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class TestRefusals:
    @pytest.fixture
    def stopped(self, run, corpus, teacher, tmp_path) -> Path:
        teacher.fail = "four words stand here"
        assert run("distill", "model", "--source", corpus[0], "--output", tmp_path / "out")[0] == 130
        return tmp_path / "out"

    def test_another_model(self, run, corpus, stopped):
        code, _, said = run("distill", "other", "--source", corpus[0], "--output", stopped)
        assert code == 1
        assert "goes on with the model and the settings that it was begun with; other ones need a new folder" in said

    def test_another_text(self, run, corpus, stopped):
        corpus[0].write_text("one\n\ngood\n", encoding="utf-8")
        code, _, said = run("distill", "model", "--source", corpus[0], "--output", stopped)
        assert code == 1
        assert f"another one needs a new folder. Received: {stopped}, begun with another line 3" in said

    def test_other_translations_of_the_text(self, run, corpus, teacher, tmp_path):
        arguments = ("distill", "model", "--source", corpus[0], "--target", corpus[1], "--output", tmp_path / "out")
        teacher.fail = "four words stand here"
        assert run(*arguments)[0] == 130
        corpus[1].write_text("eins\n\ngut\nvier\n\n", encoding="utf-8")
        code, _, said = run(*arguments)
        assert code == 1
        assert "goes on with the model and the settings that it was begun with" in said

    def test_a_second_process(self, tmp_path):
        with (
            Journal(tmp_path / "out", {}),
            pytest.raises(DistillationError, match=r"in one process at a time\. Received: .*out, in use$"),
            Journal(tmp_path / "out", {}),
        ):
            pass
        with Journal(tmp_path / "out", {}) as journal:
            assert journal.done == 0

    def test_records_that_were_hurt(self, run, corpus, stopped):
        records = (stopped / JOURNAL).read_bytes().replace(b'["blank"', b'"blank"')
        (stopped / JOURNAL).write_bytes(records)
        code, _, said = run("distill", "model", "--source", corpus[0], "--output", stopped)
        assert code == 1
        assert "goes on from its own records, unhurt; begin again in a new folder. Received: " in said

    def test_a_folder_in_use(self, run, corpus, teacher, tmp_path):
        code, _, said = run("distill", "model", "--source", corpus[0], "--output", tmp_path)
        assert code == 1
        assert "The output must be a new folder, or one where a distillation was stopped. Received: " in said
        assert not (tmp_path / JOURNAL).exists()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--n-best", 3), "--n-best needs --target or --back. Received: --n-best alone"),
            (("--back", "other"), "--back needs --n-best 2 or more, to choose from. Received: --back alone"),
            (("--keep-original",), "--keep-original needs --target. Received: --keep-original alone"),
            (("--n-best", 9, "--target", "a.de"), "n_best must be at most the beam. Received: n_best 9, beam 5"),
            (("--target", "-"), "Text to distill must be in files, which are read more than once. Received: -"),
        ],
    )
    def test_flags(self, run, corpus, teacher, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        code, _, said = run("distill", "model", "--source", "a.en", "--output", "out", *arguments)
        assert (code, said) == (2, f"seq2seq: error: {message}\n")
        assert not (tmp_path / "out").exists()

    def test_a_model_that_does_not_translate_back(self, run, corpus, teacher, tmp_path):
        arguments = ("--source", corpus[0], "--output", tmp_path / "out", "--n-best", 2, "--back", "other")
        code, _, said = run("distill", "model", *arguments)
        assert code == 1
        assert "must translate from de to en. Received: a model from en to de" in said
        assert not (tmp_path / "out").exists()

    def test_text_of_the_other_direction(self, run, corpus, teacher, tmp_path):
        arguments = ("--source", corpus[1], "--target", corpus[0], "--output", tmp_path / "out")
        code, _, said = run("distill", "model", *arguments)
        assert code == 2
        assert (
            f"The text must be en and de, in this order; exchange the two, or name the text as it is. "
            f"Received: {corpus[1]}, de and en" in said
        )
        assert not (tmp_path / "out").exists()

    def test_files_of_different_length(self, run, corpus, teacher, tmp_path):
        corpus[1].write_text("eins\n", encoding="utf-8")
        arguments = ("--source", corpus[0], "--target", corpus[1], "--output", tmp_path / "out")
        code, _, said = run("distill", "model", *arguments)
        assert code == 3
        assert "Source and target must have the same number of lines. Received: " in said


class Back:
    """Finds no source in what ends with so many exclamation marks as one, or as none."""

    source_language, target_language = "de", "en"

    def score(self, sources, targets):
        return [
            Score(*pair, 0.0, 0.0 if pair[0].endswith("!!") else -9.0, (), (), "")
            for pair in zip(sources, targets, strict=True)
        ]


def test_where_there_is_no_reference_the_one_that_leads_back_is_kept(tmp_path):
    pairs, search = [("ab", ""), ("cd", "dc")], SearchConfig(n_best=3)
    made = distillation.distill(Teacher(), lambda: pairs, tmp_path / "out", search=search, identity={}, back=Back())
    assert made.target.read_text() == "ba!!\ndc\n"


def test_the_text_is_on_the_disk_before_the_journal_goes(run, corpus, teacher, tmp_path, monkeypatch):
    sizes, flush = [], os.fsync

    def seen(descriptor: int) -> None:
        assert (tmp_path / "out" / JOURNAL).exists()
        sizes.append(os.fstat(descriptor).st_size)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    assert run("distill", "model", "--source", corpus[0], "--output", tmp_path / "out")[0] == 0
    assert sizes == [(tmp_path / "out" / f"train.{side}").stat().st_size for side in ("en", "de")]


def test_a_model_folder_is_a_teacher(run, tmp_path):
    words = [f"{one} {other} ." for one in ("rot", "blau", "gut") for other in ("der Hund", "das Haus", "ein Baum")]
    (tmp_path / "a.en").write_text("\n".join(words), encoding="utf-8")
    folder = write(tmp_path / "model")
    assert run("distill", folder, "--source", tmp_path / "a.en", "--output", tmp_path / "out", "--beam", 2)[0] == 0
    said = (tmp_path / "out" / "train.de").read_text(encoding="utf-8").split("\n")[:-1]
    pieces = tokens()
    assert said == [pieces.decode(pieces.encode(line)[::-1]) for line in words]


def test_progress_knows_what_is_left(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    moments = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr(streams.time, "monotonic", lambda: next(moments))
    progress = streams.Progress("lines", total=400)
    progress.reach(101)  # a hundred were done before
    progress.reach(300)
    assert "[###############.....] 300 lines, 2 a second, 1 minutes left" in capsys.readouterr().err


def test_a_library_user_sees_the_same(tmp_path):
    with pytest.raises(DistillationError, match=r"^The output must be a new folder"):
        distillation.distill(Teacher(), list, Path(os.devnull), search=SearchConfig(), identity={})
    made = distillation.distill(
        Teacher(), lambda: [("ab", "x")], tmp_path / "out", search=SearchConfig(), identity={}, keep_original=True
    )
    assert made.counts == {"translated": 1, "original": 1}
    assert made.target.read_text() == "ba\nx\n"
