"""What the project depends on, as files and installed packages say it. Run as a program it prints docs/dependencies.md.

It does not know which of it is right: test_dependencies.py judges.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

from license_expression import LicenseSymbol, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-dev.txt"
PAGE = ROOT / "docs" / "dependencies.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADVISORIES = tomllib.loads((ROOT / "tests" / "advisories.toml").read_text(encoding="utf-8"))["advisory"]
EXTRAS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
DECLARED = re.compile(r'^    "(?P<requirement>[^":]+)",(?: *# (?P<why>.+))?$')

# What packages wrote before there were SPDX expressions, in the field `License` or as a classifier.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
UNSAID = {"namex": "Apache-2.0"}  # the metadata has none, the file LICENSE has
NAMES = get_spdx_licensing()


def licence(package: metadata.Distribution) -> str:
    """The SPDX expression of a package's licence, or UNKNOWN."""
    data = package.metadata
    words = [data.get("License-Expression"), data.get("License"), UNSAID.get(canonicalize_name(data["Name"]))]
    words += [line.rpartition(" :: ")[2] for line in data.get_all("Classifier", []) if line.startswith("License ::")]
    for word in filter(None, words):
        known = SPDX.get(word, word)
        if len(known) < 100 and not NAMES.validate(known).errors:
            return known
    return "UNKNOWN"


def allows(expression: str, allowed: set[str]) -> bool:
    """Whether these licences are enough: all of an AND, one of an OR."""

    def enough(tree: object) -> bool:
        if isinstance(tree, LicenseSymbol):
            return tree.key in allowed
        return (all if tree.operator == " AND " else any)(enough(part) for part in tree.args)

    return expression != "UNKNOWN" and enough(NAMES.parse(expression))


@cache
def needs(name: str, extra: str) -> list[Requirement]:
    """What an installed package asks for here."""
    found = [Requirement(line) for line in metadata.requires(name) or []]
    return [needed for needed in found if not needed.marker or needed.marker.evaluate({"extra": extra})]


def reached(extra: str) -> set[str]:
    """All packages that the project needs with this extra, itself left out; those that are missing too."""
    open_ends = [("seq2seq", extra)]
    seen = set(open_ends)
    while open_ends:
        name, part = open_ends.pop()
        try:
            wanted = needs(name, part)
        except metadata.PackageNotFoundError:
            continue
        for needed in wanted:
            ends = {(canonicalize_name(needed.name), each) for each in ["", *needed.extras]} - seen
            seen |= ends
            open_ends += ends
    return {name for name, _ in seen} - {"seq2seq"}


@cache
def is_installed(name: str) -> bool:
    return any(True for _ in metadata.distributions(name=name))


def installed_extras() -> dict[str, set[str]]:
    """What each extra needs whose packages are all there."""
    needed = {extra: reached(extra) for extra in EXTRAS}
    return {extra: names for extra, names in needed.items() if all(map(is_installed, names))}


def declared(text: str) -> list[tuple[Requirement, str]]:
    """The lines of pyproject.toml that declare a package of others, each with its comment: beside or above it."""
    found, above = [], ""
    for line in text.partition("[project.scripts]")[0].splitlines():
        match = DECLARED.match(line)
        if match and not match["requirement"].startswith("seq2seq["):
            found.append((Requirement(match["requirement"]), match["why"] or above))
        above = line.strip().removeprefix("# ") if line.strip().startswith("# ") else ""
    return found


def floor(requirement: Requirement) -> Version | None:
    """The oldest release that it lets in."""
    for part in requirement.specifier:
        if part.operator in (">=", "==", "~="):
            return Version(part.version.removesuffix(".*"))
    return None


@dataclass(frozen=True)
class Pin:
    """A line of the lock: a requirement of one release, and the checksums of its files."""

    requirement: Requirement
    hashes: list[str] = field(default_factory=list)

    @property
    def version(self) -> Version:
        return Version(next(iter(self.requirement.specifier)).version)


def pins(text: str) -> list[Pin]:
    entries = re.findall(r"^[^\s#].*(?:\n .*)*", text, re.MULTILINE)
    return [
        Pin(
            Requirement(re.split(r"\s\\|\s*$", entry, maxsplit=1, flags=re.MULTILINE)[0]),
            re.findall(r"--hash=(\S+)", entry),
        )
        for entry in entries
    ]


def in_force(lock: list[Pin], environment: dict[str, str]) -> dict[str, Version]:
    """The releases that the lock gives to a machine."""
    markers = [(pin, pin.requirement.marker) for pin in lock]
    return {pin.requirement.name: pin.version for pin, marker in markers if not marker or marker.evaluate(environment)}


def is_affected(version: Version, advisory: dict) -> bool:
    return Version(advisory.get("since", "0")) <= version < Version(advisory["fixed"])


def page() -> str:
    """docs/dependencies.md."""
    used: dict[str, list[str]] = {}
    for extra, lines in EXTRAS.items():
        for line in lines:
            if not line.startswith("seq2seq["):
                used.setdefault(canonicalize_name(Requirement(line).name), []).append(extra or "always")
    rows = [
        f"| {name} | {licence(metadata.distribution(name))} | {', '.join(extras)} |"
        for name, extras in sorted(used.items())
        if is_installed(name)
    ]
    names = set(chain(*installed_extras().values()))
    weak = sorted(name for name in names if "MPL" in licence(metadata.distribution(name)))
    return HEAD + "\n".join(rows) + TAIL.format(weak=", ".join(weak))


HEAD = """# Dependencies

What the project asks for itself, and by which extra. Which module needs it, and why its floor is what it is, stands
beside it in [pyproject.toml](../pyproject.toml). `make lock` writes this page; a test holds it to what is installed.

| package | licence | needed by |
|---|---|---|
"""

TAIL = """

A test reads the licence of each of these and of all that they need in turn; `make sbom` lists them. All are permissive
but these, which are under the MPL-2.0 and used unchanged: {weak}.

Not in the tests' environment: ray (Apache-2.0), and NVIDIA's CUDA libraries, which the extra `gpu` brings with
TensorFlow. Those are under NVIDIA's own terms; nothing of theirs is in our packages. The tests of the page use axe-core
(MPL-2.0) where there is one.
"""

if __name__ == "__main__":
    print(page(), end="")
