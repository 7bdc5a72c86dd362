"""The command line with a witness: what a training does is written down as it happens, so that a kill can be aimed.

Run as `python witness.py EVENTS train ...`. Each event is one write of one line, which survives the end of the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
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
