"""The supply chain: licences, floors and their reasons, the lock, known weaknesses, the bill of materials."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib import metadata
from itertools import product
from pathlib import Path

import dependencies
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from dependencies import ADVISORIES, EXTRAS, LOCK, PAGE, ROOT, Pin
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
TEXT = LOCK.read_text(encoding="utf-8")
PINS = dependencies.pins(TEXT)
DECLARED = dependencies.declared(PYPROJECT)

# Licences that let an Apache-2.0 package be used and passed on with what they cover.
PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-CMU"}
PERMISSIVE |= {"PSF-2.0", "Zlib"}
# These ask for a package's own files to stay open, which they do: each is used unchanged, for what is named here.
UNCHANGED = {
    "certifi": "root certificates, for the hub",
    "fqdn": "make sbom",
    "hypothesis": "tests",
    "orjson": "JSON of the page",
    "pathspec": "mypy",
    "tqdm": "the bar",
}
MACHINES = [
    {
        "sys_platform": system,
        "platform_machine": machine,
        "python_version": version,
        "python_full_version": f"{version}.0",
    }
    for version, (system, machine) in product(
        ["3.11", "3.12", "3.13"], [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]
    )
]


def unlicensed(names: dict[str, str]) -> list[str]:
    """What may not be used, of packages and their licences."""
    mozilla = PERMISSIVE | {"MPL-2.0"}
    return [
        f"{name}: {licence}"
        for name, licence in names.items()
        if not dependencies.allows(licence, mozilla if name in UNCHANGED else PERMISSIVE)
    ]


def baseless(declared: list[tuple[Requirement, str]]) -> list[str]:
    """Requirements without a floor, or without a comment that says who needs them."""
    return [str(requirement) for requirement, why in declared if not dependencies.floor(requirement) or not why]


def weak_floors(declared: list[tuple[Requirement, str]]) -> list[str]:
    """Requirements that let in a release with a known weakness."""
    return [
        f"{requirement}: {advisory['id']} until {advisory['fixed']}"
        for requirement, _ in declared
        for advisory in ADVISORIES
        if advisory["package"] == canonicalize_name(requirement.name)
        and (dependencies.floor(requirement) or Version("0")) < Version(advisory["fixed"])
    ]


def weak(versions: dict[str, Version]) -> list[str]:
    """Releases with a known weakness that nobody has accepted."""
    return [
        f"{name} {versions[name]}: {advisory['id']}, {advisory['what']}"
        for advisory in ADVISORIES
        if (name := advisory["package"]) in versions
        and "accepted" not in advisory
        and dependencies.is_affected(versions[name], advisory)
    ]


def unmet(lock: list[Pin], environment: dict[str, str]) -> list[str]:
    """What the tests ask for and the lock does not give to a machine."""
    given = dependencies.in_force(lock, environment)
    wanted = [
        Requirement(line) for extra in ("", "train", "app", "files", "hub", "onnx", "dev") for line in EXTRAS[extra]
    ]
    asked = [
        need for need in wanted if need.name != "seq2seq" and (not need.marker or need.marker.evaluate(environment))
    ]
    return [
        str(need)
        for need in asked
        if canonicalize_name(need.name) not in given or given[canonicalize_name(need.name)] not in need.specifier
    ]


@pytest.fixture(scope="module")
def installed() -> dict[str, set[str]]:
    return dependencies.installed_extras()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `make sbom` writes, of the tests' environment and not yet validated, which takes long."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("build/pyproject.toml", "pyproject.toml")
    (options,) = re.findall(r"cyclonedx-py (environment .+?) -o ", makefile)
    file = tmp_path_factory.mktemp("bill") / "bom.json"
    command = [sys.executable, "-m", "cyclonedx_py", *shlex.split(options), "--no-validate"]
    subprocess.run([*command, "-o", file, sys.executable], cwd=ROOT, check=True, timeout=300, capture_output=True)
    return json.loads(file.read_text(encoding="utf-8"))


class TestLicences:
    def test_the_environment_has_all_that_the_tests_ask_for(self, installed: dict) -> None:
        assert {"", "train", "app", "files", "hub", "onnx", "all", "dev"} <= set(installed)
        assert {"h11", "jinja2", "pillow", "werkzeug"} <= installed["dev"], "what packages need in turn"

    def test_every_package_may_be_used(self, installed: dict) -> None:
        names = set().union(*installed.values())
        assert unlicensed({name: dependencies.licence(metadata.distribution(name)) for name in names}) == []

    def test_what_is_used_unchanged_is_still_used(self, installed: dict) -> None:
        assert set(UNCHANGED) <= set().union(*installed.values())

    @pytest.mark.parametrize(
        ("name", "licence"),
        [
            ("a", "GPL-3.0-only"),
            ("a", "LGPL-2.1-or-later"),
            ("a", "AGPL-3.0-only"),
            ("a", "MPL-2.0"),
            ("a", "MIT AND GPL-2.0-only"),
            ("tqdm", "GPL-3.0-only"),
            ("a", "UNKNOWN"),
        ],
    )
    def test_what_may_not_be_used_is_found(self, name: str, licence: str) -> None:
        assert unlicensed({"numpy": "MIT", name: licence}) == [f"{name}: {licence}"]

    def test_one_licence_of_several_is_enough(self) -> None:
        assert unlicensed({"a": "GPL-3.0-only OR MIT", "tqdm": "MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)"}) == []

    def test_a_package_without_a_word_on_its_licence_has_an_unknown_one(self, tmp_path: Path) -> None:
        for name, line in {
            "one": "",
            "two": "License: do as you like\n",
            "three": "Classifier: License :: Other\n",
        }.items():
            folder = tmp_path / f"{name}-1.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{line}", encoding="utf-8"
            )
            assert dependencies.licence(metadata.PathDistribution(folder)) == "UNKNOWN"

    def test_the_page_says_what_is_installed(self) -> None:
        assert PAGE.read_text(encoding="utf-8") == dependencies.page(), (
            "python tests/dependencies.py > docs/dependencies.md"
        )


class TestFloors:
    def test_every_requirement_has_a_floor_and_says_who_needs_it(self) -> None:
        assert baseless(DECLARED) == []
        lines = [line for lines in EXTRAS.values() for line in lines if not line.startswith("seq2seq[")]
        assert [str(requirement) for requirement, _ in DECLARED] == [str(Requirement(line)) for line in lines]

    def test_no_floor_lets_a_known_weakness_in(self) -> None:
        assert weak_floors(DECLARED) == []

    @pytest.mark.parametrize("line", ['"tqdm",  # the bar', '"tqdm<5",  # the bar', '"tqdm>=5",'])
    def test_one_without_a_floor_or_a_reason_is_found(self, line: str) -> None:
        assert len(baseless(dependencies.declared(f"    {line}\n"))) == 1

    @pytest.mark.parametrize("line", ["Tqdm>=4.66", "tqdm<9", "starlette==1.0.0"])
    def test_one_that_lets_a_weakness_in_is_found(self, line: str) -> None:
        assert len(weak_floors(dependencies.declared(f'    "{line}",  # cli\n'))) == 1


class TestLock:
    def test_every_file_has_a_checksum(self) -> None:
        assert len(PINS) > 100
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for pin in PINS for each in pin.hashes)
        assert [pin.requirement.name for pin in PINS if not pin.hashes] == []

    def test_every_release_is_one_alone(self) -> None:
        assert [
            str(pin.requirement) for pin in PINS if not re.match(r"==[\w.]+$", str(pin.requirement.specifier))
        ] == []

    def test_it_names_no_host_and_no_folder(self) -> None:
        assert not re.search(r"://|^ *-(?!-hash)|[\s(]/", TEXT, re.MULTILINE)

    @pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: " ".join(list(machine.values())[:3]))
    def test_it_gives_every_machine_what_the_tests_ask_for(self, machine: dict) -> None:
        assert unmet(PINS, machine) == [], "make lock"
        assert weak(dependencies.in_force(PINS, machine)) == []

    def test_what_it_does_not_give_is_found(self) -> None:
        older = [Pin(Requirement("typer==0.1")) if pin.requirement.name == "typer" else pin for pin in PINS]
        fewer = [pin for pin in PINS if pin.requirement.name != "numpy" or "3.12" not in str(pin.requirement.marker)]
        assert [name[:5] for lock in (older, fewer) for name in unmet(lock, MACHINES[0])] == ["typer", "numpy"]

    def test_a_line_is_read_with_its_marker_and_its_checksums(self) -> None:
        (pin, other) = dependencies.pins(
            "# note\na==1.2 ; python_version < '4' \\\n    --hash=x:1 \\\n    --hash=x:2\n    # via b\nb==2\n"
        )
        assert (pin.requirement.name, pin.version, pin.hashes) == ("a", Version("1.2"), ["x:1", "x:2"])
        assert str(pin.requirement.marker) == 'python_version < "4"'
        assert (other.requirement.name, other.hashes) == ("b", [])


class TestWeaknesses:
    def test_no_installed_release_has_one(self, installed: dict) -> None:
        names = set().union(*installed.values())
        assert weak({name: Version(metadata.version(name)) for name in names}) == []

    def test_what_was_accepted_is_still_locked(self) -> None:
        locked = dependencies.in_force(PINS, MACHINES[0])
        accepted = [advisory for advisory in ADVISORIES if "accepted" in advisory]
        assert all(dependencies.is_affected(locked[advisory["package"]], advisory) for advisory in accepted)

    def test_one_is_found(self) -> None:
        versions = {
            "h11": Version("0.14"),
            "urllib3": Version("1.22"),
            "tqdm": Version("4.66.3"),
            "jinja2": Version("3.1.6"),
        }
        assert [line.split(":")[0] for line in weak(versions)] == ["h11 0.14", "urllib3 1.22"]
        assert weak({"tqdm": Version("4.3")}) == [], "older than the weakness"

    def test_each_has_an_id_and_concerns_a_package_of_ours(self) -> None:
        names = {pin.requirement.name for pin in PINS} | {
            canonicalize_name(requirement.name) for requirement, _ in DECLARED
        }
        for advisory in ADVISORIES:
            assert re.fullmatch(r"(CVE|GHSA|PYSEC|CGA)-[\w-]+", advisory["id"])
            assert advisory["package"] in names
            assert set(advisory) <= {"package", "since", "fixed", "id", "what", "accepted"}


class TestBillOfMaterials:
    def test_it_has_every_package_with_its_version_and_licence(self, bill: dict) -> None:
        parts = {canonicalize_name(part["name"]): part for part in bill["components"]}
        for name in dependencies.reached(""):
            address, _, version = parts[name]["purl"].partition("@")
            assert version == parts[name]["version"] == metadata.version(name)
            assert canonicalize_name(address.removeprefix("pkg:pypi/")) == name
        assert parts["msgspec"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"

    def test_it_keeps_to_the_schema(self, bill: dict) -> None:
        few = bill | {"components": bill["components"][:3], "dependencies": []}
        validator = JsonStrictValidator(SchemaVersion.V1_6)
        assert validator.validate_str(json.dumps(few)) is None
        assert validator.validate_str(json.dumps(few | {"components": [{"name": "without a type"}]}))
