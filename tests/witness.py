"""A tiny training by the command line with a witness: what it does is written down, so that a signal can be aimed.

The witness runs as `python witness.py EVENTS train ...`; each event is one write of a line, which outlives the process.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SMALL = ("model.embedding=16", "model.units=32", "model.decoder_layers=1", "training.average=2", "training.epochs=8")
SMALL += ("training.batch_tokens=100", "training.checkpoint_minutes=0.002", "corpus.test=20", "corpus.valid=20")
INTERVAL = 60 * 0.002
PATIENCE = 300


@dataclass(frozen=True)
class Moment:
    """So many times after a life began that this was told, and after so many seconds more."""

    what: str
    count: int = 1
    after: float = 0.0


def corpus(folder: Path) -> list[str]:
    """Digits and the same digits backwards."""
    draw = random.Random(0)
    rows = sorted({tuple(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(300)})
    (folder / "a.en").write_text("".join(" ".join(row) + "\n" for row in rows))
    (folder / "a.de").write_text("".join(" ".join(reversed(row)) + "\n" for row in rows))
    return ["--source", str(folder / "a.en"), "--target", str(folder / "a.de")]


class Training:
    """A training by the command line, which can be killed and begun again; what it told, life by life."""

    def __init__(self, folder: Path, *settings: str, run: Path | None = None) -> None:
        folder.mkdir()
        self.run, self.lives = run or folder / "run", list[list[dict]]()
        settings = [part for setting in (*SMALL, *settings) for part in ("--set", setting)]
        self._given = ["train", "--output", str(self.run), "--no-preflight", *corpus(folder), *settings]
        self._folder = folder

    def live(self, until: Moment | None = None, number: int = signal.SIGKILL) -> int:
        """Begins it or goes on with it, until it ends or that moment comes, and with it a signal; the exit code."""
        events = self._folder / f"events-{len(self.lives)}"
        resume = ["--resume"] if self.run.exists() and any(self.run.iterdir()) else []
        argv = [sys.executable, __file__, str(events), *self._given, *resume]
        with (self._folder / "said").open("w") as said:
            process = subprocess.Popen(argv, stdout=said, stderr=said)
        deadline = time.monotonic() + PATIENCE
        try:
            while process.poll() is None:
                assert time.monotonic() < deadline, "hangs"
                if until and sum(each["what"] == until.what for each in read(events)) >= until.count:
                    time.sleep(until.after)
                    process.send_signal(number)
                    process.wait(PATIENCE)
                time.sleep(0.002)
        finally:
            process.kill()
            process.wait()
        self.lives.append(read(events))
        return process.returncode

    def said(self) -> str:
        """What it wrote."""
        return (self._folder / "said").read_text()

    def digests(self) -> dict[str, str]:
        files = ("model/weights.safetensors", "tokenizer.model", "data/train.en", "config.yaml")
        return {name: hashlib.sha256((self.run / name).read_bytes()).hexdigest() for name in files}


def main() -> None:
    """What runs in a process of its own."""
    from seq2seq.cli import shell

    shell.import_tensorflow()
    from seq2seq import bundle, checkpoint, cli, corpus, release, training

    events = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(what: str, **more: object) -> None:
        os.write(events, json.dumps({"what": what, "seconds": time.monotonic(), **more}).encode() + b"\n")

    def told(place: object, name: str, what: str) -> None:
        original = getattr(place, name)

        def call(*arguments, **named):
            tell(what)
            done = original(*arguments, **named)
            tell(f"{what}, done")
            return done

        setattr(place, name, call)

    told(corpus, "prepare", "preparing")
    told(training.Trainer, "_judged", "judging")
    told(release, "release", "exporting")
    told(bundle, "write", "writing")
    save, make_step = checkpoint.save, training.Trainer._step

    def saving(path, variables, state=None):
        where = {"epoch": state["epoch"], "batch": state["batch"]} if state else {}
        tell("saving", **where)
        save(path, variables, state)
        tell("saved", **where)

    def stepping(self, signature):
        step = make_step(self, signature)

        def call(batch, ends):
            done = step(batch, ends)
            done[0].numpy()
            tell("batch", epoch=self.standing.epoch, batch=self.standing.batch)
            return done

        return call

    checkpoint.save, training.Trainer._step = saving, stepping
    cli.main()


def read(path: Path) -> list[dict]:
    """What was told so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
