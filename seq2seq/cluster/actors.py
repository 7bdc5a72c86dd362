"""Many items through a function that several processes of a cluster hold ready, by Ray Data.

It owns how a lost process is replaced and what is said when too many are; it does not know what the function does.
"""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seq2seq.cluster.connection import ClusterError, gist

TRIES = 3
"""How many processes an item may end."""


class Tries:
    """An actor that counts how often each item was begun: Ray itself would try one for ever that ends every process."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, place: int) -> int:
        self._begun[place] += 1
        return self._begun[place]


class Worker:
    """One process: makes the function once, and calls it for each item that Ray brings."""

    def __init__(self, kept: Sequence[Any], tries: Any) -> None:
        import ray

        make, self._items = ray.get(kept[0])
        self._function, self._tries = make(), tries

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch has the places of items; the answer has them and pickled results."""
        import numpy as np

        results = [pickle.dumps(self._done(int(place))) for place in batch["id"]]
        return {"id": batch["id"], "result": np.array(results, dtype=object)}

    def _done(self, place: int) -> tuple[Any, ...]:
        import ray

        return (self._function(self._items[place]),) if ray.get(self._tries.begin.remote(place)) <= TRIES else ()


def over(
    ray: Any, items: Sequence[Any], make: Callable[[], Callable[[Any], Any]], *, workers: int
) -> Iterator[tuple[int, Any]]:
    """The place of each item and what the function gives for it, in the order in which they are done, each once.

    A process that is gone is replaced, and what it was at is begun anew.

    Arguments:
        ray: as `connected` gives it.
        items: small things; they travel to all processes.
        make: called in each process; what it gives is called with the items.
        workers: processes, a core each.

    Raises:
        ClusterError: an item has ended `TRIES` processes, the function failed, or there is no room.
    """
    from ray import data as datasets

    context = datasets.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    present = ray.cluster_resources().get("CPU", 0)
    if present < workers:
        raise ClusterError(f"A cluster must have a core for each worker. Received: {workers}, and {present:.0f} cores")
    places = [{"id": place} for place in range(len(items))]  # not `range`: its reading would need a core more
    data = datasets.from_items(places, override_num_blocks=len(places)).map_batches(
        Worker,
        fn_constructor_args=([ray.put((make, items))], ray.remote(Tries).options(num_cpus=0).remote()),
        batch_size=1,
        num_cpus=1,
        concurrency=workers,
    )
    try:
        for row in data.iter_rows():
            place, result = int(row["id"]), pickle.loads(row["result"])
            if not result:
                raise ClusterError(f"Work must not end its process. Received: {TRIES} ended at {items[place]}")
            yield place, result[0]
    except ray.exceptions.RayError as error:
        raise ClusterError(f"The work must end in every process. Received: {gist(error)}") from error
