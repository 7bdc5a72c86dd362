"""README.md runs as printed, from top to bottom, in an empty folder with only data/ and the model that ships in it.

Four things differ from what a reader types. Training is made tiny: `TINY` is appended to the command, and `fit` runs
one epoch. The sample is cut to its first `LINES`. The server takes a free port. What sets up an environment is only
checked for its target: `make demo`, `make test` and `pip install` are for `.ci/run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRETRAINED = "seq2seq/pretrained/en-de"
ADDRESS = "http://127.0.0.1:7860"
LINES = 1000
SETTINGS = {
    "training.epochs": 1,
    "model.embedding": 16,
    "model.units": 32,
    "tokenizer.vocabulary": 400,
    "corpus.valid": 20,
    "corpus.test": 20,
}
TINY = " ".join(["--no-preflight", *(f"--set {name}={value}" for name, value in SETTINGS.items())])


@dataclass(frozen=True)
class Step:
    """A shell command or a block of Python, as the README has it."""

    language: str
    text: str

    @property
    def kind(self) -> str:
        """python, make, pip, hub, serve, train or command."""
        if self.language == "python":
            return "python"
        program, verb = shlex.split(self.text)[:2]
        if program in ("make", "pip"):
            return program
        if verb in ("push", "pull"):
            return "hub"
        return verb if program == "seq2seq" and verb in ("train", "serve") else "command"


def steps() -> Iterator[Step]:
    """In the order of the page."""
    for language, body in FENCE.findall(README):
        if language == "sh":
            yield from (Step("sh", line) for line in body.replace("\\\n", " ").splitlines() if line.strip())
        elif language == "python":
            yield Step("python", body)


STEPS = list(steps())
CHECKED = [step for step in STEPS if step.kind in ("make", "pip", "hub")]
RUN = [step for step in STEPS if step not in CHECKED]


def title(step: Step) -> str:
    return step.text.strip().splitlines()[-1][:60] if step.language == "python" else step.text[:60]


class Reader:
    """Someone who follows the README in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir()
        for name in ("sample.en", "sample.de"):
            lines = (ROOT / "data" / name).read_text(encoding="utf-8").splitlines(keepends=True)
            (folder / "data" / name).write_text("".join(lines[:LINES]), encoding="utf-8")
        if (ROOT / PRETRAINED).is_dir():
            (folder / PRETRAINED).parent.mkdir(parents=True)
            (folder / PRETRAINED).symlink_to(ROOT / PRETRAINED)
        program = folder / "bin" / "seq2seq"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m seq2seq "$@"\n')
        program.chmod(0o755)
        self.env = {
            **os.environ,
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def follow(self, step: Step) -> str | None:
        """Does what the step says; gives what went wrong, if anything did."""
        if step.kind == "serve":
            with self.server(step) as address:
                return None if address else "the server did not come up"
        if ADDRESS in step.text:
            serve = next(each for each in STEPS if each.kind == "serve")
            with self.server(serve) as address:
                return self.run(sys.executable, "-c", step.text.replace(ADDRESS, address))
        if step.language == "python":
            return self.run(sys.executable, "-c", step.text.replace("epochs=10", "epochs=1"))
        return self.run("bash", "-euo", "pipefail", "-c", f"{step.text} {TINY}" if step.kind == "train" else step.text)

    def run(self, *argv: str) -> str | None:
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=300, check=False
        )
        return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}" if done.returncode else None

    @contextlib.contextmanager
    def server(self, step: Step) -> Iterator[str]:
        """Its address while it runs; empty if it did not answer."""
        argv = [*shlex.split(step.text), "--port", "0"]
        log = self.folder / "serve.log"
        # A shell starts what it puts in the background with SIGINT ignored, and that would be handed down.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with log.open("w") as file:
                process = subprocess.Popen(argv, cwd=self.folder, env=self.env, stderr=file)
        finally:
            signal.signal(signal.SIGINT, before)
        with process:
            try:
                yield answering(log)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
        assert process.returncode == 130


def answering(log: Path, seconds: float = 60) -> str:
    """The address that a server says it listens on, once /healthz says that its page is ready; else nothing."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        said = re.search(r"http://\S+", log.read_text())
        with contextlib.suppress(OSError):
            if said and json.load(direct.open(f"{said[0]}/healthz", timeout=5))["ready"]:
                return said[0]
        time.sleep(0.2)
    return ""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[Step, str | None]:
    """What went wrong with each step, all of them done in order."""
    for package in ("tensorflow", "tensorflow_text", "gradio", "sacrebleu"):
        pytest.importorskip(package)
    reader = Reader(tmp_path_factory.mktemp("reader"))
    possible = [step for step in RUN if PRETRAINED not in step.text or (ROOT / PRETRAINED).is_dir()]
    return {step: reader.follow(step) for step in possible}


@pytest.mark.slow
@pytest.mark.timeout(1500)  # the first has to wait for all
@pytest.mark.parametrize("step", RUN, ids=title)
def test_a_step_runs(step: Step, followed: dict[Step, str | None]) -> None:
    if step not in followed:
        pytest.skip(f"there is no {PRETRAINED} yet")
    assert followed[step] is None, followed[step]


@pytest.mark.parametrize("step", CHECKED, ids=title)
def test_what_sets_up_an_environment_or_needs_a_network_has_its_target(step: Step) -> None:
    words = shlex.split(step.text)
    if step.kind == "hub":
        assert {word for word in words if word.startswith("--")} <= commands()[words[1]]
        return
    if step.kind == "make":
        assert re.search(rf"^{re.escape(words[1])}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert words[:2] == ["pip", "install"]
    wanted = re.fullmatch(r"\.\[(\w+)\]", words[2])
    assert wanted
    assert wanted[1] in extras


def test_the_page_has_every_command_and_no_block_that_is_not_run() -> None:
    assert {language for language, _ in FENCE.findall(README)} <= {"sh", "python", "bibtex"}
    assert README.count("\n```") == 2 * len(FENCE.findall(README)), "a fence is not closed"
    assert {"make demo", "make test"} <= {step.text for step in CHECKED}
    shown = {command for step in STEPS for command in re.findall(r"seq2seq (\w+)", step.text)}
    assert shown >= commands().keys()


def commands() -> dict[str, set[str]]:
    """The flags of every command."""
    import typer

    from seq2seq.cli import app

    found = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {name: {flag for param in command.params for flag in param.opts} for name, command in found.items()}


def test_every_flag_in_the_text_is_one_that_the_program_has() -> None:
    flags = {"--help", *(flag for options in commands().values() for flag in options)}
    text = " ".join(re.findall(r"`([^`\n]+)`", FENCE.sub("", README)))
    named = set(re.findall(r"(?<!\S)--[a-z-]+", text))
    assert named
    assert named <= flags


def test_every_setting_in_the_text_is_one_that_the_program_has() -> None:
    from seq2seq import config

    settings = [*re.findall(r"--set (\S+?=\w+)", README), *re.findall(r"--set (\S+)", TINY)]
    assert len(settings) > len(SETTINGS)
    config.build(config.assignments(settings))


def test_links_and_pictures_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", README)):
        assert target.startswith("https://") or (ROOT / target).exists(), target
