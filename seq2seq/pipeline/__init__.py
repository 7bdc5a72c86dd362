"""Raw text to a finished model folder in one call: prepare, tokenize, train, average, export, score.

It owns the order of these and the layout of a run folder; each step is another module's.
"""

from __future__ import annotations

from seq2seq.pipeline.budget import Before, Budget
from seq2seq.pipeline.plan import plan
from seq2seq.pipeline.run import Files, Interrupted, PipelineError, Run, check_kind, has_text
from seq2seq.pipeline.seeds import train_seeds
from seq2seq.pipeline.teachers import train_with_teachers
from seq2seq.pipeline.train import train
from seq2seq.pipeline.workers import Workers, train_on_ray

__all__ = [
    "Before",
    "Budget",
    "Files",
    "Interrupted",
    "PipelineError",
    "Run",
    "Workers",
    "check_kind",
    "has_text",
    "plan",
    "train",
    "train_on_ray",
    "train_seeds",
    "train_with_teachers",
]
