"""The command line as a shell: exit codes, sentences, streams. The library behind it is a stand-in here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seq2seq import cli
from seq2seq.cli import errors, streams

COMMANDS = (
    "prepare",
    "train",
    "ensemble",
    "distill",
    "translate",
    "score",
    "evaluate",
    "calibrate",
    "explain",
    "export",
    "push",
    "pull",
    "serve",
    "corrections",
    "info",
)


def raising(error: BaseException):
    """A command that fails in this way."""

    def command(argv: list[str]) -> int:
        raise error

    return command


def ours(name: str, base: type[Exception] = ValueError) -> type[Exception]:
    """An exception class as a module of the library defines it."""
    return type(name, (base,), {"__module__": "seq2seq.somewhere"})


def test_without_arguments_help_is_printed(capsys):
    assert cli.run([]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: seq2seq")
    assert err == ""
    listed = out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    assert cli.run([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: seq2seq {command}")


def test_version(capsys):
    from seq2seq import __version__

    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"seq2seq {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["info"], "Missing argument 'MODEL'. (see seq2seq info --help)"),
        (["translate", "m", "--beam", "0"], "Invalid value for '--beam'"),
        (["translate", "m", "--beam", "many"], "Invalid value for '--beam'"),
        (["translate", "m", "--engine", "abacus"], "Invalid value for '--engine'"),
        (["translate", "m", "--greedy", "--beam", "4"], "--greedy means --beam 1. Received: --greedy and --beam 4"),
        (["export", "m", "--output", "o", "--format", "onyx"], "Invalid value for '--format'"),
        (["serve", "--port", "70000"], "Invalid value for '--port'"),
    ],
)
def test_usage_errors_are_one_sentence_and_code_2(argv, sentence, capsys):
    assert cli.run(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seq2seq: error: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ours("ConfigError")("A must. Received: b"), 2, "A must. Received: b"),
        (ours("CorpusError")("A must. Received: b"), 3, "A must. Received: b"),
        (ours("TokenizerError")("A must. Received: b"), 3, "A must. Received: b"),
        (ours("BundleError")("A must. Received: b"), 4, "A must. Received: b"),
        (ours("Interrupted", Exception)("saved; continue with --resume"), 130, "saved; continue with --resume"),
        (ours("OtherError")("A must. Received: b"), 1, "A must. Received: b"),
        (ValueError("A must. Received: b"), 1, "A must. Received: b"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "there is not enough memory for this"),
        (OSError(28, "No space left on device", "out/x"), 1, "No space left on device: out/x"),
        (ModuleNotFoundError("No module named 'keras'", name="keras.src"), 1, "pip install 'seq2seq[train]'"),
        (ModuleNotFoundError("No module named 'gradio'", name="gradio"), 1, "pip install 'seq2seq[app]'"),
        (ImportError("X needs TensorFlow: pip install 'seq2seq[train]'"), 1, "X needs TensorFlow: pip install"),
        (ImportError("libfoo.so is missing"), 1, "a module cannot be imported (libfoo.so is missing)"),
        (RuntimeError("odd"), 1, "internal error (RuntimeError: odd); run with SEQ2SEQ_DEBUG=1 for the traceback"),
        (ValueError("operands could not"), 1, "internal error (ValueError: operands could not)"),
        (KeyError(), 1, "internal error (KeyError);"),
        (ValueError("Two\nlines\x1b[31m. Received: x"), 1, "Two lines\\x1b[31m. Received: x"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_exception_becomes_a_sentence_and_a_code(error, code, sentence, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_invoke", raising(error))
    monkeypatch.setattr(cli.streams, "silence", lambda: None)
    assert cli.run(["x"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seq2seq: note: " if code == 130 else "seq2seq: error: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_closed_pipe_is_quiet(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_invoke", raising(BrokenPipeError(32, "Broken pipe")))
    monkeypatch.setattr(cli.streams, "silence", lambda: None)
    assert cli.run(["x"]) == 141
    assert capsys.readouterr() == ("", "")


def test_the_traceback_is_there_for_who_asks(monkeypatch, capsys):
    monkeypatch.setenv("SEQ2SEQ_DEBUG", "1")
    monkeypatch.setattr(cli, "_invoke", raising(RuntimeError("odd")))
    monkeypatch.setattr(cli.streams, "silence", lambda: None)
    assert cli.run(["x"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_native_talk_is_hidden_and_comes_back(monkeypatch, capfd):
    with streams.hidden_stderr():
        os.write(2, b"talk")
    os.write(2, b"message")
    assert capfd.readouterr().err == "message"
    monkeypatch.setenv("SEQ2SEQ_DEBUG", "1")
    with streams.hidden_stderr():
        os.write(2, b"talk")
    assert capfd.readouterr().err == "talk"


def test_a_class_of_the_same_name_elsewhere_is_not_ours():
    foreign = type("BundleError", (ValueError,), {"__module__": "shop"})
    assert errors.explain(foreign("x"))[0] == 1


def test_help_is_quick_and_loads_nothing_heavy():
    # Processor time, for a busy machine answers late; the goal is half a second and CI machines are slow.
    code = (
        "import sys, seq2seq.cli as c; code = c.run(['--help'])\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'sentencepiece', 'ai_edge_litert', 'rich', 'gradio'}\n"
        "sys.exit(code or ', '.join(heavy & set(sys.modules)) or 0)"
    )
    seconds = []
    for _ in range(2):
        before = os.times()
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert result.returncode == 0, result.stderr
    assert min(seconds) < 1.0


def test_python_dash_m_is_the_command_and_gives_its_exit_code():
    result = subprocess.run(
        [sys.executable, "-m", "seq2seq", "nonsense"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert result.stderr == "seq2seq: error: No such command 'nonsense'. (see seq2seq --help)\n"
