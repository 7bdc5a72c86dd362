"""The shape of the package: imports flow one way, files and functions stay small, importing is light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "seq2seq"
FILES = sorted(PACKAGE.rglob("*.py"))

# Who may import whom, the nouns of the river in order. A package (cli, corpus, web) counts as one noun.
ROWS = {
    "config": "",
    "corpus": "",
    "tokenizer": "",
    "lstm": "",
    "search": "",
    "objective": "",
    "schedule": "",
    "signals": "",
    "evaluation": "",
    "calibration": "",
    "explanation": "",
    "digits": "",
    "report": "config digits evaluation calibration",
    "allocation": "",
    "holding": "",
    "linear": "",
    "attention": "linear",
    "checkpoint": "",
    "divergence": "",
    "progress": "",
    "offsets": "tokenizer",
    "batches": "tokenizer config",
    "splits": "batches tokenizer",
    "guidance": "batches tokenizer",
    "dropout": "",
    "embedding": "dropout",
    "encoder": "lstm dropout embedding",
    "decoder": "lstm attention dropout embedding",
    "model": "config lstm dropout encoder decoder attention",
    "ensemble": "lstm attention decoder model",
    "optimizer": "config schedule",
    "precision": "",
    "distribution": "batches signals",
    "step": "batches guidance config model objective optimizer distribution",
    "training": "allocation config batches model objective schedule signals optimizer checkpoint divergence "
    "distribution step",
    "preflight": "batches config model optimizer precision step checkpoint",
    "bundle": "config calibration holding",
    "card": "config bundle calibration",
    "flow": "linear lstm attention encoder decoder",
    "weights": "config bundle",
    "inference": "config model ensemble flow search lstm bundle weights",
    "engine": "bundle config inference",
    "translator": "engine tokenizer offsets digits config calibration explanation",
    "channel": "engine translator",
    "distillation": "config translator evaluation channel holding",
    "export": "config search inference bundle tokenizer engine evaluation",
    "hub": "bundle",
    "release": "config bundle calibration card evaluation report translator weights inference export",
    "documents": "translator",
    "translation_memory": "",
    "cluster": "",
    "web": "allocation bundle calibration translator explanation documents translation_memory",
}
TABLE = {noun: set(row.split()) for noun, row in ROWS.items()}
TABLE["pipeline"] = set(TABLE) - {"documents", "translation_memory", "web"}  # text to finished model folder in one call
TABLE["cli"] = set(TABLE)  # everything; nobody imports cli
OPEN = {"__init__", "__main__"}  # the front door names every noun, lazily


def noun(path: Path) -> str:
    """seq2seq/cli/train.py -> cli; seq2seq/bundle.py -> bundle"""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_noun(name: str) -> bool:
    return (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()


def imports(path: Path) -> list[str]:
    """The modules that a file imports, inside functions too."""
    names: list[str] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "seq2seq":
            names += [f"seq2seq.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names


def imported(path: Path) -> set[str]:
    """The nouns of ours among them."""
    names = imports(path)
    ours = {name.split(".")[1] for name in names if name.startswith("seq2seq.")}
    return {name for name in ours if is_noun(name)} - {noun(path)}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    return len([name for name in named if name not in ("self", "cls")])


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring: the manual may be as long as it must."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command line's options are its function's parameters, so their number is the user's, not ours."""
    return any(".command" in ast.unparse(decorator) for decorator in function.decorator_list)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
class TestEveryFile:
    def test_imports_only_what_its_row_of_the_table_allows(self, path: Path) -> None:
        if noun(path) in OPEN:
            return
        assert noun(path) in TABLE, f"{noun(path)} needs a row in the import table"
        allowed = TABLE[noun(path)]
        assert imported(path) <= allowed, f"may import {sorted(allowed)}, imports {sorted(imported(path))}"

    def test_opens_with_a_docstring(self, path: Path) -> None:
        assert ast.get_docstring(tree(path))

    def test_has_at_most_300_lines(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300

    def test_has_no_assert(self, path: Path) -> None:
        lines = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]
        assert not lines

    def test_functions_take_at_most_8_parameters(self, path: Path) -> None:
        long = {f.name: parameters(f) for f in functions(path) if parameters(f) > 8 and not is_command(f)}
        assert not long

    def test_functions_have_at_most_50_lines(self, path: Path) -> None:
        long = {f.name: body_lines(f) for f in functions(path) if body_lines(f) > 50}
        assert not long


def reachable(start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in TABLE[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def test_the_table_has_no_cycle() -> None:
    assert not [name for name in TABLE if name != "cli" and name in reachable(name)]


def test_training_and_translator_are_two_banks_of_the_river() -> None:
    assert "training" not in reachable("translator")
    assert "translator" not in reachable("training")


def test_the_public_names_are_sorted_and_have_a_home() -> None:
    import seq2seq

    assert seq2seq.__all__ == sorted(seq2seq.__all__)
    assert set(seq2seq.__all__) == set(seq2seq._HOME)
    assert set(seq2seq.__all__) <= set(dir(seq2seq))
    with pytest.raises(AttributeError, match="no attribute 'Translater'"):
        _ = seq2seq.Translater


def test_a_missing_tensorflow_is_one_sentence_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import seq2seq

    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'keras'", name="keras")

    monkeypatch.setattr("importlib.import_module", missing)
    monkeypatch.delitem(vars(seq2seq), "Seq2Seq", raising=False)
    with pytest.raises(ImportError, match=r"seq2seq\.Seq2Seq needs TensorFlow: pip install 'seq2seq\[train\]'"):
        _ = seq2seq.Seq2Seq


# What a plain `pip install seq2seq` runs.
LIGHT = [
    "seq2seq",
    *(f"seq2seq.{name}" for name in ("config", "tokenizer", "bundle", "engine", "translator", "explanation", "cli")),
]


@pytest.mark.parametrize("module", LIGHT)
def test_importing_is_silent_and_loads_nothing_heavy(module: str) -> None:
    name = module.partition(".")[2]
    if name and not is_noun(name):
        pytest.skip(f"{module} is not there")
    heavy = "tensorflow keras gradio fastapi matplotlib sacrebleu"
    code = f"import sys, {module}; print(*[name for name in {heavy.split()} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("\n", ""), "stdout names what was loaded"


# Where the name to import is not the name to install.
DISTRIBUTIONS = {"yaml": "pyyaml", "markdown_it": "markdown_it_py"}
OWN = {"seq2seq", "compression"}  # the second is Python 3.14's


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[^\w-]", entry)[0].replace("-", "_").lower() for entry in declared}
    for path in FILES:
        found = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - OWN
        missing = {name for name in found if DISTRIBUTIONS.get(name, name) not in names}
        assert not missing, f"{path.name} imports {sorted(missing)}"
