"""Without a network: in a namespace that has no route everything works, and nobody tries to reach another machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

HOOK = """
import os, sys

def heard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        host = address[0] if isinstance(address, tuple) else address
        host = host.decode() if isinstance(host, bytes) else host
        local = host in (None, "", "localhost", "0.0.0.0", "::") or str(host).startswith(("127.", "::1", "/"))
        if not local:
            with open(os.environ["OUTBOUND"], "a") as file:
                file.write(f"{event} {host}\\n")

sys.addaudithook(heard)
"""
APP = """
from robust import ask, serving

with serving() as server:
    for path in ("/", "/readyz", "/metrics", "/v1/models"):
        assert ask(server, path)[0] == 200, path
    for path, form in (("/v1/translate", {"text": "The dog sleeps."}), ("/v1/explain", {"text": "The dog sleeps."})):
        assert ask(server, path, form)[0] == 200, path
    assert ask(server, "/v1/documents?name=a.html", b"<p>The dog sleeps.</p>")[0] == 200
"""
UP = """
import fcntl, socket, struct
with socket.socket() as device:
    fcntl.ioctl(device, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
"""
NEAR = re.compile(r"AF_UNIX|AF_NETLINK|AF_UNSPEC|127\.\d+\.\d+\.\d+|\"::1\"|\"::ffff:127\.|inet_addr\(\"0\.0\.0\.0\"\)")


class Alone:
    """Runs commands in a namespace with nothing but the loopback device, and hears whom they try to reach."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        if sys.platform != "linux" or shutil.which("unshare") is None:
            pytest.skip("network namespaces are Linux', and unshare makes them")
        if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
            pytest.skip("this kernel does not let one make a network namespace")
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        self.traced = (
            shutil.which("strace") is not None
            and not subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode
        )

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        paths = [self.folder / "hook", self.root, self.root / "tests"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        environment["OUTBOUND"] = str(self.folder / "outbound")
        trace = [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=connect,sendto,sendmsg,sendmmsg",
            "-A",
            "-o",
            str(self.folder / "trace"),
        ]
        command = [*(trace if self.traced else []), sys.executable, *argv]
        shell = ["sh", "-c", '"$0" -S -c "$1"; shift; exec "$@"', sys.executable, UP, *command]
        return subprocess.run(
            ["unshare", "-rn", *shell],
            env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip

    def reached(self) -> list[str]:
        """Whom they tried to reach beyond this machine."""
        heard, trace = self.folder / "outbound", self.folder / "trace"
        lines = heard.read_text().splitlines() if heard.exists() else []
        if trace.exists():
            calls = [line for line in trace.read_text(errors="replace").splitlines() if "sa_family=AF_INET" in line]
            lines += [line for line in calls if not NEAR.search(line)]
        return lines


@pytest.fixture
def alone(tmp_path: Path, root: Path) -> Alone:
    return Alone(tmp_path, root)


def test_the_namespace_is_one_and_attempts_are_heard(alone: Alone) -> None:
    call = "import socket\ntry: socket.create_connection(('192.0.2.1', 9), 2)\nexcept OSError as error: print(error)"
    assert "unreachable" in alone.run("-c", call).stdout
    assert len(alone.reached()) == 2 + alone.traced


def test_the_command_line_reaches_nobody(alone: Alone, root: Path, tmp_path: Path, full: bool) -> None:
    model, data = str(root / "seq2seq" / "pretrained" / "en-de"), root / "data"
    for side in ("en", "de"):
        lines = (data / f"sample.{side}").read_text(encoding="utf-8").splitlines(keepends=True)[:400]
        (tmp_path / f"few.{side}").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "a.html").write_text("<p>The <b>dog</b> sleeps.</p>", encoding="utf-8")
    text = ["--source", "few.en", "--target", "few.de"]
    commands = [
        ["translate", model, "--input", "few.en", "--output", "out.de"],
        ["translate", model, "--file", "a.html", "--output", "b.html"],
        ["prepare", "few.en", "few.de", "--output", "prepared"],
        ["info", model],
    ]
    if full:
        pytest.importorskip("tensorflow")
        small = [part for setting in ("epochs=1", "checkpoint_minutes=1") for part in ("--set", f"training.{setting}")]
        small += ["--set", "model.units=16", "--set", "model.embedding=8", "--set", "corpus.valid=20"]
        commands += [
            ["score", model, *text],
            ["evaluate", model, "--source", "few.en", "--reference", "few.de"],
            ["train", *text, "--output", "run", "--no-preflight", *small],
            ["export", "run", "--format", "saved_model_ids", "--output", "exported"],
        ]
    for command in commands:
        done = alone.run("-m", "seq2seq", *command)
        assert done.returncode == 0, (command, done.stderr)
    print(f"{len(commands)} commands, {'traced' if alone.traced else 'heard by Python alone'}: {alone.reached()}")
    assert alone.reached() == []


def test_the_app_reaches_nobody(alone: Alone) -> None:
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    done = alone.run("-c", APP)
    assert done.returncode == 0, done.stderr
    assert alone.reached() == []
