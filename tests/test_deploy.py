"""The files of deploy/: they parse, run what there is, as nobody in particular, and ask the right paths."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from seq2seq import __version__, cli
from seq2seq.web import service

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
GRACE = service.GRACE


def flags() -> set[str]:
    """The flags of `seq2seq serve`."""
    command = typer.main.get_command(cli.app).commands["serve"]  # type: ignore[attr-defined]
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


def given(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("-")}


@pytest.fixture(scope="module")
def docker() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "seq2seq.service").read_text())
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


class TestDockerfile:
    def test_the_base_is_one_version_and_that_of_python_is_one_of_ours(self, docker: list) -> None:
        bases = {rest.split()[0] for name, rest in docker if name == "FROM"}
        (base,) = bases
        version = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-[a-z]+", base)
        assert version, "an image without a whole version is another one tomorrow"
        project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
        lowest, highest = re.findall(r"3\.(\d+)", project["requires-python"])
        assert int(lowest) <= int(version[1].split(".")[1]) < int(highest)

    def test_what_is_copied_is_there_and_the_extras_are_ours(self, docker: list) -> None:
        project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
        for name, rest in docker:
            if name == "COPY" and not rest.startswith("--from"):
                assert all((DEPLOY.parent / source).exists() for source in rest.split()[:-1])
        (extras,) = re.findall(r"'\.\[(.+?)\]'", " ".join(rest for _, rest in docker))
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
        kept = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
        assert all((DEPLOY.parent / name).exists() for name in kept)

    def test_it_serves_as_a_user_with_a_number(self, docker: list) -> None:
        last = dict(docker)
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last["USER"])
        words = yaml.safe_load(last["ENTRYPOINT"]) + yaml.safe_load(last["CMD"])
        assert words[:2] == ["seq2seq", "serve"] and given(words) <= flags()
        assert "/readyz" in last["HEALTHCHECK"] and last["STOPSIGNAL"] == "SIGTERM"
        assert last["EXPOSE"] == words[words.index("--port") + 1]
        names = [name for name, _ in docker]
        assert names.index("USER") > max(k for k, name in enumerate(names) if name in ("RUN", "COPY"))


def test_compose_runs_it_without_rights() -> None:
    file = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    server = file["services"]["seq2seq"]
    assert (DEPLOY.parent / server["build"]["dockerfile"]).is_file() and given(server["command"]) <= flags()
    assert server["read_only"] and server["cap_drop"] == ["ALL"] and server["user"] == "10001:10001"
    assert "no-new-privileges:true" in server["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    assert {"cpus", "mem_limit", "pids_limit", "restart"} <= set(server)
    assert int(server["stop_grace_period"].removesuffix("s")) > GRACE
    assert set(server["secrets"]) == set(file["secrets"])
    assert {volume.partition(":")[0] for volume in server["volumes"]} == set(file["volumes"])


class TestUnit:
    def test_it_serves_and_may_do_little_else(self, unit: dict[str, list[str]]) -> None:
        words = shlex.split(unit["ExecStart"][0])
        assert words[1] == "serve" and given(words) <= flags()
        assert unit["DynamicUser"] == ["yes"] and unit["CapabilityBoundingSet"] == [""]
        yes = ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "MemoryDenyWriteExecute")
        assert all(unit[name] == ["yes"] for name in yes) and unit["ProtectSystem"] == ["strict"]
        assert unit["IPAddressDeny"] == ["any"] and "@system-service" in unit["SystemCallFilter"]
        assert int(unit["TimeoutStopSec"][0]) > GRACE

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
    def test_systemd_understands_it(self, tmp_path: Path) -> None:
        text = (DEPLOY / "seq2seq.service").read_text().replace("/opt/seq2seq/bin/seq2seq", "/bin/true")
        (tmp_path / "seq2seq.service").write_text(text)
        command = ["systemd-analyze", "verify", str(tmp_path / "seq2seq.service")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = [line for line in done.stderr.splitlines() if "seq2seq" in line]
        assert said == []


class TestKubernetes:
    def test_the_probes_ask_what_there_is(self, kubernetes: dict) -> None:
        (container,) = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]
        asked = {
            name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")
        }
        assert asked == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
        assert given(container["args"]) <= flags()
        assert container["image"].endswith(f":{__version__}")

    def test_it_runs_as_nobody_with_limits_and_cannot_write(self, kubernetes: dict) -> None:
        pod = kubernetes["Deployment"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"} and "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert pod["terminationGracePeriodSeconds"] > GRACE + 5

    def test_everything_selects_the_same_pods_and_they_call_nobody(self, kubernetes: dict) -> None:
        labels = kubernetes["Deployment"]["spec"]["template"]["metadata"]["labels"]
        assert kubernetes["Deployment"]["spec"]["selector"]["matchLabels"] == labels
        assert kubernetes["Service"]["spec"]["selector"] == labels
        assert kubernetes["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
        policy = kubernetes["NetworkPolicy"]["spec"]
        assert policy["podSelector"]["matchLabels"] == labels and policy["egress"] == []
        assert all(each["from"] for each in policy["ingress"])  # with --proxy, whoever comes may say who it is
        assert kubernetes["Service"]["spec"]["sessionAffinity"] == "ClientIP"


def test_the_page_about_serving_explains_every_flag() -> None:
    page = (DEPLOY.parent / "docs" / "serving.md").read_text()
    explained = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    assert explained == {flag for flag in flags() if flag.startswith("--")} - {"--help"}
