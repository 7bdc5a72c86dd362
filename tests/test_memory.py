"""The translation memory: what is remembered is found again, durable, by several at once, and can be trained with."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from injections import PAYLOADS

from seq2seq.translation_memory import LONGEST, CorrectionError, TranslationMemory, TranslationMemoryError

PAIR = ("en", "de")


@pytest.fixture
def memory(tmp_path: Path) -> TranslationMemory:
    return TranslationMemory(tmp_path / "memory.db")


class TestMatches:
    def test_the_same_text_is_exact_whatever_its_white_space(self, memory: TranslationMemory) -> None:
        number = memory.remember(" The  dog\nran. ", "Der Hund lief.", PAIR)
        (match,) = memory.find("The dog ran.", PAIR)
        assert (match.number, match.kind, match.similarity) == (number, "exact", 1.0)
        assert (match.source, match.target) == (" The  dog\nran. ", "Der Hund lief.")

    def test_nearly_the_same_is_fuzzy_the_most_similar_first(self, memory: TranslationMemory) -> None:
        for source in ("The dog ran home.", "The dog ran.", "A cat slept.", "the dog ran"):
            memory.remember(source, source.upper(), PAIR)
        found = memory.find("The dog ran!", PAIR)
        assert [match.source for match in found] == ["the dog ran", "The dog ran.", "The dog ran home."]
        assert {match.kind for match in found} == {"fuzzy"} and all(0.7 <= match.similarity < 1 for match in found)
        assert len(memory.find("The dog ran!", PAIR, limit=1)) == 1

    def test_capitals_alone_do_not_make_an_exact_match(self, memory: TranslationMemory) -> None:
        memory.remember("polish", "polieren", PAIR)
        assert [match.kind for match in memory.find("Polish", PAIR)] == ["fuzzy"]

    def test_text_without_spaces_is_found_too(self, memory: TranslationMemory) -> None:
        memory.remember("我今天去学校了", "I went to school today", ("zh", "en"))
        assert [match.kind for match in memory.find("我昨天去学校了", ("zh", "en"))] == ["fuzzy"]

    def test_nothing_is_found_of_other_texts_and_directions(self, memory: TranslationMemory) -> None:
        memory.remember("The dog ran.", "Der Hund lief.", PAIR)
        assert memory.find("Something else entirely.", PAIR) == memory.find("The dog ran.", ("de", "en")) == []
        assert memory.find(" ", PAIR) == memory.find("?!", PAIR) == []

    def test_among_many_the_right_one_is_found(self, memory: TranslationMemory) -> None:
        draw = random.Random(0)
        words = [f"word{number}" for number in range(200)]
        texts = [" ".join(draw.choices(words, k=8)) for _ in range(2000)]
        with memory._writing():
            memory._connection.executemany(
                "INSERT INTO entries VALUES (?, 'en>de', ?, ?, ?)", [(i, t, t, t.upper()) for i, t in enumerate(texts)]
            )
            memory._connection.executemany(
                "INSERT OR IGNORE INTO words VALUES (?, ?)",
                [(f"en>de {word}", number) for number, text in enumerate(texts) for word in text.split()],
            )
        for text in texts[::500]:
            assert memory.find(text.replace("word", "word", 1) + " more", PAIR)[0].source == text


class TestKeeping:
    def test_the_newest_translation_counts(self, memory: TranslationMemory) -> None:
        first = memory.remember("dog", "Hund", PAIR)
        assert memory.remember("dog", "Köter", PAIR) == first
        assert list(memory.pairs(PAIR)) == [("dog", "Köter")]

    def test_what_is_forgotten_is_gone(self, memory: TranslationMemory) -> None:
        number = memory.remember("the dog", "der Hund", PAIR)
        assert memory.forget(number) and not memory.forget(number)
        assert memory.remember("a new one", "eines", PAIR) != number  # or who forgets it once more forgets another
        assert memory.find("the dog", PAIR) == memory.find("the dog!", PAIR) == []

    def test_a_killed_process_loses_nothing_that_was_remembered(self, tmp_path: Path) -> None:
        path = tmp_path / "memory.db"
        code = f"""
import os, signal
from seq2seq.translation_memory import TranslationMemory
memory = TranslationMemory({str(path)!r})
memory.remember("dog", "Hund", ("en", "de"))
os.kill(os.getpid(), signal.SIGKILL)
"""
        subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
        assert list(TranslationMemory(path).pairs(PAIR)) == [("dog", "Hund")]

    def test_threads_and_other_openings_of_the_file_may_write_at_once(self, tmp_path: Path) -> None:
        memories = [TranslationMemory(tmp_path / "memory.db") for _ in range(2)]

        def write(thread: int) -> None:
            for number in range(10):
                memories[thread % 2].remember(f"text {thread} {number}", "x", PAIR)

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert memories[0].directions() == [(PAIR, 40)]

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_any_text_is_data(self, memory: TranslationMemory, payload: str) -> None:
        hostile = payload + "'); DROP TABLE entries; --"
        memory.remember(hostile, payload, PAIR)
        assert [(match.source, match.target) for match in memory.find(hostile, PAIR)] == [(hostile, payload)]

    def test_half_a_character_is_no_harm(self, memory: TranslationMemory) -> None:
        memory.remember("a\ud800", "b\ud800", PAIR)
        assert memory.find("a\ud800", PAIR)[0].target == "b?"

    def test_a_long_text_is_found_where_it_comes_again_as_it_was(self, memory: TranslationMemory) -> None:
        words = "word " * (LONGEST // 5 + 1)
        memory.remember(words, "Wort", PAIR)
        assert memory.find(words, PAIR)[0].kind == "exact" and memory.find(f"{words} more", PAIR) == []
        for number in range(40):
            memory.remember(f"{'ab ' * 1500}{number}", "x", PAIR)
        begun = time.process_time()
        assert memory.find(f"{'ab ' * 1400}{'ba ' * 100}", PAIR) == []
        assert time.process_time() - begun < 2


class TestMistakes:
    @pytest.mark.parametrize(
        ("source", "target", "name"), [("", "x", "source"), ("x", " \n", "target"), ("x", 7, "target")]
    )
    def test_a_correction_without_text(self, memory: TranslationMemory, source, target, name: str) -> None:
        with pytest.raises(CorrectionError, match=f"The {name} of a correction must be text. Received: "):
            memory.remember(source, target, PAIR)

    def test_a_file_that_is_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("no database, but long enough to look at it as if it were one" * 20)
        with pytest.raises(TranslationMemoryError, match="that can be read and written. Received: .*text.db"):
            TranslationMemory(tmp_path / "text.db")
        with sqlite3.connect(tmp_path / "other.db") as other:
            other.execute("CREATE TABLE x (y)")
        with pytest.raises(TranslationMemoryError, match="a file that seq2seq made. Received: .*other.db"):
            TranslationMemory(tmp_path / "other.db")

    def test_a_newer_format(self, tmp_path: Path) -> None:
        TranslationMemory(tmp_path / "new.db").close()
        with sqlite3.connect(tmp_path / "new.db") as new:
            new.execute("PRAGMA user_version = 9")
        with pytest.raises(TranslationMemoryError, match="of format 1 or older. Received: .*new.db, format 9"):
            TranslationMemory(tmp_path / "new.db")


class TestCommand:
    def test_one_direction_is_written_as_pairs(self, run, memory: TranslationMemory, tmp_path: Path) -> None:
        memory.remember("a\tdog\n", "ein Hund", PAIR)
        code, out, said = run("corrections", memory.path)
        assert (code, out) == (0, "en\tde\na dog\tein Hund\n")
        assert said == "seq2seq: note: corrections from en to de: 1\n"
        assert run("corrections", memory.path, "--output", tmp_path / "x.tsv")[0] == 0
        assert (tmp_path / "x.tsv").read_text() == out
        before = memory.path.read_bytes()
        code, _, said = run("corrections", memory.path, "--output", memory.path)
        assert (code, "must be another file than those that are read" in said) == (2, True)
        assert memory.path.read_bytes() == before

    def test_several_directions_and_none_are_one_sentence(self, run, memory: TranslationMemory, tmp_path: Path) -> None:
        code, _, said = run("corrections", memory.path)
        assert code == 3 and "one direction that was corrected (none). Received: any to any" in said
        memory.remember("dog", "Hund", PAIR)
        memory.remember("Hund", "dog", ("de", "en"))
        assert "(de to en, en to de)" in run("corrections", memory.path)[2]
        assert run("corrections", memory.path, "--source-lang", "de")[1] == "de\ten\nHund\tdog\n"
        code, _, said = run("corrections", tmp_path / "none.db")
        assert code == 3 and "must be a file that is there" in said and not (tmp_path / "none.db").exists()

    @pytest.mark.slow
    def test_a_model_is_trained_further_with_corrections(
        self, run, memory: TranslationMemory, tmp_path: Path, weights_alone: None
    ) -> None:
        pytest.importorskip("tensorflow")
        np = pytest.importorskip("numpy")
        from safetensors.numpy import save

        from seq2seq import bundle, config
        from seq2seq.model import Seq2Seq
        from seq2seq.tokenizer import Tokenizer, train

        draw = random.Random(0)
        texts = sorted({" ".join(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(120)})
        pieces = train(texts, vocabulary=280)
        size = len(Tokenizer(pieces))
        small = {"embedding": 12, "units": 16, "decoder_layers": 1}
        settings = config.build(
            {"source_language": "en", "target_language": "de", "model": small, "tokenizer": {"vocabulary": size}}
        )
        arrays = {each.path: each.numpy().astype(np.float16) for each in Seq2Seq(settings.model, size).weights}
        content = {"tokenizer.model": pieces, "weights.safetensors": save(arrays)}
        bundle.write(tmp_path / "mother" / "model", config=settings, files=content, provenance={}, scores=[])
        for text in texts:
            memory.remember(text, text[::-1], PAIR)
        assert run("corrections", memory.path, "--output", tmp_path / "corrections.tsv")[0] == 0
        code, _, said = run(
            "train", "--init-from", tmp_path / "mother", "--source", tmp_path / "corrections.tsv", "--output",
            tmp_path / "child", "--no-preflight", "--set", "training.epochs=1",
        )  # fmt: skip
        assert code == 0, said
        child = bundle.load(tmp_path / "child")
        assert child.provenance["parent"]["name"] == "mother"
        assert 80 <= child.provenance["pairs"] < len(texts)  # some are held out
