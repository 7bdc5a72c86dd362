"""Settings from dictionaries, YAML and `section.key=value`, checked; and back to YAML.

It owns what is said of a setting that is unknown or out of range; it does not know what the settings are.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from seq2seq.config.sections import Config, Section

NO_YAML = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What PyYAML raises of text that it cannot read; all but the first where a value is not what its tag or form says."""


class ConfigError(ValueError):
    """A setting is unknown or outside its range."""


def build(*layers: dict[str, Any]) -> Config:
    """Validates the nested dictionaries, later ones over earlier ones.

    Raises:
        ConfigError: a key is unknown or a value outside its range; the message names the nearest valid key.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer)
    _refuse_unknown(merged, Config)
    try:
        made = msgspec.convert(merged, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), merged)) from None
    _refuse_infinite(_flat(msgspec.to_builtins(made)))
    return made


def load(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file of settings as a nested dictionary for `build`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"A configuration must be a readable text file. Received: {path} ({error})") from None
    try:
        content = yaml.safe_load(text)
    except NO_YAML as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"A configuration must be valid YAML. Received: {path}{place}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"A configuration must be a mapping of sections. Received: {path}, a {type(content).__name__}"
        )
    _refuse_unknown(content, Config)
    return content


def assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """Parses `section.key=value` strings into a nested dictionary for `build`."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"An assignment must look like section.key=value. Received: {pair!r}")
        try:
            parsed = yaml.safe_load(value)
        except NO_YAML:
            parsed = value
        if isinstance(parsed, str):
            parsed = _number(parsed)
        for key in reversed(name.split(".")):
            parsed = {key: parsed}
        _merge(settings, parsed)
    _refuse_unknown(settings, Config)
    return settings


def dump(config: Config) -> str:
    """The resolved configuration as YAML."""
    content = msgspec.to_builtins(config)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    if any(mark in text for mark in "\x85\u2028\u2029"):  # line breaks to PyYAML, which would read them as blanks
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=False)
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


def _number(text: str) -> str | float:
    """YAML 1.1 reads 1e-3 as text; a setting never means it so."""
    try:
        return float(text)
    except ValueError:
        return text


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value


def _refuse_infinite(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} must be a finite number. Received: {value}")


def _refuse_unknown(settings: dict[str, Any], section: type[Section], prefix: str = "") -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in settings.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            shown = str(key) if str(key).isprintable() else repr(key)
            raise ConfigError(
                f"A setting must be one we know; the nearest is {prefix}{near[0]}. Received: {prefix}{shown}"
            )
        kind = fields[key]
        if isinstance(kind, type) and issubclass(kind, Section):
            if not isinstance(value, dict):
                raise ConfigError(f"{prefix}{key} must be a section of settings. Received: {value!r}")
            _refuse_unknown(value, kind, f"{prefix}{key}.")


def _sentence(message: str, settings: Any) -> str:
    """msgspec's "Expected `int` >= 1 - at `$.model.units`" in our form, with the value that was given."""
    problem, _, place = message.partition(" - at ")
    if not problem.startswith(("Expected", "Invalid enum value")):
        return problem
    path = re.findall(r"\w+", place)
    for key in path:
        settings = settings.get(key) if isinstance(settings, dict) else settings
    expected = problem.split(", got")[0].removeprefix("Expected ").replace("`", "")
    return f"{'.'.join(path)} must be {expected}. Received: {settings!r}"
