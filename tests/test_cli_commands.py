"""The other commands: what they hand to the library, what they print, which files and flags they refuse."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sealing import change

from seq2seq import bundle, distribution  # noqa: F401 - it imports TensorFlow, which talks when it is first imported
from seq2seq.cli import shell
from seq2seq.config import Config


@pytest.fixture(autouse=True)
def shortcuts(monkeypatch):
    monkeypatch.setattr(shell, "import_tensorflow", lambda: None)


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a module of this name and these contents in the place of one of the library's."""

    def stand_in(name: str, **contents: object) -> None:
        module = ModuleType(f"seq2seq.{name}")
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, f"seq2seq.{name}", module)
        package, _, leaf = f"seq2seq.{name}".rpartition(".")
        monkeypatch.setattr(sys.modules[package], leaf, module, raising=False)

    return stand_in


@pytest.fixture
def text(tmp_path):
    """Writes lines to a file and gives its path."""

    def text(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return text


class Bundle(SimpleNamespace):
    """What training gives back."""


class TestTrain:
    @pytest.fixture(autouse=True)
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for stem in ("a", "b", "v"):
            for ending in ("en", "de", "one", "two"):
                Path(f"{stem}.{ending}").touch()
        for name in ("a.en-de.tsv", "b.tsv", "t.tsv", "a.align"):
            Path(name).touch()

    @pytest.fixture
    def calls(self, stand_in):
        calls: list[dict] = []

        def train(files, output, **rest):
            rest["say"]("epoch  1: loss 2.5")
            calls.append({"files": files, "output": output, **rest})
            return Bundle(path=output / "model")

        stand_in(
            "pipeline",
            train=train,
            plan=lambda files, **rest: calls.append({"files": files, **rest}) or "the plan",
            Files=lambda *paths, parent, more, alignments: (*paths, *more),
            check_kind=lambda folder, flag: None,
            has_text=lambda folder: (folder / "config.yaml").exists(),
            Before=SimpleNamespace,
            Budget=lambda seconds, begun: seconds,
        )
        return calls

    def test_files_become_a_model_folder_whose_path_is_the_data(self, calls, run, text, tmp_path):
        source, target = text("a.en", "x"), text("a.de", "y")
        code, out, err = run("train", "--source", source, "--target", target, "--output", tmp_path / "run")
        assert (code, out) == (0, f"{tmp_path / 'run' / 'model'}\n")
        assert err == "epoch  1: loss 2.5\n"
        assert calls[0]["files"] == (source, target, None, None, None, None)
        assert calls[0]["settings"] == {"source_language": "en", "target_language": "de"}
        assert calls[0]["resume"] is False
        assert calls[0]["provenance"] == {}

    def test_flags_go_over_the_configuration(self, calls, run, text):
        config = text("c.yaml", "source_language: fr", "training: {epochs: 3, seed: 4}")
        flags = ("--config", config, "--set", "training.seed=5", "--set", "model.units=64", "--target-lang", "it")
        assert run("train", "--source", "a.en", "--target", "a.de", "--output", "r", *flags)[0] == 0
        assert calls[0]["settings"] == {
            "source_language": "fr",
            "target_language": "it",
            "training": {"epochs": 3, "seed": 5},
            "model": {"units": 64},
        }

    def test_several_corpora_and_their_weights(self, calls, run):
        corpora = ("--source", "a.en", "--target", "a.de", "--source", "b.en", "--target", "b.de")
        assert run("train", *corpora, "--weight", 1, "--weight", 0.5, "--output", "r")[0] == 0
        assert calls[0]["files"] == (Path("a.en"), Path("a.de"), *4 * [None], (Path("b.en"), Path("b.de")))
        assert calls[0]["settings"]["corpus"] == {"weights": [1.0, 0.5]}
        assert run("train", "--source", "a.en-de.tsv", "--source", "b.tsv", "--output", "r")[0] == 0
        assert calls[1]["files"] == (Path("a.en-de.tsv"), None, *4 * [None], (Path("b.tsv"), None))

    def test_held_out_sets_and_the_model_card(self, calls, run):
        sets = ("--valid-source", "v.en", "--valid-target", "v.de", "--test-source", "t.tsv")
        card = ("--data", "my own", "--licence", "CC0")
        assert run("train", "--source", "a.en", "--target", "a.de", "--output", "r", *sets, *card)[0] == 0
        assert calls[0]["files"][2:] == (Path("v.en"), Path("v.de"), Path("t.tsv"), None)
        assert calls[0]["provenance"] == {"data": "my own", "licence": "CC0"}

    def test_held_out_sets_may_be_named_as_the_text_is(self, calls, run):
        text = ("--source", "a.one", "--target", "a.two", "--source-lang", "en", "--target-lang", "de")
        sets = ("--valid-source", "v.one", "--valid-target", "v.two")
        assert run("train", *text, "--output", "r", *sets)[0] == 0
        code, _, err = run("train", *text, "--output", "r", "--test-source", "t.two", "--test-target", "t.one")
        assert code == 2 and "Received: t.two, two and one" in err

    def test_resume_needs_no_files_once_they_were_read(self, calls, run, tmp_path):
        folder = tmp_path / "r"
        folder.mkdir()
        code, _, err = run("train", "--output", folder, "--resume")
        assert code == 2
        assert f"--source must be given again, the run stopped before it was read. Received: {folder}" in err
        (folder / "config.yaml").touch()
        assert run("train", "--output", folder, "--resume")[0] == 0
        assert calls[0]["resume"] is True

    @pytest.mark.parametrize(
        ("flags", "preflight", "seconds"),
        [
            ((), True, None),
            (("--no-preflight",), False, None),
            (("--budget", "90s"), True, 90),
            (("--budget", "10m"), True, 600),
            (("--budget", "1h30m"), True, 5400),
        ],
    )
    def test_what_comes_before_a_training(self, flags, preflight, seconds, calls, run):
        assert run("train", "--source", "a.en", "--target", "a.de", "--output", "o", *flags)[0] == 0
        assert (calls[0]["before"].preflight, calls[0]["before"].budget) == (preflight, seconds)

    def test_a_dry_run_prints_its_plan(self, calls, run):
        flags = ("--dry-run", "--budget", "8h", "--set", "training.seed=5")
        code, out, _ = run("train", "--source", "a.en", "--target", "a.de", "--output", "o", *flags)
        assert (code, out) == (0, "the plan\n")
        assert calls[0]["budget"] == 8 * 3600
        assert calls[0]["settings"]["training"] == {"seed": 5}

    @pytest.mark.parametrize("time", ["", "10", "0m", "an hour", "5m1h", "-3m"])
    def test_a_budget_is_a_time(self, time, calls, run):
        code, _, err = run("train", "--source", "a.en", "--target", "a.de", "--output", "o", "--budget", time)
        assert code == 2
        assert f"--budget must be a time such as 90s, 10m or 1h30m. Received: {time!r}" in err

    def test_a_dry_run_resumes_nothing(self, calls, run):
        code, _, err = run("train", "--output", "o", "--dry-run", "--resume")
        assert code == 2
        assert "--dry-run shows a training that has not begun. Received: --dry-run and --resume" in err

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ((), "--source must name the text to train on, or --resume a run to go on with. Received: neither"),
            (("--source", "-"), "--source-lang and --target-lang must be given here."),
            (("--source", "a.en", "--target", "a.de", "--valid-target", "v"), "--valid-target needs --valid-source."),
            (("--source", "a.en", "--target", "a.de", "--source", "b"), "--target must be given for each --source, or"),
            (("--source", "a.en", "--target", "a.de", "--weight", "1", "--weight", "2"), "none. Received: 2, for 1"),
            (
                ("--source", "a.en", "--target", "a.de", "--source", "b.de", "--target", "b.en"),
                "All text must be of the same languages, en and de, in this order; exchange the two, or name the text "
                "as it is. Received: b.de, de and en",
            ),
            (
                ("--source", "a.en", "--target", "a.de", "--valid-source", "v.fi", "--valid-target", "v.en"),
                "name the text as it is. Received: v.fi, fi and en",
            ),
            (
                ("--source", "a.en", "--target", "a.de", "--test-source", "t.de-en.tsv"),
                "name the text as it is. Received: t.de-en.tsv, de and en",
            ),
            (
                ("--source", "news.de-en.tsv", "--source-lang", "en", "--target-lang", "de"),
                "The text must be en and de, in this order; exchange the two, or name the text as it is. "
                "Received: news.de-en.tsv, de and en",
            ),
            (("--source", "a.en", "--target", "a.de", "--set", "training.epoch=1"), "nearest is training.epochs."),
            (("--source", "a.en", "--target", "a.de", "--set", "model.units=0"), "model.units must be"),
            (("--source", "a.en", "--target", "a.de", "--config", "none.yaml"), "must be a readable text file."),
        ],
    )
    def test_what_cannot_be_meant_is_refused_before_anything_is_read(self, flags, sentence, calls, run):
        code, out, err = run("train", "--output", "r", *flags)
        assert (code, out) == (2, "")
        assert sentence in err
        assert calls == []

    @pytest.mark.parametrize("missing", ["a.en", "a.de", "b.en", "v.de", "t.tsv", "a.align"])
    def test_a_missing_file_is_met_before_tensorflow_is_imported(self, missing, calls, run, monkeypatch):
        monkeypatch.setattr(shell, "import_tensorflow", lambda: pytest.fail("it takes seconds"))
        Path(missing).unlink()
        text = ("--source", "a.en", "--target", "a.de", "--source", "b.en", "--target", "b.de")
        sets = ("--valid-source", "v.en", "--valid-target", "v.de", "--test-source", "t.tsv")
        links = ("--alignment", "a.align", "--alignment", "a.align")
        code, out, err = run("train", *text, *sets, *links, "--output", "r")
        sentence = f"A corpus must be a file that can be read. Received: {missing} (it does not exist)"
        assert (code, out, err) == (3, "", f"seq2seq: error: {sentence}\n")

    def test_a_missing_parent_is_met_before_tensorflow_is_imported(self, calls, run, monkeypatch):
        monkeypatch.setattr(shell, "import_tensorflow", lambda: pytest.fail("it takes seconds"))
        code, _, err = run("train", "--source", "a.en", "--target", "a.de", "--output", "r", "--init-from", "none")
        assert (code, "must be an existing folder. Received: none, which" in err) == (4, True)

    def test_files_that_were_read_or_are_another_machines_need_not_be_there(self, calls, run, monkeypatch):
        for name in ("a.en", "a.de"):
            Path(name).unlink()
        text = ("--source", "a.en", "--target", "a.de")
        assert run("train", *text, "--output", "r", "--resume", "--init-from", "none")[0] == 0
        cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
        assert run("train", *text, "--output", "r")[0] == 0
        assert len(calls) == 2

    def test_an_interruption_says_how_to_go_on(self, stand_in, run):
        interrupted = type("Interrupted", (Exception,), {"__module__": "seq2seq.pipeline"})

        def train(*_, **__):
            raise interrupted("stopped; continue with --resume")

        stand_in(
            "pipeline",
            train=train,
            Files=lambda *paths, parent, more, alignments: (*paths, *more),
            Before=SimpleNamespace,
        )
        code, out, err = run("train", "--source", "a.en", "--target", "a.de", "--output", "r")
        assert (code, out) == (130, "")
        assert "continue with --resume" in err


class TestPrepare:
    def test_the_report_is_printed(self, run, text, tmp_path):
        words = [f"{a} {b}" for a in ("a red", "a blue", "one") for b in ("cat", "dog", "bird", "house", "tree", "car")]
        source = text("c.en", *(f"I saw {word} on the street ." for word in words))
        target = text("c.de", *(f"Ich sah {word} auf der Straße ." for word in words))
        code, out, err = run("prepare", source, target, "--output", tmp_path / "out", "--json", "--test", 0)
        assert (code, err) == (0, "")
        report = json.loads(out)
        assert report["languages"] == ["en", "de"]
        assert report["read"] == len(words)
        code, out, _ = run("prepare", source, target, "--output", tmp_path / "out2")
        assert code == 0
        assert "pairs read" in out
        assert (tmp_path / "out2" / "train.en").exists()

    def test_limits_and_files_reach_the_library(self, run, monkeypatch):
        from seq2seq import corpus

        seen = {}

        def prepare(source, target, **rest):
            seen.update(rest, files=(source, target))
            return SimpleNamespace(report="the report")

        monkeypatch.setattr(corpus, "prepare", prepare)
        limits = ("--max-characters", 50, "--max-ratio", 2.5, "--valid", 7, "--unicode", "NFKC", "--seed", 3)
        code, out, _ = run(
            "prepare", "c.tsv", "--output", "o", "--source-lang", "en", "--target-lang", "de", *limits,
            "--test-source", "t.en", "--test-target", "t.de",
        )  # fmt: skip
        assert (code, out) == (0, "the report\n")
        assert seen["files"] == (Path("c.tsv"), None)
        assert (seen["source_language"], seen["target_language"]) == ("en", "de")
        assert seen["cleaning"] == corpus.Cleaning(max_characters=50, max_ratio=2.5, unicode="NFKC")
        files = (Path("t.en"), Path("t.de"))
        assert seen["holdout"] == corpus.Holdout(valid=7, test=2000, seed=3, test_files=files)

    @pytest.mark.parametrize("use", ["valid", "test"])
    def test_held_out_text_of_other_languages_is_refused(self, use, run, text, tmp_path):
        files = text("c.en", "a"), text("c.de", "b")
        other = (f"--{use}-source", files[1], f"--{use}-target", files[0])
        code, _, err = run("prepare", *files, "--output", tmp_path / "o", *other)
        assert code == 2
        assert (
            f"All text must be of the same languages, en and de, in this order; exchange the two, or name the text "
            f"as it is. Received: {files[1]}, de and en" in err
        )
        assert not (tmp_path / "o").exists()

    def test_files_of_different_length_are_bad_data(self, run, text, tmp_path):
        code, out, err = run("prepare", text("c.en", "a", "b"), text("c.de", "a"), "--output", tmp_path / "o")
        assert (code, out) == (3, "")
        assert "equally many lines" in err

    @pytest.mark.parametrize("more", [(), ("--source-lang", "en", "--target-lang", "de")], ids=["bare", "languages"])
    def test_one_side_alone_is_bad_data(self, run, text, tmp_path, more):
        code, _, err = run("prepare", text("c.en", "a", "b"), "--output", tmp_path / "o", *more)
        assert code == 3
        assert f"text needs a second file, with its translations. Received: {tmp_path / 'c.en'}:1" in err

    @pytest.mark.parametrize("more", [(), ("--source-lang", "en", "--target-lang", "de")], ids=["bare", "languages"])
    def test_a_table_beside_a_second_file_is_bad_data(self, run, text, tmp_path, more):
        table = text("c.en-fi.tsv", "a\tb")
        code, _, err = run("prepare", table, text("c.de", "a"), "--output", tmp_path / "o", *more)
        assert code == 3
        assert f"A table of pairs must be given alone, without a second file. Received: {table}" in err

    def test_a_folder_is_bad_data(self, run, text, tmp_path):
        code, _, err = run("prepare", tmp_path, text("c.de", "a"), "--output", tmp_path / "o")
        assert code == 3
        assert "a directory" in err

    def test_lines_without_a_pair_are_named(self, run, text, tmp_path):
        rows = [f"a {n} cat\teine {n} Katze" for n in range(30)]
        rows[4] = rows[9] = "a line without a tab"
        code, out, _ = run("prepare", text("c.en-de.tsv", *rows), "--output", tmp_path / "o")
        assert code == 0
        assert "malformed, lines 5, 10\n" in out

    def test_a_missing_file_is_bad_data(self, run, tmp_path):
        code, _, err = run("prepare", tmp_path / "c.en", tmp_path / "c.de", "--output", tmp_path / "o")
        assert code == 3
        assert str(tmp_path / "c.en") in err


@dataclass
class Upper:
    """Translates by writing capitals."""

    config: Config = field(default_factory=Config)
    engine_name: str = "stand-in"
    source_language: str = "en"
    target_language: str = "de"

    def stream(self, lines, *, search, terms):
        flags = ("lost",) * (not terms.protect)
        return (SimpleNamespace(text=line.upper(), flags=flags) for line in lines)


class TestEvaluate:
    @pytest.fixture(autouse=True)
    def translator(self, monkeypatch):
        monkeypatch.setattr(shell, "load", lambda model, engine, threads=None: Upper())

    def test_scores_signatures_speed_and_engine(self, run, text):
        source = text("s", "the house is red", "two cats sat on it")
        reference = text("r", "THE HOUSE IS RED", "TWO CATS SAT ON IT")
        code, out, err = run("evaluate", "model", "--source", source, "--reference", reference, "--json")
        card = json.loads(out)
        assert (code, err) == (0, "")
        assert card["bleu"] == pytest.approx(100)
        assert card["chrf"] == pytest.approx(100)
        assert card["ter"] == pytest.approx(0)
        assert set(card["signatures"]) == {"bleu", "chrf", "ter"}
        assert card["engine"] == "stand-in"
        assert card["sentences"] == 2
        assert card["sentences_per_second"] > 0
        code, out, _ = run("evaluate", "model", "--source", source, "--reference", reference, "--greedy")
        assert code == 0
        assert "BLEU" in out and "100.0" in out
        assert "stand-in" in out and "beam 1" in out
        assert card["signatures"]["bleu"] in out

    def test_flags_are_counted(self, run, text):
        flags = ("--source", text("s", "a", "b"), "--reference", text("r", "A", "B"))
        assert json.loads(run("evaluate", "m", *flags, "--json")[1])["flags"] == {}
        assert json.loads(run("evaluate", "m", *flags, "--no-protect", "--json")[1])["flags"] == {"lost": 2}
        assert "lost 2" in run("evaluate", "m", *flags, "--no-protect")[1]

    def test_the_translations_can_be_kept(self, run, text, tmp_path):
        source = text("s", "a", "")
        assert run("evaluate", "m", "--source", source, "--reference", source, "--output", tmp_path / "o")[0] == 0
        assert (tmp_path / "o").read_bytes() == b"A\n\n"

    @pytest.mark.parametrize("read", ["--source", "--reference"])
    def test_what_is_read_is_not_overwritten(self, run, text, read):
        flags = {"--source": text("s", "a"), "--reference": text("r", "b")}
        given = [part for flag in flags.items() for part in flag]
        code, out, err = run("evaluate", "m", *given, "--output", flags[read])
        assert (code, out) == (2, "")
        assert f"The output must be another file than those that are read. Received: {flags[read]}" in err
        assert [path.read_text() for path in flags.values()] == ["a\n", "b\n"]

    def test_an_output_that_cannot_be_written_costs_no_translations(self, run, text, tmp_path, monkeypatch):
        monkeypatch.setattr(Upper, "stream", lambda *_, **__: pytest.fail("it translated"))
        source = text("s", "a")
        code, _, err = run(
            "evaluate", "m", "--source", source, "--reference", source, "--output", tmp_path / "no" / "o"
        )
        assert code == 1 and "No such file or directory" in err

    def test_a_missed_gate_is_code_1_after_the_card(self, run, text):
        flags = ("--source", text("s", "a b c d e"), "--reference", text("r", "A B C D x"))
        code, out, err = run("evaluate", "model", *flags, "--minimum-bleu", 99)
        assert code == 1
        assert "BLEU" in out
        assert "BLEU must be at least 99.0. Received: " in err
        assert run("evaluate", "model", *flags, "--minimum-bleu", 1)[0] == 0

    def test_against_a_second_model(self, run, text):
        sentences = [f"sentence {n} of the test set is this one" for n in range(20)]
        flags = ("--source", text("s", *sentences), "--reference", text("r", *map(str.upper, sentences)))
        code, out, _ = run("evaluate", "model", *flags, "--against", "other", "--json")
        card = json.loads(out)
        assert code == 0
        assert card["against"]["model"] == "other"
        assert card["bootstrap"]
        assert run("evaluate", "model", *flags, "--against", "other")[0] == 0

    def test_what_goes_the_other_way_is_refused_before_anything_is_translated(self, run, text, monkeypatch):
        monkeypatch.setattr(Upper, "stream", lambda *_, **__: pytest.fail("it translated"))
        files = text("s.de", "a"), text("s.en", "a")
        code, out, err = run("evaluate", "m", "--source", files[0], "--reference", files[1])
        assert (code, out) == (2, "")
        assert (
            f"The text must be en and de, in this order; exchange the two, or name the text as it is. "
            f"Received: {files[0]}, de and en" in err
        )
        others = {"m": Upper(), "other": Upper(source_language="de", target_language="en")}
        monkeypatch.setattr(shell, "load", lambda model, engine, threads=None: others[str(model)])
        code, out, err = run("evaluate", "m", "--source", files[1], "--reference", files[0], "--against", "other")
        assert (code, out) == (2, "")
        assert "must translate between the same languages to be compared, en to de; name another one. " in err
        assert "Received: other, de to en" in err

    def test_different_lengths_are_bad_data_with_both_counts(self, run, text):
        source, reference = text("s", "a", "b", "c"), text("r", "a")
        code, out, err = run("evaluate", "model", "--source", source, "--reference", reference)
        assert (code, out) == (3, "")
        assert f"must have the same number of lines. Received: {source} with 3, {reference} with 1" in err

    def test_an_empty_test_set_is_bad_data(self, run, text):
        for sources, references in (([], []), (["", " "], ["a", "b"]), (["a", "b"], ["", " "])):
            given = ("--source", text("s", *sources), "--reference", text("r", *references))
            code, _, err = run("evaluate", "model", *given)
            assert code == 3
            assert "must hold at least one sentence" in err

    def test_a_table_is_bad_data(self, run, text):
        source, table = text("s", "a"), text("r.tsv", "a\tb")
        code, _, err = run("evaluate", "model", "--source", source, "--reference", table)
        assert code == 3
        assert f"in a file for each language; seq2seq prepare makes such files of a table. Received: {table}" in err

    def test_undecodable_references_are_bad_data(self, run, text, tmp_path):
        (tmp_path / "r").write_bytes(b"a\n\xff\n")
        code, _, err = run("evaluate", "model", "--source", text("s", "a", "b"), "--reference", tmp_path / "r")
        assert code == 3
        assert f"{tmp_path / 'r'}, line 2" in err

    @pytest.mark.parametrize(
        ("pack", "what"),
        [
            (gzip.compress, "packed; gunzip unpacks it"),
            (bz2.compress, "packed; bunzip2 unpacks it"),
            (lzma.compress, "packed; unxz unpacks it"),
            (lambda data: data.decode().encode("utf-16"), "UTF-16 or UTF-32; iconv -f UTF-16 -t UTF-8 converts it"),
        ],
    )
    def test_what_is_packed_or_utf_16_is_called_so(self, run, text, tmp_path, pack, what):
        (tmp_path / "r").write_bytes(pack(b"das Haus\n"))
        code, _, err = run("evaluate", "model", "--source", text("s", "a"), "--reference", tmp_path / "r")
        assert code == 3
        assert f"Input must be text in UTF-8. Received: {tmp_path / 'r'} ({what})" in err

    def test_without_sacrebleu_nothing_is_translated_first(self, run, text, monkeypatch):
        monkeypatch.setitem(sys.modules, "sacrebleu", None)
        monkeypatch.setattr(Upper, "stream", lambda *_, **__: pytest.fail("it translated"))
        code, _, err = run("evaluate", "m", "--source", text("s", "a"), "--reference", text("r", "a"))
        assert code == 1
        assert "this needs sacrebleu, which is not installed: pip install 'seq2seq[train]'" in err


class TestExport:
    @pytest.fixture
    def seen(self, stand_in, monkeypatch):
        seen = []

        def export(model, form, output, **rest):
            seen.append((form, output, rest))
            return output

        monkeypatch.setattr(bundle, "load", lambda path: SimpleNamespace(source_language="de-AT", target_language="en"))
        stand_in("export", export=export)
        return seen

    def test_a_bundle_goes_in_and_a_path_comes_out(self, run, seen):
        assert run("export", "m", "--format", "saved_model_ids", "--output", "o") == (0, "o\n", "")
        [(form, output, rest)] = seen
        assert (form, output) == ("saved_model_ids", Path("o"))
        assert rest["sentences"][0] == "Wo ist der nächste Bahnhof?"
        assert (rest["precision"], rest["references"], rest["origin"]) == ("", [], "examples")

    def test_a_test_set_takes_the_place_of_our_sentences(self, run, seen, text):
        sources, references = text("mine.de", "a", "b"), text("mine.en", "c", "d")
        flags = ("--source", sources, "--reference", references, "--precision", "float16")
        assert run("export", "m", "--format", "litert", "--output", "o", *flags)[0] == 0
        assert seen[0][2] == {
            "precision": "float16",
            "sentences": ["a", "b"],
            "references": ["c", "d"],
            "origin": "mine.de",
        }
        code, _, err = run(
            "export", "m", "--format", "litert", "--output", "o", "--source", references, "--reference", sources
        )
        assert (code, len(seen)) == (2, 1)
        assert "The text must be de-AT and en, in this order; exchange the two" in err

    def test_flags_that_do_nothing_are_refused(self, run, seen, text):
        code, _, err = run("export", "m", "--format", "litert", "--output", "o", "--reference", text("r", "a"))
        assert (code, seen) == (2, [])
        assert "--reference needs --source. Received: --reference alone" in err
        code, _, err = run("export", "m", "--format", "model", "--output", "o", "--precision", "int8")
        assert (code, seen) == (2, [])
        assert "--precision is for --format litert and web. Received: --precision int8 for model" in err

    def test_the_form_must_be_named(self, run):
        code, _, err = run("export", "m", "--output", "o")
        assert code == 2
        assert "--format" in err


class TestServe:
    def test_the_address_reaches_the_service(self, run, monkeypatch):
        from seq2seq.web import service

        seen = []
        monkeypatch.setattr(service, "serve", lambda *models, **rest: seen.append((models, rest)))
        assert run("serve") == (0, "", "")
        assert run("serve", "m", "--host", "0.0.0.0", "--port", 0, "--engine", "tensorflow")[0] == 0
        assert seen[0][0] == ()
        assert seen[0][1]["host"] == "127.0.0.1"
        assert seen[1][0] == (Path("m"),)
        assert (seen[1][1]["host"], seen[1][1]["port"], seen[1][1]["engine"]) == ("0.0.0.0", 0, "tensorflow")

    def test_ctrl_c_ends_it_without_a_word(self, run, monkeypatch):
        from seq2seq.web import service

        def serve(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(service, "serve", serve)
        assert run("serve") == (130, "", "")


class TestInfo:
    @pytest.fixture
    def model(self, tmp_path, stand_in):
        stand_in("engine", load=lambda loaded: SimpleNamespace(name="litert-int8"))
        header = {"a": {"dtype": "F16", "shape": [3, 5]}, "b": {"dtype": "F16", "shape": [7]}, "__metadata__": {}}
        table = json.dumps(header).encode()
        score = {"test": "test", "engine": "litert-int8", "beam": 5, "bleu": 38.25, "signatures": {"bleu": "nrefs:1"}}
        bundle.write(
            tmp_path / "run" / "model",
            config=Config(source_language="en", target_language="de"),
            files={
                "model.tflite": b"x" * 1500,
                "weights.safetensors": struct.pack("<Q", len(table)) + table + b"0" * 44,
            },
            provenance={"pairs": 1234, "licence": "CC0", "history": [1, 2]},
            scores=[score],
        )
        return tmp_path / "run"

    def test_everything_as_json(self, model, run):
        code, out, err = run("info", model, "--json")
        facts = json.loads(out)
        assert (code, err) == (0, "")
        assert (facts["source_language"], facts["target_language"]) == ("en", "de")
        assert facts["parameters"] == 22
        assert facts["engine"] == "litert-int8"
        assert facts["files"]["model.tflite"] == 1500
        assert facts["scores"][0]["bleu"] == 38.25
        assert facts["config"]["model"]["units"] == 512

    def test_what_matters_as_text(self, model, run):
        out = run("info", model)[1]
        for words in (
            "en -> de",
            "litert-int8",
            "22",
            "litert-int8, beam 5: BLEU 38.2",
            "nrefs:1",
            "CC0",
            "1,234",
            str(model / "model"),
        ):
            assert words in out
        assert "history" not in out

    @pytest.mark.parametrize("command", [("info",), ("translate",), ("export", "--format", "litert", "--output", "o")])
    def test_a_model_that_is_not_there_is_code_4(self, command, run, tmp_path):
        code, out, err = run(*command, tmp_path / "none")
        assert (code, out) == (4, "")
        assert str(tmp_path / "none") in err

    @pytest.mark.parametrize(
        "edit",
        [
            lambda content: content["provenance"].update(parent="mother"),
            lambda content: content["provenance"].update(parent={"name": 1}),
            lambda content: content["scores"][0].update(bleu="good"),
            lambda content: content["scores"][0].update(chrf=None),
            lambda content: content["scores"][0].update(signatures=["nrefs:1"]),
        ],
    )
    def test_a_model_that_tells_what_cannot_be_shown_is_code_4(self, model, run, edit):
        change(model / "model", edit)
        code, out, err = run("info", model)
        assert (code, out, err.count("\n")) == (4, "", 1)
        assert "numbers for scores, and a name for its parent. Received: " in err

    def test_a_damaged_model_is_code_4(self, model, run):
        path = model / "model" / "model.tflite"
        path.write_bytes(b"y" + path.read_bytes()[1:])
        code, out, err = run("info", model)
        assert (code, out) == (4, "")
        assert "model.tflite" in err
