"""`seq2seq translate` and `explain`: lines in, lines out. A stand-in for the model turns text round."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field

import pytest

from seq2seq import cli
from seq2seq.cli import shell, streams
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import EngineError, OlderGraphError
from seq2seq.translator import BOOST, MUTE, Candidate, Terms, Translation, TranslationError


def translation(source, candidates, warnings=()):
    """What the library gives; a text without words has itself as its one candidate."""
    best = candidates[0]
    return Translation(source, best.text, best.score, tuple(candidates), (), tuple(warnings), "stand-in")


WARNED = "seq2seq: warning: line {}: warning {}\n"


@dataclass
class Explanation:
    text: str
    influence: str | None = None
    saliency: str | None = None

    def to_json(self) -> str:
        told = {"source": self.text, "influence": self.influence, "saliency": self.saliency}
        return json.dumps({name: value for name, value in told.items() if value is not None})


@dataclass
class Reverser:
    """Its n-th best is the text turned round and n exclamation marks; it reads in chunks of two."""

    config: Config = field(default_factory=Config)
    engine_name: str = "stand-in"
    searches: list[SearchConfig] = field(default_factory=list)
    terms: Terms | None = None

    def __call__(self, text: str, *, search: SearchConfig, terms: Terms) -> Translation:
        self.searches.append(search)
        self.terms = terms
        if text == "interrupt":
            raise KeyboardInterrupt
        if not text.strip():
            return translation(text, [Candidate(text, 0.0, 0.0, (), True)])
        best = [Candidate(text[::-1] + "!" * n, -0.5 - n, -1.0 - n, tuple(text), True) for n in range(search.n_best)]
        return translation(text, best, [f"warning {n}" for n in range(len(text) // 50)])

    def stream(self, lines, *, search: SearchConfig, terms: Terms):
        held = []
        for line in lines:
            held.append(line)
            if len(held) == 2:
                yield from [self(text, search=search, terms=terms) for text in held]
                held = []
        yield from [self(text, search=search, terms=terms) for text in held]

    def explain(self, text: str, *, search: SearchConfig, terms: Terms, **wanted: object) -> Explanation:
        self.searches.append(search)
        self.wanted = wanted
        self.terms = terms
        if len(text) > 50:
            raise EngineError("A source must have at most 256 pieces. Received: 300")
        return Explanation(text)


class Standard(io.TextIOWrapper):
    """Standard input made of bytes, a terminal if so wished."""

    def __init__(self, content: bytes, terminal: bool = False) -> None:
        raw = io.BytesIO(content)
        raw.isatty = lambda: terminal  # type: ignore[method-assign]
        super().__init__(raw)


@pytest.fixture
def translator(monkeypatch):
    translator = Reverser()
    monkeypatch.setattr(shell, "load", lambda model, engine, threads=None, *, sure=False: translator)
    monkeypatch.setattr(streams, "silence", lambda: None)
    return translator


@pytest.fixture
def run(translator, monkeypatch, capfdbinary):
    """Runs a command on this standard input; gives exit code, stdout and stderr."""

    def run(*argv: str, stdin: bytes = b"", terminal: bool = False) -> tuple[int, bytes, str]:
        monkeypatch.setattr(sys, "stdin", Standard(stdin, terminal))
        code = cli.run([argv[0], "model", *argv[1:]])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run


def test_one_line_in_one_line_out_blank_lines_kept(run):
    assert run("translate", stdin=b"abc\n\n   \nde\n") == (0, b"cba\n\n   \ned\n", "")


@pytest.mark.parametrize(
    ("stdin", "stdout"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"ab\ncd", b"ba\ndc\n"),  # no line feed at the end
        (b"ab\r\ncd\r\n", b"ba\ndc\n"),
        (b"\xef\xbb\xbfab\n", b"ba\n"),
        ("a\u0085b\u2028c\x0bd\n".encode(), "d\x0bc\u2028b\u0085a\n".encode()),
        (b"a\x00b\n", b"b\x00a\n"),
        ("🙂é\n".encode(), "é🙂\n".encode()),
    ],
)
def test_only_the_line_feed_ends_a_line(stdin, stdout, run):
    assert run("translate", stdin=stdin) == (0, stdout, "")


@pytest.mark.parametrize("bad", [b"\xff\xfea\x00", b"caf\xe9", b"\xed\xa0\x80"], ids=["UTF-16", "Latin-1", "surrogate"])
def test_undecodable_bytes_end_with_code_3_and_the_line_and_lose_nothing(bad, run):
    code, out, err = run("translate", stdin=b"ab\ncd\nef\n" + bad + b"\ngh\n")
    assert code == 3
    assert out == b"ba\ndc\nfe\n"
    assert err.startswith("seq2seq: error: Input must be UTF-8. Received: standard input, line 4, byte 0x")


def test_the_position_of_the_byte_is_named(run):
    assert "line 1, byte 0xe9 at position 4 of the line\n" in run("translate", stdin=b"caf\xe9")[2]


def test_a_line_feed_in_a_translation_does_not_make_two_lines(run, translator, monkeypatch):
    monkeypatch.setattr(
        Reverser, "__call__", lambda self, text, **_: translation(text, [Candidate("a\nb", 0.0, 0.0, (), True)])
    )
    assert run("translate", stdin=b"x\ny\n") == (0, b"a b\na b\n", "")


def test_scores_come_before_a_tab(run):
    assert run("translate", "--scores", stdin=b"ab\n\n") == (0, b"-0.5000\tba\n0.0000\t\n", "")


def test_n_best_gives_exactly_so_many_lines_for_each(run):
    assert run("translate", "--n-best", "2", stdin=b"ab\n\ncd\n")[1] == b"ba\nba!\n\n\ndc\ndc!\n"
    assert run("translate", "--n-best", "2", "--scores", stdin=b"ab\n")[1] == b"-0.5000\tba\n-1.5000\tba!\n"


def test_json_holds_everything(run):
    code, out, _ = run("translate", "--json", "--n-best", "2", stdin="é\n\n".encode())
    first, blank = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert first["source"] == first["text"] == "é"
    assert first["score"] == -0.5
    assert [h["text"] for h in first["hypotheses"]] == ["é", "é!"]
    assert first["hypotheses"][1] == {"text": "é!", "score": -1.5, "log_prob": -2.0, "pieces": ["é"], "finished": True}
    assert first["flags"] == first["warnings"] == []
    assert first["engine"] == "stand-in"
    assert [h["text"] for h in blank["hypotheses"]] == [""]
    assert "é".encode() in out


def test_json_has_no_number_that_json_has_not(run, monkeypatch):
    endless = Candidate("", float("-inf"), float("nan"), (), False)
    monkeypatch.setattr(Reverser, "__call__", lambda self, text, **_: translation(text, [endless]))
    _, out, _ = run("translate", "--json", stdin=b"x\n")
    assert json.loads(out, parse_constant=lambda name: pytest.fail(name))["score"] is None


def test_flags_go_over_the_models_own_search_settings(run, translator):
    translator.config = Config(search=SearchConfig(beam=7, length_penalty=0.6))
    run("translate", "--coverage-penalty", "0.2", "--min-length", "1", "--max-length", "9", stdin=b"a\n")
    expected = SearchConfig(beam=7, length_penalty=0.6, coverage_penalty=0.2, min_length=1, max_length=9)
    assert translator.searches == [expected]


def test_every_search_flag_reaches_the_search(run, translator):
    searching = ("--word-reward", "0.5", "--min-ratio", "0.1", "--max-ratio", "3", "--no-repeat", "4")
    run("translate", *searching, "--diversity", "0.3", stdin=b"a\n")
    run("translate", "--temperature", "0.7", "--top-k", "9", "--top-p", "0.8", "--seed", "5", stdin=b"a\n")
    run("explain", *searching, stdin=b"a\n")
    settings = {"word_reward": 0.5, "min_ratio": 0.1, "max_ratio": 3.0, "no_repeat": 4}
    assert translator.searches == [
        SearchConfig(**settings, diversity=0.3),
        SearchConfig(temperature=0.7, top_k=9, top_p=0.8, seed=5),
        SearchConfig(**settings),
    ]


@pytest.mark.parametrize("command", ["translate", "explain"])
def test_terms_reach_the_translator(command, run, translator, tmp_path):
    (tmp_path / "g").write_text("# animals\n\nhot dog\tHotdog\n cat \t Katze \n", encoding="utf-8")
    flags = (
        "--prefix",
        "Ja,",
        "--require",
        "a b",
        "--require",
        "c",
        "--forbid",
        "d",
        "--glossary",
        str(tmp_path / "g"),
    )
    assert run(command, *flags, "--no-protect", stdin=b"a\n")[0] == 0
    glossary = {"hot dog": "Hotdog", "cat": "Katze"}
    assert translator.terms == Terms("Ja,", ("a b", "c"), ("d",), glossary, protect=False)
    run(command, stdin=b"a\n")
    assert translator.terms == Terms()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--temperature 1 --beam 4", "--temperature draws and does not search. Received: --temperature and --beam"),
        ("--temperature 1 --greedy", "--temperature draws and does not search. Received: --temperature and --greedy"),
        ("--temperature 1 --diversity 1", "does not search. Received: --temperature and --diversity"),
        ("--temperature 1 --require x", "does not search. Received: --temperature and --require"),
        ("--temperature 1 --glossary x", "does not search. Received: --temperature and --glossary"),
        ("--top-k 5", "--top-k needs --temperature. Received: --top-k 5 alone"),
        ("--top-p 0.5", "--top-p needs --temperature. Received: --top-p 0.5 alone"),
        ("--seed 5 --temperature 0", "--seed needs --temperature. Received: --seed 5 alone"),
        ("--diversity 1 --greedy", "--diversity needs a beam wider than 1. Received: --diversity and a beam of 1"),
        ("--min-length 5 --max-length 4", "--min-length must be at most --max-length. Received: 5 and 4"),
        ("--min-ratio 2 --max-ratio 1", "--min-ratio must be at most --max-ratio. Received: 2.0 and 1.0"),
        ("--require a --forbid A", "A phrase must not be demanded and forbidden at once. Received: 'a' and 'A'"),
        ("--prefix=", "--prefix must be text. Received: ''"),
    ],
)
def test_flags_that_make_no_sense_are_refused_before_the_model_is_loaded(flags, sentence, run, monkeypatch):
    monkeypatch.setattr(shell, "load", lambda *_, **__: pytest.fail("it was loaded"))
    code, out, err = run("translate", *flags.split(), stdin=b"a\n")
    assert (code, out) == (2, b"")
    assert sentence in err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a\tb\n# c\nd\n", "A line of a glossary must be a term, a tab and what it is called. Received: {}, line 3"),
        ("a\tb\tc\n", "A line of a glossary must be a term, a tab and what it is called. Received: {}, line 1"),
        ("\tb\n", "A line of a glossary must be a term, a tab and what it is called. Received: {}, line 1"),
        ("a\tb\na\tc\n", "A term must be called one thing. Received: 'a' again in {}, line 2"),
        ("# nothing\n", "A glossary must hold at least one term. Received: {}"),
    ],
)
def test_a_glossary_that_cannot_be_read_is_bad_data(content, sentence, run, tmp_path):
    path = tmp_path / "g.tsv"
    path.write_text(content)
    code, out, err = run("translate", "--glossary", str(path), stdin=b"a\n")
    assert (code, out) == (3, b"")
    assert sentence.format(path) in err


def test_what_cannot_be_demanded_of_a_line_is_bad_data(run, monkeypatch):
    def refuse(*_, **__):
        raise TranslationError("Required words need. Received: two (line 1)")

    monkeypatch.setattr(Reverser, "stream", refuse)
    assert run("translate", stdin=b"a\n") == (
        3,
        b"",
        "seq2seq: error: Required words need. Received: two (line 1)\n",
    )


@pytest.mark.parametrize("flags", [("--greedy",), ("--beam", "1"), ("--greedy", "--beam", "1")])
def test_greedy_is_a_beam_of_one(flags, run, translator):
    run("translate", *flags, stdin=b"a\n")
    assert translator.searches[0].beam == 1


def test_more_best_than_beams_is_a_usage_error(run):
    code, out, err = run("translate", "--n-best", "9", "--beam", "3", stdin=b"a\n")
    assert (code, out) == (2, b"")
    assert "n_best must be at most the beam. Received: n_best 9, beam 3" in err


def test_warnings_go_to_stderr_with_their_line(run):
    assert run("translate", stdin=b"a\n" + b"x" * 60) == (0, b"a\n" + b"x" * 60 + b"\n", WARNED.format(2, 0))


def test_a_long_line_does_not_flood_stderr(run):
    code, out, err = run("translate", stdin=b"x" * 100_000 + b"\n")
    assert (code, out) == (0, b"x" * 100_000 + b"\n")
    assert err == (
        "".join(WARNED.format(1, n) for n in range(3))
        + "seq2seq: warning: line 1: and 1997 more of this line; --json has them all\n"
    )
    out = run("translate", "--json", stdin=b"x" * 100_000 + b"\n")[1]
    assert len(json.loads(out)["warnings"]) == 2000


def test_a_line_that_would_fill_the_memory_is_refused(run, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST_LINE", 20)
    code, out, err = run("translate", stdin=b"ab\n" + b"x" * 19 + b"\n" + b"y" * 30)
    assert (code, out) == (3, b"ba\n" + b"x" * 19 + b"\n")
    assert "A line must have at most 20 bytes. Received: standard input, line 3" in err


def test_ten_thousand_lines_keep_order_and_count(run):
    lines = [str(n).encode() for n in range(10_000)]
    assert run("translate", stdin=b"\n".join(lines))[1].split() == [line[::-1] for line in lines]


def test_an_interruption_ends_with_130_and_keeps_what_was_done(run):
    code, out, err = run("translate", stdin=b"ab\ncd\nef\ninterrupt\n")
    assert (code, out, err) == (130, b"ba\ndc\n", "seq2seq: note: interrupted\n")


def test_a_terminal_is_answered_line_by_line(run, translator):
    code, out, err = run("translate", stdin=b"ab\ncd\ninterrupt\n", terminal=True)
    assert (code, out) == (130, b"ba\ndc\n")
    assert "type a sentence and press Enter" in err


def test_files_instead_of_standard_streams(run, tmp_path):
    (tmp_path / "in").write_bytes(b"ab\ncd\n")
    assert run("translate", "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")) == (0, b"", "")
    assert (tmp_path / "out").read_bytes() == b"ba\ndc\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_dash_is_the_standard_stream(run):
    assert run("translate", "--input", "-", "--output", "-", stdin=b"ab\n") == (0, b"ba\n", "")


def test_a_file_may_be_translated_onto_itself(run, tmp_path):
    (tmp_path / "f").write_bytes(b"ab\ncd\n")
    assert run("translate", "--input", str(tmp_path / "f"), "--output", str(tmp_path / "f"))[0] == 0
    assert (tmp_path / "f").read_bytes() == b"ba\ndc\n"


def test_a_run_that_fails_leaves_no_half_written_file_under_the_name(run, tmp_path):
    (tmp_path / "out").write_text("older\n")
    code, _, err = run("translate", "--output", str(tmp_path / "out"), stdin=b"ab\n\xff\n")
    assert code == 3
    assert (tmp_path / "out").read_text() == "older\n"
    assert (tmp_path / "out.partial").read_bytes() == b"ba\n"
    assert f"what was done before is in {tmp_path / 'out.partial'}" in err


def test_a_device_is_written_to_and_not_replaced(run):
    assert run("translate", "--output", "/dev/null", stdin=b"ab\n") == (0, b"", "")


def test_a_missing_input_is_bad_data(run, tmp_path):
    code, _, err = run("translate", "--input", str(tmp_path / "none"))
    assert code == 3
    assert f"Input must be a readable file. Received: {tmp_path / 'none'} (No such file or directory)" in err


def test_a_folder_as_input_is_bad_data(run, tmp_path):
    code, _, err = run("translate", "--input", str(tmp_path))
    assert code == 3
    assert "(Is a directory)" in err


def test_a_folder_as_output_is_a_usage_error(run, tmp_path):
    code, _, err = run("translate", "--output", str(tmp_path), stdin=b"a\n")
    assert code == 2
    assert "The output must be a file. Received:" in err


def test_an_output_in_no_folder_is_said(run, tmp_path):
    code, _, err = run("translate", "--output", str(tmp_path / "none" / "out"), stdin=b"a\n")
    assert code == 1
    assert "No such file or directory" in err


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_a_closed_standard_stream_is_said(name, translator, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Standard(b"a\n"))
    monkeypatch.setattr(sys, name, None)
    assert cli.run(["translate", "model"]) == 2
    assert f"{name} must be open. Received: a closed {name}" in capsys.readouterr().err


def test_explain_prints_one_object_a_line(run, translator):
    code, out, err = run("explain", "--beam", "2", stdin=b"ab\n\ncd\n")
    assert (code, err) == (0, "")
    assert [json.loads(line)["source"] for line in out.splitlines()] == ["ab", "", "cd"]
    assert translator.searches[0].beam == 2


def test_what_is_to_be_looked_at_reaches_the_translator(run, translator):
    usual = {"target": None, "cells": False, "beam": False, "alternatives": 5, "step": None}
    assert run("explain", "--json", stdin=b"a\n")[0] == 0
    assert translator.wanted == usual
    flags = ("--target", "b", "--cells", "--alternatives", "7", "--step", "0")
    assert run("explain", *flags, "--mute", "hot dog", "--boost", "cat", "--mute", "a", stdin=b"a\n")[0] == 0
    assert translator.wanted == {"target": "b", "cells": True, "beam": False, "alternatives": 7, "step": 0}
    assert translator.terms == Terms(attend={"hot dog": MUTE, "a": MUTE, "cat": BOOST})
    assert run("explain", "--beam-tree", stdin=b"a\n")[0] == 0
    assert translator.wanted == usual | {"beam": True}
    code, _, err = run("explain", "--target", "b", "--beam-tree", stdin=b"a\n")
    assert (code, "--beam-tree shows a search, and --target leaves nothing to search" in err) == (2, True)


def test_an_explanation_is_not_written_over_its_glossary(run, translator, tmp_path):
    (tmp_path / "terms.tsv").write_text("a\tb\n")
    code, _, err = run(
        "explain", "--glossary", tmp_path / "terms.tsv", "--output", tmp_path / "terms.tsv", stdin=b"a\n"
    )
    assert (code, "must be another file than those that are read" in err) == (2, True)
    assert (tmp_path / "terms.tsv").read_text() == "a\tb\n"


def test_influence_and_saliency_become_part_of_the_object(run, translator, monkeypatch):
    monkeypatch.setattr(shell, "import_tensorflow", lambda: None)
    for name in ("influence", "saliency"):
        said = f"{name} of {{}}".format
        monkeypatch.setattr(translator, name, lambda text, said=said, **_: said(text), raising=False)
    code, out, _ = run("explain", "--influence", "--saliency", stdin=b"ab\n")
    assert code == 0
    assert json.loads(out) == {"source": "ab", "influence": "influence of ab", "saliency": "saliency of ab"}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--mute", "a", "--boost", "a"), "A word must not be muted and boosted at once. Received: 'a'"),
        (("--boost", " "), "A word to mute or boost must be text. Received: ' '"),
    ],
)
def test_attention_that_cannot_be_meant_is_refused(flags, sentence, run):
    code, _, err = run("explain", *flags, stdin=b"a\n")
    assert (code, err) == (2, f"seq2seq: error: {sentence}\n")


def test_an_older_model_is_not_called_bad_data(run, translator, monkeypatch):
    def older(*_, **__):
        raise OlderGraphError("To give other than 5 alternatives, an older model must be made again. Received: it")

    monkeypatch.setattr(translator, "explain", older)
    code, _, err = run("explain", "--alternatives", "6", stdin=b"a\n")
    assert (code, "line" in err) == (4, False)


def test_explain_refuses_a_sentence_that_is_too_long_and_names_its_line(run):
    code, out, err = run("explain", stdin=b"ab\n" + b"x" * 60 + b"\ncd\n")
    assert code == 3
    assert len(out.splitlines()) == 1
    assert "at most 256 pieces. Received: 300 (standard input, line 2)" in err
