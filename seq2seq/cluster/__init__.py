"""Work shared among the machines of a Ray cluster, and files cut into shards for it.

It knows Ray and lines of bytes; it does not know what is done with a line, nor what a model is.
"""

from __future__ import annotations

from seq2seq.cluster.actors import over
from seq2seq.cluster.connection import ADDRESS, ClusterError, connected, gist
from seq2seq.cluster.shards import Shard, ShardsError, Store, cut

__all__ = ["ADDRESS", "ClusterError", "Shard", "ShardsError", "Store", "connected", "cut", "gist", "over"]
