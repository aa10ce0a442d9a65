"""The project around the code: workflows, wheels, and the tools that look after it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tooling import ROOT, find_tool

yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows; ./dev test installs it")

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yml")}

PYTHONS = ("cp311", "cp312", "cp313", "cp314", "cp314t")
# By platform of cibuildwheel: the processors, the endings of its identifiers, and the runners.
BUILDS = {
    "linux": (
        ("x86_64", "aarch64"),
        ("manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64", "musllinux_aarch64"),
        {"ubuntu-24.04", "ubuntu-24.04-arm"},
    ),
    "macos": (
        ("x86_64", "arm64"),
        ("macosx_x86_64", "macosx_arm64"),
        {"macos-15-intel", "macos-15"},
    ),
    "windows": (("AMD64",), ("win_amd64",), {"windows-2025"}),
}


def load(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_smoke_test_of_wheels_passes_here() -> None:
    command = [sys.executable, str(ROOT / "tests" / "support" / "smoke.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all is well"
    assert (
        SETTINGS["tool"]["cibuildwheel"]["test-command"]
        == "python {project}/tests/support/smoke.py"
    )


@pytest.mark.parametrize("platform", BUILDS)
def test_wheels_are_built_for(platform: str) -> None:
    processors, endings, _ = BUILDS[platform]
    done = subprocess.run(
        [
            *(find_tool("cibuildwheel"), str(ROOT), "--print-build-identifiers"),
            *("--platform", platform, "--archs", ",".join(processors)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {f"{cp}-{end}" for cp in PYTHONS for end in endings}


def test_there_is_a_runner_for_each_kind_of_wheel() -> None:
    job = load(WORKFLOWS["wheels"])["jobs"]["wheels"]
    runners = {runner for _, _, of_platform in BUILDS.values() for runner in of_platform}
    assert set(job["strategy"]["matrix"]["runner"]) == runners
    assert SETTINGS["tool"]["cibuildwheel"]["archs"] == ["native"]


def test_the_classifiers_name_the_pythons_of_the_wheels() -> None:
    named = [c.rpartition(" :: ")[2] for c in SETTINGS["project"]["classifiers"]]
    minors = {cp.strip("cpt") for cp in PYTHONS}
    assert {f"{minor[0]}.{minor[1:]}" for minor in minors} == {n for n in named if n[:2] == "3."}
    assert any("Free Threading" in c for c in SETTINGS["project"]["classifiers"])


@pytest.mark.parametrize("platform", BUILDS)
def test_gfortran_is_looked_at_before_wheels_are_built(platform: str) -> None:
    assert "gfortran --version" in SETTINGS["tool"]["cibuildwheel"][platform]["before-all"]


def test_there_are_workflows() -> None:
    assert set(WORKFLOWS) >= {"test", "wheels", "docs"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_careful(name: str) -> None:
    workflow = load(WORKFLOWS[name])
    assert workflow["permissions"] == {"contents": "read"}
    assert "cancel-in-progress" in workflow["concurrency"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    used = re.findall(r"uses: (.*)", WORKFLOWS[name].read_text(encoding="utf-8"))
    assert used
    for action in used:
        # A commit, which nobody can move, and the version for the reader and for dependabot.
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_what_is_there(name: str) -> None:
    text = WORKFLOWS[name].read_text(encoding="utf-8")
    commands = re.search(r"readonly commands='\n(.*?)'", (ROOT / "dev").read_text(), re.DOTALL)
    assert commands
    for command in re.findall(r"\./dev (\w+)", text):
        assert re.search(rf"^{command}\b", commands[1], re.MULTILINE), command
    for pattern in re.findall(r"(?:tests|\.ci)/[\w*./]+", text):
        assert list(ROOT.glob(pattern)), pattern
    for group in re.findall(r"--group (\w+)", text):
        assert group in SETTINGS["dependency-groups"]


def side_by_side(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "side_by_side.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_checks_run_side_by_side_and_speak_in_their_order(tmp_path: Path) -> None:
    made = tmp_path / "made"
    waits = f"sh -c 'echo one; until [ -e {made} ]; do sleep 0.01; done; echo more >&2; exit 3'"
    makes = f"sh -c 'touch {made}; echo two; exit 4'"
    killed = "sh -c 'kill -9 $$'"
    done = side_by_side("2", waits, makes, killed, "echo three")
    assert done.returncode == 3
    assert [line for line in done.stdout.splitlines() if not line.startswith("==")] == [
        *("one", "more", "two", "three")
    ]
    assert re.findall(r"^== exit status (\d+)", done.stdout, re.M) == ["3", "4", "137", "0"]
    assert side_by_side("2", "true", killed, "false").returncode == 137
    assert side_by_side("2", "true", "true").returncode == 0


def test_all_checks_that_are_ignored_have_a_reason() -> None:
    ignored = SETTINGS["tool"]["repo-review"]["ignore"]
    assert all(len(reason.split()) >= 5 for reason in ignored.values())


def test_commits_and_lint_are_checked_by_the_same_tools() -> None:
    (lint,) = re.findall(r"^cmd_lint\(\) \{\n(.*?)^\}", (ROOT / "dev").read_text(), re.M | re.S)
    of_lint = set(re.findall(r"^ +check ([\w-]+)", lint, re.MULTILINE))
    hooks = [
        hook["id"]
        for repository in load(ROOT / ".pre-commit-config.yaml")["repos"]
        if not repository["repo"].endswith("/pre-commit-hooks")
        for hook in repository["hooks"]
    ]
    of_commits = {re.sub("^ruff-.*", "ruff", hook) for hook in hooks}
    # These look at the project as it is set up, or are not installed by pip.
    assert of_lint - of_commits == {"python", "repo-review", "shellcheck"}
    assert of_commits <= of_lint
