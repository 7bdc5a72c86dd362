"""Settings from dictionaries, YAML and `section.key=value`, checked; and back to YAML.

It owns what is said of a setting that is unknown or out of range; it does not know what the settings are.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from seq2seq.config.sections import Config, Section

NO_YAML = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What PyYAML raises of text that it cannot read; all but the first where a value is not what its tag or form says."""


class ConfigError(ValueError):
    """A setting is unknown or outside its range.

    Attributes:
        setting: its name, where it is one alone.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting


class Loader(yaml.SafeLoader):
    """YAML as version 1.2 has it: 1e-3 is a number, 010 is ten, and `no` a language; no key twice."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value)
        return node


class Dumper(yaml.SafeDumper):
    """Quotes a word that is something else to `Loader`, or to a reader of version 1.1."""


_BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float"))
Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag not in (_BOOL, _INT, _FLOAT)]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(_BOOL, re.compile("(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver(_INT, re.compile("[-+]?[0-9]+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"),
    list("-+.0123456789"),
)
Loader.add_constructor(_INT, lambda loader, node: int(node.value))
_OLDER = yaml.SafeDumper.yaml_implicit_resolvers
Dumper.yaml_implicit_resolvers = {
    first: [*_OLDER.get(first, ()), *Loader.yaml_implicit_resolvers.get(first, ())]
    for first in {*_OLDER, *Loader.yaml_implicit_resolvers}
}


def build(*layers: dict[str, Any]) -> Config:
    """Validates the nested dictionaries, later ones over earlier ones.

    Raises:
        ConfigError: a key is unknown or a value outside its range; the message names the nearest valid key.
    """
    merged = merge(*layers)
    _refuse_unknown(merged, Config)
    try:
        made = msgspec.convert(merged, Config)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), merged) from None
    _refuse_infinite(_flat(msgspec.to_builtins(made)))
    return made


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries as one for `build`, later ones over earlier ones; they stay as they are."""
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer)
    return merged


def load(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file of settings as a nested dictionary for `build`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"A configuration must be a readable text file. Received: {path} ({error})") from None
    try:
        content = yaml.load(text, Loader)  # a SafeLoader
    except NO_YAML as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        twice = f" ({error.problem})" if isinstance(error, yaml.constructor.ConstructorError) and mark else ""
        raise ConfigError(f"A configuration must be valid YAML. Received: {path}{place}{twice}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"A configuration must be a mapping of sections. Received: {path}, a {type(content).__name__}"
        )
    try:
        build(content)
    except ConfigError as error:
        if error.setting:  # others may be right with what is said elsewhere
            raise ConfigError(f"{error}, in {path}, line {_line(text, error.setting)}", error.setting) from None
    return content


def assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """Parses `section.key=value` strings into a nested dictionary for `build`."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"An assignment must look like section.key=value. Received: {pair!r}")
        try:
            parsed = yaml.load(value, Loader)  # a SafeLoader
        except NO_YAML:
            parsed = value
        for key in reversed(name.split(".")):
            parsed = {key: parsed}
        _merge(settings, parsed)
    _refuse_unknown(settings, Config)
    return settings


def dump(config: Config) -> str:
    """The resolved configuration as YAML."""
    content = msgspec.to_builtins(config)
    text = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    if any(mark in text for mark in "\x85\u2028\u2029"):  # line breaks to PyYAML, which would read them as blanks
        text = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=False)
    return text


def changes(before: Config, after: Config) -> list[str]:
    """What `after` says differently, as `section.key=value` strings."""
    old, new = _flat(msgspec.to_builtins(before)), _flat(msgspec.to_builtins(after))
    return [f"{name}={value}" for name, value in new.items() if value != old[name]]


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _line(text: str, name: str) -> int:
    """Where a YAML text says a setting, or what is nearest above it."""
    node, line = yaml.compose(text, Loader), 1
    for part in name.split("."):
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value == part:
                node, line = value, key.start_mark.line + 1
    return line


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value


def _fields(section: Any) -> dict[str, Any]:
    """The settings of a section and their types; of what is none, nothing."""
    is_section = isinstance(section, type) and issubclass(section, Section)
    return {field.name: field.type for field in msgspec.structs.fields(section)} if is_section else {}


def _refuse_infinite(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} must be a finite number. Received: {value}", name)


def _refuse_unknown(settings: dict[str, Any], section: type[Section], prefix: str = "") -> None:
    fields = _fields(section)
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if key not in fields:
            shown = str(key) if str(key).isprintable() else repr(key)
            near = _near(str(key), prefix, fields)
            raise ConfigError(f"A setting must be one we know{near}. Received: {prefix}{shown}", name)
        if _fields(fields[key]):
            if not isinstance(value, dict):
                raise ConfigError(f"{name} must be a section of settings. Received: {value!r}", name)
            _refuse_unknown(value, fields[key], f"{name}.")


def _near(key: str, prefix: str, beside: Iterable[str]) -> str:
    """What may be meant: the same name elsewhere, a similar one here, a very similar one elsewhere, or any one here."""
    every = {name.rpartition(".")[2]: name for name in reversed(_flat(msgspec.to_builtins(Config())))}
    if key in every:
        return f"; it is {every[key]}"
    if found := difflib.get_close_matches(key, beside, n=1):
        return f"; the nearest is {prefix}{found[0]}"
    if found := difflib.get_close_matches(key, every, n=1, cutoff=0.8):
        return f"; the nearest is {every[found[0]]}"
    return f": {', '.join(f'{prefix}{name}' for name in beside)}"


def _refusal(message: str, settings: Any) -> ConfigError:
    """msgspec's "Expected `int` >= 1 - at `$.model.units`" in our form, with the value that was given."""
    problem, _, place = message.partition(" - at ")
    if not problem.startswith(("Expected", "Invalid enum value")):
        return ConfigError(problem)
    path = re.findall(r"\w+", place)
    kind: Any = Config
    for key in path:
        settings = settings.get(key) if isinstance(settings, dict) else settings
        kind = _fields(kind).get(key)
    expected = problem.split(", got")[0].removeprefix("Expected ").replace("`", "")
    if choices := [each for each in get_args(kind) if isinstance(each, str)]:
        expected = f"{', '.join(choices[:-1])} or {choices[-1]}"
    name = ".".join(path)
    return ConfigError(
        f"{name} must be {'true or false' if expected == 'bool' else expected}. Received: {settings!r}", name
    )
