"""From raw files to train, valid and test in one call: what is kept, what is said, and that nothing is half-written."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seq2seq import corpus
from seq2seq.config import CorpusConfig
from seq2seq.corpus import Cleaning, CorpusError, Holdout, OutputError, Prepared, prepare
from seq2seq.corpus.text import fold_all

Pairs = list[tuple[str, str]]


def sentences(count: int, seed: int = 1) -> Pairs:
    """Different pairs whose two sides are about as long as each other."""
    draw = random.Random(seed)
    return [(" ".join(words), " ".join(word[::-1] for word in words) + ".") for words in numbered(count, draw)]


def numbered(count: int, draw: random.Random) -> list[list[str]]:
    return [["w" * draw.randint(2, 6) for _ in range(draw.randint(2, 9))] + [f"n{n}"] for n in range(count)]


def files(folder: Path, pairs: Pairs, stem: str = "raw") -> tuple[Path, Path]:
    paths = folder / f"{stem}.en", folder / f"{stem}.de"
    for path, side in zip(paths, zip(*pairs, strict=True), strict=True):
        path.write_bytes("".join(text + "\n" for text in side).encode("utf-8", "surrogatepass"))
    return paths


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode()
    assert text.endswith("\n")
    return text.split("\n")[:-1]


def pairs_of(paths: tuple[Path, Path] | None) -> Pairs:
    assert paths is not None
    return list(zip(lines(paths[0]), lines(paths[1]), strict=True))


def everything(made: Prepared) -> Pairs:
    return [pair for part in (made.train, made.valid, made.test) if part for pair in pairs_of(part)]


def said(made: Prepared) -> str:
    """All warnings, without line breaks."""
    return " ".join(made.report.warnings)


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = CorpusConfig()
    assert Cleaning() == Cleaning(settings.max_characters, settings.max_ratio, settings.unicode)
    assert (Holdout().valid, Holdout().test) == (settings.valid, settings.test)


class TestWhatComesOut:
    def test_every_good_pair_is_in_one_of_three_places(self, tmp_path: Path) -> None:
        raw = sentences(300)
        made = prepare(*files(tmp_path, raw), output=tmp_path / "out")
        assert sorted(everything(made)) == sorted(raw)
        assert [len(pairs_of(part)) for part in (made.train, made.valid, made.test)] == [240, 30, 30]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            *("report.json", "test.de", "test.en", "train.de", "train.en", "valid.de", "valid.en")
        ]
        assert not made.report.warnings

    def test_order_is_kept(self, tmp_path: Path) -> None:
        raw = sentences(300)
        made = prepare(*files(tmp_path, raw), output=tmp_path / "out")
        for part in (made.train, made.valid, made.test):
            places = [raw.index(pair) for pair in pairs_of(part)]
            assert places == sorted(places)

    def test_the_same_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        paths = files(tmp_path, sentences(200))
        one, other = (prepare(*paths, output=tmp_path / name) for name in "ab")
        for path in (tmp_path / "a").iterdir():
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        different = prepare(*paths, output=tmp_path / "c", holdout=Holdout(seed=2))
        assert pairs_of(one.test) == pairs_of(other.test) != pairs_of(different.test)

    def test_a_new_process_gives_the_same_bytes(self, tmp_path: Path) -> None:
        paths = [str(path) for path in files(tmp_path, sentences(200))]
        code = "import sys; from seq2seq import corpus; corpus.prepare(*sys.argv[1:3], output=sys.argv[3])"
        for name in "ab":
            subprocess.run([sys.executable, "-c", code, *paths, str(tmp_path / name)], check=True, timeout=100)
        for path in (tmp_path / "a").iterdir():
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()

    def test_no_sentence_of_valid_or_test_stands_elsewhere(self, tmp_path: Path) -> None:
        draw = random.Random(5)
        sources, targets = zip(*sentences(150), strict=True)
        raw = [
            (draw.choice(sources), draw.choice([str.upper, str.title, str])(draw.choice(targets))) for _ in range(90)
        ]
        raw += sentences(400)[150:]
        made = prepare(*files(tmp_path, raw), output=tmp_path / "out")
        for side in (0, 1):
            train, valid, test = (
                set(fold_all(lines(part[side]))) for part in (made.train, made.valid, made.test) if part
            )
            assert not train & valid
            assert not train & test
            assert not valid & test
        assert made.report.leaks["test"] == {"source": 0, "target": 0, "both": 0}

    def test_languages_can_be_given(self, tmp_path: Path) -> None:
        path = tmp_path / "c.tsv"
        path.write_text("".join(f"{one}\t{two}\n" for one, two in sentences(40)), encoding="utf-8")
        made = prepare(path, output=tmp_path / "out", source_language="nds", target_language="pt-BR")
        assert [path.name for path in made.train] == ["train.nds", "train.pt-BR"]

    def test_standard_input(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "".join(f"{one}\t{two}\n" for one, two in sentences(40))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        made = prepare("-", output=tmp_path / "out", source_language="en", target_language="de")
        assert sorted(everything(made)) == sorted(sentences(40))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_pipes_can_be_read_once_only_and_are(self, tmp_path: Path) -> None:
        pipes = []
        for path in files(tmp_path, sentences(3000)):
            pipes.append(path.with_stem("pipe"))
            os.mkfifo(pipes[-1])
            threading.Thread(target=pipes[-1].write_bytes, args=(path.read_bytes(),), daemon=True).start()
        made = prepare(*pipes, output=tmp_path / "out")
        assert made.report.read == 3000

    def test_a_second_run_replaces_the_first(self, tmp_path: Path) -> None:
        prepare(*files(tmp_path, sentences(100)), output=tmp_path / "out")
        made = prepare(*files(tmp_path, sentences(60, 2)), output=tmp_path / "out", holdout=Holdout(test=0))
        assert made.test is None
        assert sorted(everything(made)) == sorted(sentences(60, 2))
        assert not (tmp_path / "out/test.en").exists()

    def test_files_of_the_first_are_gone_if_the_second_has_other_languages(self, tmp_path: Path) -> None:
        pair = files(tmp_path, sentences(100))
        prepare(*pair, output=tmp_path / "out")
        (tmp_path / "out/notes.de").touch()
        prepare(*pair, output=tmp_path / "out", source_language="en", target_language="ja", holdout=Holdout(test=0))
        left = {path.name for path in (tmp_path / "out").iterdir()}
        assert left == {"train.en", "train.ja", "valid.en", "valid.ja", "report.json", "notes.de"}

    @pytest.mark.parametrize("told", ["[]", '{"languages": 7}', '{"languages": ["../x", 7]}', "[" * 100_000, "\xff"])
    def test_a_report_of_something_else_tells_no_languages(self, tmp_path: Path, told: str) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/report.json").write_bytes(told.encode("latin-1"))
        assert prepare(*files(tmp_path, sentences(40)), output=tmp_path / "out").report.read == 40

    def test_progress_is_told(self, tmp_path: Path) -> None:
        told: list[int] = []
        prepare(*files(tmp_path, sentences(5000)), output=tmp_path / "out", progress=told.append)
        assert told[-1] == 5000
        assert len(told) > 1


class TestGivenFiles:
    def test_are_taken_whole_and_nothing_is_drawn(self, tmp_path: Path) -> None:
        odd = [("same", "same"), ("a", "b" * 2000), ("  two   spaces ", "x\r"), ("twice", "zwei"), ("twice", "zwei")]
        valid, test = files(tmp_path, odd, "dev"), files(tmp_path, sentences(30, 7), "tst")
        holdout = Holdout(valid_files=valid, test_files=test)
        made = prepare(*files(tmp_path, sentences(100)), output=tmp_path / "out", holdout=holdout)
        assert pairs_of(made.valid) == [*odd[:2], ("two spaces", "x"), *odd[3:]]
        assert pairs_of(made.test) == sentences(30, 7)
        assert pairs_of(made.train) == sentences(100)
        assert made.report.held_out["valid"]["kept"] == 5

    def test_references_keep_their_characters(self, tmp_path: Path) -> None:
        holdout = Holdout(test_files=files(tmp_path, [("Ａ half ½", "Ｂ halb ½\u0308")], "tst"))
        wide = [(f"Ａ {one}", f"Ｂ {other}") for one, other in sentences(100)]
        cleaning = Cleaning(unicode="NFKC")
        made = prepare(*files(tmp_path, wide), output=tmp_path / "out", holdout=holdout, cleaning=cleaning)
        assert pairs_of(made.test) == [("A half 1⁄2", "Ｂ halb ½\u0308")]
        assert all(one[0] + other[0] == "AB" for one, other in pairs_of(made.train))

    def test_a_pair_without_text_is_left_out_and_said(self, tmp_path: Path) -> None:
        test = files(tmp_path, [*sentences(5, 7), ("", "leer")], "tst")
        made = prepare(*files(tmp_path, sentences(100)), output=tmp_path / "out", holdout=Holdout(test_files=test))
        assert pairs_of(made.test) == sentences(5, 7)
        assert said(made) == "1 of the 6 given test pairs have no text and were left out."

    def test_their_sentences_in_train_are_listed(self, tmp_path: Path) -> None:
        raw = sentences(100)
        test = [(raw[41][0].upper() + "!", "ganz anders"), ("quite different", raw[50][1]), raw[60], *sentences(7, 9)]
        made = prepare(
            *files(tmp_path, raw),
            output=tmp_path / "out",
            holdout=Holdout(valid=0, test_files=files(tmp_path, test, "tst")),
        )
        assert made.report.leaks["test"] == {"source": 2, "target": 2, "both": 1}
        finding = next(finding for finding in made.report.findings if finding.kind == "test sentences in train")
        assert finding.count == 3
        assert [(example.line, example.note) for example in finding.examples] == [
            (3, "both sides; train line 61"),
            (1, "the source; train line 42"),
            (2, "the target; train line 51"),
        ]
        assert "3 of the 10 test pairs have a sentence that stands in train too" in said(made)

    def test_a_drawn_test_set_that_stands_in_a_given_valid_set_is_told(self, tmp_path: Path) -> None:
        raw = sentences(100)
        given = Holdout(valid_files=files(tmp_path, raw, "val"), test=20)
        made = prepare(*files(tmp_path, raw), output=tmp_path / "out", holdout=given)
        assert "10 of the 10 test pairs have a sentence that stands in valid too" in said(made)
        apart = Holdout(valid_files=files(tmp_path, sentences(20, 9), "val"), test=20)
        assert "stands in valid" not in said(prepare(*files(tmp_path, raw), output=tmp_path / "two", holdout=apart))

    def test_of_different_length_are_refused(self, tmp_path: Path) -> None:
        test = files(tmp_path, sentences(5, 7), "tst")
        test[0].write_bytes(b"one line\n")
        with pytest.raises(CorpusError, match=r"tst\.en with 1 and .*tst\.de with 5"):
            prepare(*files(tmp_path, sentences(99)), output=tmp_path / "out", holdout=Holdout(test_files=test))

    def test_without_a_pair_are_refused(self, tmp_path: Path) -> None:
        test = files(tmp_path, [("", "")], "tst")
        with pytest.raises(CorpusError, match=r"Given test files must hold at least one pair\. Received: .*tst\.en:1"):
            prepare(*files(tmp_path, sentences(99)), output=tmp_path / "out", holdout=Holdout(test_files=test))


class TestWhatIsDropped:
    def test_for_every_reason(self, tmp_path: Path) -> None:
        good = sentences(100)
        bad = {
            "empty": [("", "x"), ("x", " \u2028\t"), ("\x00", "y")],
            "source equals target": [("Tom", " Tom ")],
            "too long": [("x" * 1001, "y" * 900)],
            "length ratio": [("x" * 20, "y" * 4)],
            "duplicate": [good[3], (f" {good[4][0]}\r", good[4][1]), good[3]],
        }
        fine = [("x" * 19, "y"), ("z" * 1000, "z" * 251)]
        raw = [*good, *(pair for pairs in bad.values() for pair in pairs), *fine]
        source, target = files(tmp_path, raw)
        source.write_bytes(source.read_bytes() + b"caf\xe9\nok\n")
        target.write_bytes(target.read_bytes() + b"ok\n\xed\xa0\x80\n")
        made = prepare(source, target, output=tmp_path / "out")
        expected = {"malformed": 0, "undecodable": 2, **{reason: len(pairs) for reason, pairs in bad.items()}}
        assert made.report.dropped == expected
        assert (made.report.read, made.report.kept) == (113, 102)
        assert made.report.undecodable == {str(source): [112], str(target): [113]}
        assert sorted(everything(made)) == sorted([*good, *fine])
        assert [example.line for example in made.report.drop_examples["empty"]] == [101, 102, 103]

    def test_limits_are_the_callers(self, tmp_path: Path) -> None:
        raw = [*sentences(50), ("x" * 40, "y" * 15), ("ﬁn " * 5, "ende")]
        made = prepare(
            *files(tmp_path, raw),
            output=tmp_path / "out",
            cleaning=Cleaning(max_characters=30, max_ratio=2, unicode="NFKC"),
        )
        assert made.report.dropped["too long"] > 0
        assert all(len(side) <= 30 for pair in everything(made) for side in pair)
        assert ("fin fin fin fin fin", "ende") in everything(made)

    def test_much_of_it_is_a_warning(self, tmp_path: Path) -> None:
        made = prepare(*files(tmp_path, sentences(50) * 2 + [("a", "")] * 20), output=tmp_path / "out")
        assert said(made) == "17 % of the pairs were dropped: empty. 42 % of the pairs were dropped as duplicate."

    def test_a_malformed_line_is_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "c.en-de.tsv"
        path.write_text("".join(f"{one}\t{two}\n" for one, two in sentences(40)) + "no tab\n\n", encoding="utf-8")
        made = prepare(path, output=tmp_path / "out")
        assert (made.report.dropped["malformed"], made.report.dropped["empty"]) == (1, 1)

    def test_enormous_lines_do_no_harm(self, tmp_path: Path) -> None:
        raw = [*sentences(40), ("x" * 100_000, "y"), ("z", "\x00" * 100_000), ("a" * 100_000, "b" * 100_001)]
        made = prepare(*files(tmp_path, raw), output=tmp_path / "out")
        assert sorted(everything(made)) == sorted(sentences(40))
        assert made.report_file.stat().st_size < 10_000


class TestTheDoctor:
    def report(self, folder: Path, odd: Pairs) -> dict[str, corpus.Finding]:
        made = prepare(*files(folder, [*sentences(200), *odd]), output=folder / "out")
        assert sorted(everything(made))  # whatever the doctor says, the pairs stay
        return {finding.kind: finding for finding in made.report.findings}

    def test_lists_near_duplicates(self, tmp_path: Path) -> None:
        one = sentences(200)[6]
        found = self.report(
            tmp_path, [(one[0].title() + "!", one[1]), (one[0], "“" + one[1].upper() + "”"), (one[0], "x")]
        )
        finding = found["near-duplicates"]
        assert finding.count == 2
        assert [(example.line, example.note) for example in finding.examples] == [
            (201, "like line 7"),
            (202, "like line 7"),
        ]
        assert finding.examples[0].source == one[0].title() + "!"

    def test_lists_outlying_lengths_and_ratios(self, tmp_path: Path) -> None:
        found = self.report(tmp_path, [("w" * 900, "m" * 950), ("w" * 60, "m" * 16)])
        assert [example.line for example in found["outlying lengths"].examples] == [201]
        assert [example.note for example in found["outlying length ratios"].examples] == ["60 and 16 characters"]

    @pytest.mark.parametrize(
        ("text", "kind", "note"),
        [
            ("Ã¼ber", "mojibake", "Ã¼"),
            ("donâ€™t", "mojibake", "â€"),
            ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "mojibake", None),
            ("lost \ufffd", "replacement characters", "�"),
            ("icon \ue0a0", "private characters", "U+E0A0"),
            ("don\x92t", "control characters", "U+0092"),
            ("zero\x00", "control characters", "U+0000"),
            ("black &amp; white", "markup", "&amp;"),
            ("a <br/> b", "markup", "<br/>"),
        ],
    )
    def test_lists_odd_encodings(self, tmp_path: Path, text: str, kind: str, note: str | None) -> None:
        found = self.report(tmp_path, [(text, "etwas")])
        assert list(found) == [kind]
        assert [example.line for example in found[kind].examples] == [201]
        assert note is None or found[kind].examples[0].note == note

    def test_finds_nothing_in_good_text(self, tmp_path: Path) -> None:
        good = [
            "Â la carte? NÃO!",
            "Pâté, âne",
            "x < y & z > 3",
            "Ñandú, Ðe",
            "AT&T; R&D",
            "naïve Ångström œuvre Œdipe",
        ]
        assert not self.report(tmp_path, [(text, text + "!") for text in good])

    def test_many_odd_encodings_are_a_warning(self, tmp_path: Path) -> None:
        made = prepare(*files(tmp_path, [(one + " Ã¼", two) for one, two in sentences(30)]), output=tmp_path / "out")
        assert said(made).startswith("30 of 30 pairs hold mojibake: UTF-8 that was once read as another encoding.")


class TestAlignment:
    def test_sides_that_are_not_parallel_are_a_loud_warning(self, tmp_path: Path) -> None:
        sources, targets = (list(side) for side in zip(*sentences(500), strict=True))
        random.Random(1).shuffle(targets)
        made = prepare(*files(tmp_path, list(zip(sources, targets, strict=True))), output=tmp_path / "out")
        assert said(made).startswith("The two sides do not look like translations of each other")
        assert "WARNING: The two sides do not look like translations" in str(made.report).splitlines()[-2]

    def test_a_shift_is_a_warning_that_names_it(self, tmp_path: Path) -> None:
        sources, targets = (list(side) for side in zip(*sentences(3000), strict=True))
        made = prepare(*files(tmp_path, list(zip(sources[2:], targets[:-2], strict=True))), output=tmp_path / "out")
        assert "Lines 1 to 2,998 look misaligned: the target stands 2 lines too late there." in said(made)


class TestTheReport:
    def test_says_the_same_to_programs_and_people(self, tmp_path: Path) -> None:
        made = prepare(*files(tmp_path, [*sentences(1200), ("", "x")]), output=tmp_path / "out")
        told = json.loads(made.report_file.read_text(encoding="utf-8"))
        assert told == json.loads(json.dumps(made.report.to_dict()))
        assert told["read"] == 1201
        assert told["splits"] == {"train": 960, "valid": 120, "test": 120}
        assert told["settings"]["max_ratio"] == 4.0
        text = str(made.report)
        assert re.search(r"pairs read +1,201\n", text)
        assert re.search(r"dropped: empty +1 +0\.1 %\n", text)
        assert "correlation of the line lengths: 1.00" in text

    def test_cannot_turn_the_readers_terminal(self, tmp_path: Path) -> None:
        evil = [("\u202eevil\x1b[31m Ã¼", "boese Ã¼")]
        text = str(prepare(*files(tmp_path, sentences(50) + evil), output=tmp_path / "out").report)
        assert "evil" in text
        assert not set(text) & {"\u202e", "\x1b"}


class TestRefused:
    def refused(self, folder: Path, *args: object, **options: object) -> str:
        before = sorted(folder.rglob("*"))
        with pytest.raises((CorpusError, OutputError)) as caught:
            prepare(*args, **{"output": folder / "out", **options})  # type: ignore[arg-type]
        assert sorted(folder.rglob("*")) == before, "something was written"
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_three_lines(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(3))
        assert self.refused(tmp_path, source, target) == (
            f"A corpus must have at least 10 pairs left to train on. Received: {source}:3 (3 pairs read, 3 left)"
        )

    def test_nothing_left(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, [("same", "same")] * 40 + [("", "")])
        assert self.refused(tmp_path, source, target).endswith(
            f"Received: {source}:41 (41 pairs read, 0 left; dropped: 1 empty, 40 source equals target)"
        )

    def test_empty_files(self, tmp_path: Path) -> None:
        for name in ("a.en", "a.de", "a.en-de.tsv", "a.en-de.csv", "a.en-de.jsonl", "a.tmx"):
            (tmp_path / name).write_bytes(b"")
        assert "a.en:0 (0 pairs read" in self.refused(tmp_path, tmp_path / "a.en", tmp_path / "a.de")
        for name in ("a.en-de.tsv", "a.en-de.csv", "a.en-de.jsonl"):
            assert f"{name}:0 (0 pairs read" in self.refused(tmp_path, tmp_path / name)
        message = self.refused(tmp_path, tmp_path / "a.tmx", source_language="en", target_language="de")
        assert "a.tmx:0 (0 pairs read" in message

    def test_different_lengths(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(30))
        target.write_bytes(target.read_bytes() + b"one more\n")
        assert self.refused(tmp_path, source, target).endswith(f"Received: {source} with 30 and {target} with 31")

    def test_different_lengths_and_where_they_begin_to_differ(self, tmp_path: Path) -> None:
        pairs = sentences(3000)
        source, target = files(tmp_path, pairs)
        source.write_text("".join(f"{text}\n" for text, _ in pairs[2:]), encoding="utf-8")
        assert self.refused(tmp_path, source, target) == (
            f"Two aligned files must have equally many lines. Received: {source} with 2,998 and {target} with 3,000 "
            "(in lines 1 to 2,998 the target stands 2 lines too late)"
        )

    def test_a_table_in_the_place_of_lines(self, tmp_path: Path) -> None:
        pair = files(tmp_path, sentences(40))
        table = tmp_path / "held.en-de.tsv"
        table.write_text("a\tb\n", encoding="utf-8")
        must = f"A table of pairs must be given alone, without a second file. Received: {table}"
        assert self.refused(tmp_path, table, pair[1]) == must
        assert self.refused(tmp_path, *pair, holdout=Holdout(test_files=(table, pair[1]))) == must

    def test_missing_directory_and_binary(self, tmp_path: Path) -> None:
        _, target = files(tmp_path, sentences(30))
        assert "no.en (it does not exist)" in self.refused(tmp_path, tmp_path / "no.en", target)
        (tmp_path / "folder.en").mkdir()
        assert "(a directory)" in self.refused(tmp_path, tmp_path / "folder.en", target)
        (tmp_path / "b.en").write_bytes(random.Random(1).randbytes(5000))
        assert "must be text in UTF-8" in self.refused(tmp_path, tmp_path / "b.en", target)

    def test_a_file_in_another_encoding_from_the_middle_on(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(9000))
        target.write_bytes(target.read_bytes() + "schön\n".encode("cp1252") * 1500)
        source.write_bytes(source.read_bytes() + b"nice\n" * 1500)
        assert self.refused(tmp_path, source, target) == (
            f"A corpus must be text in UTF-8. Received: {target}:9001 "
            "(1,500 of 10,500 pairs are not; iconv -f WINDOWS-1252 -t UTF-8 may convert it)"
        )

    def test_given_files_are_looked_for_first(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(30))
        holdout = Holdout(test_files=(source, tmp_path / "no.de"))
        assert "no.de (it does not exist)" in self.refused(tmp_path, source, target, holdout=holdout)

    def test_languages(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(30))
        assert "must differ. Received: de and DE" in self.refused(
            tmp_path, source, target, source_language="de", target_language="DE"
        )
        assert "Received: '../x'" in self.refused(tmp_path, source, target, source_language="../x")

    def test_one_sentence_everywhere(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, [(f"{n}", "the same") for n in range(50)])
        assert "Received: 50 pairs in 1 groups" in self.refused(tmp_path, source, target)
        assert prepare(source, target, output=tmp_path / "out", holdout=Holdout(valid=0, test=0)).valid is None

    def test_an_output_that_is_a_file(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(30))
        (tmp_path / "out").write_bytes(b"mine")
        assert self.refused(tmp_path, source, target).startswith("The output folder must be writable and have room")
        assert (tmp_path / "out").read_bytes() == b"mine"

    @pytest.mark.parametrize("name", ["train.en", "test.de"])
    def test_an_output_with_files_of_somebody_else(self, tmp_path: Path, name: str) -> None:
        source, target = files(tmp_path, sentences(30))
        mine = tmp_path / "out" / name
        mine.parent.mkdir()
        mine.write_text("mine\n")
        message = self.refused(tmp_path, source, target)
        assert message == (
            "The output folder must be new, or that of an earlier preparation. "
            f"Received: {mine}, which would be replaced"
        )
        assert mine.read_text() == "mine\n" and [path.name for path in mine.parent.iterdir()] == [name]

    def test_an_output_where_the_corpus_lies(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(30), "train")
        message = self.refused(tmp_path, source, target, output=tmp_path)
        assert message == f"The output folder must not be where the corpus lies. Received: {source}"
        assert lines(source)

    def test_an_output_whose_older_files_are_the_corpus(self, tmp_path: Path) -> None:
        made = prepare(*files(tmp_path, sentences(100)), output=tmp_path / "out")
        message = self.refused(tmp_path, *made.train, source_language="fi", target_language="ja")
        assert message == f"The output folder must not be where the corpus lies. Received: {made.train[0]}"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Cleaning(max_characters=0), "max_characters must be at least 1. Received: 0"),
            (lambda: Cleaning(max_ratio=0.5), "max_ratio must be at least 1. Received: 0.5"),
            (lambda: Cleaning(unicode="NFD"), "unicode must be NFC or NFKC. Received: 'NFD'"),  # type: ignore[arg-type]
            (lambda: Holdout(valid=-1), "valid must be at least 0 and under 2 ** 32. Received: -1"),
        ],
    )
    def test_limits_out_of_range(self, make: object, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            make()  # type: ignore[operator]


class TestNothingIsHalfWritten:
    def test_when_the_disk_is_full(self, tmp_path: Path) -> None:
        source, target = files(tmp_path, sentences(5000))
        code = (
            "import resource, sys; from seq2seq import corpus\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)\n"
            "try: corpus.prepare(*sys.argv[1:3], output=sys.argv[3])\n"
            "except corpus.OutputError as error: print(error)\n"
        )
        out = tmp_path / "out"
        for limit in (100, 100_000):
            command = [sys.executable, "-B", "-c", code, source, target, out, str(limit)]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=100, check=False)
            assert (
                done.stdout == f"The output folder must be writable and have room. Received: {out} (File too large)\n"
            )
            assert done.stderr == ""
            assert not out.exists()

    def test_and_what_stood_there_before_stays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        out = tmp_path / "out"
        prepare(*files(tmp_path, sentences(50)), output=out)
        before = {path.name: path.read_bytes() for path in out.iterdir()}

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("seq2seq.corpus.store.Store.write", full)
        with pytest.raises(
            OutputError, match=r"must be writable and have room\. Received: .*out \(No space left on device\)"
        ):
            prepare(*files(tmp_path, sentences(70, 2)), output=out)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before

    def test_when_it_is_interrupted(self, tmp_path: Path) -> None:
        def stop(read: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prepare(*files(tmp_path, sentences(50)), output=tmp_path / "out", progress=stop)
        assert not (tmp_path / "out").exists()

    def test_what_a_killed_run_left_is_removed(self, tmp_path: Path) -> None:
        left = tmp_path / "out/.preparing/train.en"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")
        prepare(*files(tmp_path, sentences(50)), output=tmp_path / "out")
        assert not left.parent.exists()
