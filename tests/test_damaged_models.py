"""Damaged model folders: whatever was done to one, opening it works or says in one sentence why not."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scripted
from sealing import change

from seq2seq import bundle, cli, config

pytest.importorskip("tensorflow")  # which talks when it is first imported
pytestmark = pytest.mark.slow
HUGE = (10**9, 2**31 - 1, 2**63, -1, 0, 1e308, "8000", None, [], {"a": 1})
SECONDS = 60

Damage = Callable[[Path, random.Random], None]


def _file(folder: Path, dice: random.Random) -> Path:
    return dice.choice(sorted(path for path in folder.iterdir() if path.is_file()))


def flip(folder: Path, dice: random.Random) -> None:
    """Some bytes of a file are others."""
    path = _file(folder, dice)
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 10, 1000))):
        content[dice.randrange(len(content))] ^= dice.randrange(1, 256)
    path.write_bytes(content)


def shorten(folder: Path, dice: random.Random) -> None:
    path = _file(folder, dice)
    with path.open("r+b") as file:
        file.truncate(dice.choice((0, 1, dice.randrange(path.stat().st_size))))


def lengthen(folder: Path, dice: random.Random) -> None:
    with _file(folder, dice).open("ab") as file:
        file.write(dice.randbytes(dice.choice((1, 1000))))


def swap(folder: Path, dice: random.Random) -> None:
    """Two files change their names."""
    one, other = dice.sample(sorted(folder.iterdir()), 2)
    one.rename(folder / "between")
    other.rename(one)
    (folder / "between").rename(other)


def remove(folder: Path, dice: random.Random) -> None:
    _file(folder, dice).unlink()


def link(folder: Path, dice: random.Random) -> None:
    """A file becomes a link to the same content, to a device, or to nothing."""
    path = _file(folder, dice)
    moved = folder.parent / f"moved-{path.name}"
    path.rename(moved)
    path.symlink_to(dice.choice((moved, Path("/dev/zero"), Path("/nowhere"), path)))


def nest(folder: Path, dice: random.Random) -> None:
    """A folder or a pipe in the place of a file."""
    path = _file(folder, dice)
    path.unlink()
    dice.choice((path.mkdir, lambda: os.mkfifo(path)))()


def add(folder: Path, dice: random.Random) -> None:
    """Files that nobody asked for: scripts, pickles, Keras models. They must be left alone."""
    name = dice.choice(("setup.py", "model.keras", "weights.pkl", "sitecustomize.py", "config.json", "__init__.py"))
    (folder / name).write_text(f"open({str(folder / 'ran')!r}, 'w')\nraise SystemExit(3)\n", encoding="utf-8")


def lie(folder: Path, dice: random.Random) -> None:
    """A sealed manifest with a setting or a field that cannot be."""

    def edit(content: dict) -> None:
        section = content
        while True:
            key = dice.choice(sorted(section))
            if isinstance(section[key], dict) and section[key] and dice.random() < 0.8:
                section = section[key]
                continue
            section[key] = dice.choice(HUGE)
            return

    change(folder, edit)


def forge(folder: Path, dice: random.Random) -> None:
    """A damaged file in a manifest that fits it."""
    flip(folder, dice)

    def edit(content: dict) -> None:
        for name in content["files"]:
            raw = (folder / name).read_bytes()
            content["files"][name] = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}

    with contextlib.suppress(ValueError):  # the manifest itself may be what was damaged
        change(folder, edit)


DAMAGES: tuple[Damage, ...] = (flip, shorten, lengthen, swap, remove, link, nest, add, lie)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted.write(tmp_path_factory.mktemp("whole") / "model")


def test_whatever_is_damaged_is_said_in_one_sentence(
    whole: Path, tmp_path: Path, full: bool, run: Callable[..., tuple[int, str, str]]
) -> None:
    source = tmp_path / "in.txt"
    source.write_text("der Hund\n", encoding="utf-8")
    seen: Counter[str] = Counter()
    for seed in range(240 if full else 45):
        dice = random.Random(seed)
        damage = DAMAGES[seed % len(DAMAGES)]
        folder = tmp_path / str(seed) / "model"
        shutil.copytree(whole, folder)
        damage(folder, dice)
        code, out, err = run("translate", folder, "--input", source)
        assert not (folder / "ran").exists(), f"{damage.__name__} {seed} ran a file"
        assert "Traceback" not in err, f"{damage.__name__} {seed}: {err}"
        if code == 0:
            assert out == "Hund der\n", f"{damage.__name__} {seed} said {out!r}"
        else:
            assert err.startswith("seq2seq: error: ") and err.count("\n") == 1, f"{damage.__name__} {seed}: {err}"
        seen[f"{damage.__name__} {'opened' if code == 0 else 'refused'}"] += 1
        code, _, err = run("info", folder)
        assert code in (0, 4) and err.count("\n") == bool(code), f"{damage.__name__} {seed}: {err}"
        assert "internal error" not in err, f"{damage.__name__} {seed}: {err}"
        shutil.rmtree(folder.parent, ignore_errors=True)
    print(dict(sorted(seen.items())))
    assert seen["add refused"] == 0
    assert not any(seen[f"{damage.__name__} opened"] for damage in (flip, shorten, lengthen, swap, remove, nest))


def test_a_forged_graph_neither_runs_code_nor_hangs(whole: Path, tmp_path: Path, full: bool) -> None:
    """No checksum helps here: whoever makes a model can put anything into its graph. So others try it."""
    source = tmp_path / "in.txt"
    source.write_text("der Hund\n", encoding="utf-8")
    seen: Counter[str] = Counter()
    for seed in range(60 if full else 6):
        folder = tmp_path / str(seed)
        shutil.copytree(whole, folder)
        forge(folder, random.Random(seed))
        argv = [sys.executable, "-m", "seq2seq", "translate", str(folder), "--input", str(source)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert "Traceback" not in done.stderr, f"{seed}: {done.stderr}"
        seen["crashed" if done.returncode < 0 else "opened" if done.returncode == 0 else "refused"] += 1
        shutil.rmtree(folder)
    print(dict(seen))


def test_the_command_lines_exit_codes_are_those_of_a_bad_model(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    (folder / "model.tflite").write_bytes(b"")
    assert cli.run(["info", str(folder)]) == 4


def headed(head: bytes) -> bytes:
    return struct.pack("<Q", len(head)) + head


def tensors(**named: tuple[str, tuple[int, ...], int]) -> bytes:
    """A safetensors file of zeros by name: kind, shape and bytes of each."""
    table, end = {}, 0
    for name, (kind, shape, size) in named.items():
        table[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return headed(json.dumps(table).encode()) + b"\0" * end


EMBEDDINGS = "embedding/embeddings"
NO_HEAD = {
    "nothing": b"",
    "noise": b"\xff" * 60,
    "text": b"version https://git-lfs.github.com/spec/v1\n",
    "a list": headed(b"[]"),
    "no shapes": headed(b'{"a": {}}'),
    "shapes of text": headed(b'{"a": {"shape": ["9"]}}'),
    "no UTF-8": headed(b'{"\xff": 1}'),
    "more than there is": tensors(a=("F16", (2**40, 2**40), 0)),
}
OTHERS = {
    "none": tensors(),
    "no tables": tensors(a=("F16", (305, 7), 4270)),
    "a table of one number": tensors(**{EMBEDDINGS: ("F16", (), 2)}),
    "a table of nothing": tensors(**{EMBEDDINGS: ("F16", (10**9, 0), 0)}),
    "another width": tensors(**{EMBEDDINGS: ("F16", (305, 9), 5490)}),
    "a table alone": tensors(**{EMBEDDINGS: ("F16", (305, 7), 4270)}),
    "too few arrays": tensors(**{EMBEDDINGS: ("F16", (305, 7), 4270), "a": ("F16", (1,), 2), "b": ("F16", (1,), 2)}),
    "numbers that NumPy lacks": tensors(**{EMBEDDINGS: ("BF16", (305, 7), 4270)}),
    "numbers that are none": tensors(**{EMBEDDINGS: ("BOOL", (305, 7), 2135)}),
}


@pytest.fixture
def with_weights(whole: Path, tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes the scripted model with any weights."""

    def write(content: bytes) -> Path:
        files = bundle.load(whole).contents()["files"] | {"weights.safetensors": content}
        sizes = {"model": {"embedding": 7, "units": 6, "decoder_layers": 2}}
        chosen = config.build(scripted.LANGUAGES, sizes)
        return bundle.write(tmp_path / "model", config=chosen, files=files, provenance={}, scores=[]).path

    return write


@pytest.mark.parametrize("content", [*NO_HEAD.values(), *OTHERS.values()], ids=[*NO_HEAD, *OTHERS])
def test_weights_that_are_none_are_said_in_one_sentence(
    with_weights: Callable[[bytes], Path], content: bytes, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    folder = with_weights(content)
    source = tmp_path / "in.txt"
    source.write_text("der Hund\n", encoding="utf-8")
    commands = [
        ("translate", folder, "--input", source, "--engine", "tensorflow"),
        ("export", folder, "--format", "litert", "--output", tmp_path / "export"),
        *([("info", folder)] if content in NO_HEAD.values() else []),
    ]
    for command in commands:
        code, out, err = run(*command)
        assert (code, out) == (4, ""), f"{command[0]}: {err}"
        assert err.startswith("seq2seq: error: ") and err.count("\n") == 1 and "Received: " in err, err
        assert str(folder) in err
    assert not (tmp_path / "export").exists()


def test_weights_are_run_by_the_other_engine(
    with_weights: Callable[[bytes], Path], tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    from seq2seq.model import Seq2Seq

    chosen = config.ModelConfig(embedding=7, units=6, decoder_layers=2)
    arrays = {weight.path: weight.numpy() for weight in Seq2Seq(chosen, len(scripted.tokens())).weights}
    source = tmp_path / "in.txt"
    source.write_text("der Hund\n", encoding="utf-8")
    command = ("translate", with_weights(numpy.save(arrays)), "--input", source, "--engine", "tensorflow")
    code, out, err = run(*command)
    assert (code, out.count("\n")) == (0, 1), err
    dice = random.Random(1)
    for path in dice.sample(sorted(arrays), 3):
        with_weights(numpy.save(arrays | {path: np.zeros((2, 3), np.float32)}))
        code, out, err = run(*command)
        assert (code, out, err.count("\n")) == (4, "", 1), err


@pytest.mark.parametrize("engine", ["litert", "tensorflow"])
@pytest.mark.parametrize("content", [b"", b"pieces", b"\0" * 99], ids=["nothing", "text", "zeros"])
def test_a_tokenizer_that_is_none_is_a_bad_model(
    whole: Path, content: bytes, engine: str, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    contents = bundle.load(folder).contents()
    bundle.write(folder, **contents | {"files": contents["files"] | {"tokenizer.model": content}})
    code, out, err = run("translate", folder, "--input", Path(os.devnull), "--engine", engine)
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "A tokenizer must be a SentencePiece model. Received: " in err and err.endswith("model/tokenizer.model\n")
