"""Every setting of seq2seq: frozen, validated, each default in exactly one place.

It reads and writes YAML; it does not know what any setting is used for beyond the range it must lie in.
"""

from seq2seq.config.defaults import OWN, defaults, fine_tuning
from seq2seq.config.reading import ConfigError, assignments, build, changes, dump, load, merge
from seq2seq.config.sections import (
    DROPOUTS,
    Config,
    CorpusConfig,
    ModelConfig,
    SearchConfig,
    Section,
    TokenizerConfig,
    TrainingConfig,
)

__all__ = [
    "DROPOUTS",
    "OWN",
    "Config",
    "ConfigError",
    "CorpusConfig",
    "ModelConfig",
    "SearchConfig",
    "Section",
    "TokenizerConfig",
    "TrainingConfig",
    "assignments",
    "build",
    "changes",
    "defaults",
    "dump",
    "fine_tuning",
    "load",
    "merge",
]
