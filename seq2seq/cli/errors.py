"""The one place where an exception becomes a sentence and an exit code.

It knows our exceptions by name, so that printing a message imports nothing; it does not know any command.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

DONE, FAILED, USAGE, BAD_DATA, NO_MODEL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141

CODES = {
    "UsageError": USAGE,
    "ConfigError": USAGE,
    "TermsError": USAGE,
    "RulesError": USAGE,
    "NotMeasuredError": USAGE,
    "DataError": BAD_DATA,
    "CorpusError": BAD_DATA,
    "DocumentError": BAD_DATA,
    "TranslationMemoryError": BAD_DATA,
    "TokenizerError": BAD_DATA,
    "KeysError": BAD_DATA,
    "ShardsError": BAD_DATA,
    "TranslationError": BAD_DATA,
    "BundleError": NO_MODEL,
    "EngineError": NO_MODEL,
    "Interrupted": INTERRUPTED,
}

TRAIN = ("tensorflow", "keras", "tensorflow_text", "safetensors", "sacrebleu", "tensorboard", "matplotlib", "zstandard")
EXTRAS = {
    **dict.fromkeys(TRAIN, "train"),
    **dict.fromkeys(("gradio", "fastapi", "uvicorn", "pydantic"), "app"),
    "ray": "ray",
    "huggingface_hub": "hub",
}


class UsageError(ValueError):
    """Flags that contradict each other, or one that is missing."""


class DataError(ValueError):
    """Input that cannot be read: not there, not UTF-8, or of the wrong number of lines."""


class Interrupted(Exception):
    """Someone stopped what can go on; the message says how."""


class GateMissed(ValueError):
    """The result is there, but worse than what was asked for."""


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence that a user gets for an exception; no sentence where silence is right."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE, ""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    for kind in type(error).__mro__:
        if kind.__name__ in CODES and kind.__module__.startswith("seq2seq."):
            return CODES[kind.__name__], str(error)
    if isinstance(error, ImportError):
        return _missing(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return FAILED, "there is not enough memory for this"
    if isinstance(error, OSError) and error.strerror:
        return FAILED, error.strerror + "".join(f": {name}" for name in (error.filename, error.filename2) if name)
    # A ValueError of this form is a sentence for the user (our rule, and Keras'); any other is a mistake of ours.
    if isinstance(error, ValueError) and (type(error).__module__.startswith("seq2seq.") or "Received:" in str(error)):
        return FAILED, str(error)
    detail = f"{type(error).__name__}: {error}".rstrip(": ")
    return FAILED, f"internal error ({detail}); run with SEQ2SEQ_DEBUG=1 for the traceback"


def report(error: BaseException) -> int:
    """Prints the sentence on stderr and returns the exit code; with SEQ2SEQ_DEBUG=1 the traceback comes first."""
    code, sentence = explain(error)
    if debugging() and code != BROKEN_PIPE:
        traceback.print_exception(error)
    if sentence:
        say("note" if code == INTERRUPTED else "error", sentence)
    return code


def debugging() -> bool:
    """Whether tracebacks and the talk of libraries are wanted."""
    return os.environ.get("SEQ2SEQ_DEBUG", "0") not in ("", "0")


def say(kind: str, message: str) -> None:
    """One line on stderr, `seq2seq: kind: message`; control characters from data are shown, not obeyed."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed; the exit code still tells
        over = "\r\x1b[K" if sys.stderr.isatty() else ""  # a progress line may stand there
        print(f"{over}seq2seq: {kind}: {text}", file=sys.stderr, flush=True)


def _missing(error: ImportError) -> tuple[int, str]:
    root = (error.name or "").partition(".")[0]
    if "pip install" in str(error):
        return FAILED, str(error)
    if root in EXTRAS:
        return FAILED, f"this needs {root}, which is not installed: pip install 'seq2seq[{EXTRAS[root]}]'"
    return FAILED, f"a module cannot be imported ({error}); run with SEQ2SEQ_DEBUG=1 for the traceback"
