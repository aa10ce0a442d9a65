"""The workflows of GitHub, as far as they can be judged elsewhere, and what they run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, find_tool

yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows; ./dev test installs it")

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))

PYTHONS = ("cp311", "cp312", "cp313", "cp314", "cp314t")
PLATFORMS = {
    ("linux", "x86_64"): ("manylinux_x86_64", "musllinux_x86_64"),
    ("linux", "aarch64"): ("manylinux_aarch64", "musllinux_aarch64"),
    ("macos", "arm64"): ("macosx_arm64",),
    ("macos", "x86_64"): ("macosx_x86_64",),
    ("windows", "AMD64"): ("win_amd64",),
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            yield f"{path.stem}/{name}", job


def scripts() -> str:
    """Return all that the workflows run, one step a line or more."""
    steps = (step for _, job in jobs() for step in job["steps"])
    return "\n".join(step["run"] for step in steps if "run" in step)


def test_there_are_three_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["docs", "test", "wheels"]


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", WORKFLOWS), ("dependabot", [GITHUB / "dependabot.yml"])],
)
def test_they_have_the_form_that_github_reads(schema: str, files: list[Path]) -> None:
    # The schema that the tool brings: the tests reach for no network.
    done = run(find_tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not installed; its packages for pip and npm load it from GitHub")
    done = run(actionlint, *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_workflow_may_only_read_and_does_not_run_twice_at_once() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}, path.name
        assert "concurrency" in workflow, path.name


def test_every_job_has_a_time_limit() -> None:
    assert {name for name, job in jobs() if job.get("timeout-minutes", 360) > 60} == set()


def test_only_what_publishes_and_deploys_may_write() -> None:
    granted = {name: job["permissions"] for name, job in jobs() if "permissions" in job}
    assert granted == {
        "docs/deploy": {"pages": "write", "id-token": "write"},
        "wheels/publish": {"id-token": "write"},
    }


def test_every_command_and_file_they_run_exists() -> None:
    text = scripts()
    commands = set(re.findall(r"\./dev (\w+)", text))
    assert commands == {"test", "docs", "wheel"}
    known = (ROOT / "dev").read_text(encoding="utf-8")
    assert not [name for name in commands if f"\ncmd_{name}()" not in known]
    assert ".ci/run" in text
    for file in {".ci/run", *re.findall(r"\btests/\w+\.py\b", text)}:
        assert (ROOT / file).is_file(), file


def test_the_suite_runs_on_every_python_that_gets_a_wheel() -> None:
    matrix = dict(jobs())["test/test"]["strategy"]["matrix"]
    tested = {"cp" + version.replace(".", "") for version in matrix["python"]}
    assert tested == {tag.rstrip("t") for tag in PYTHONS}


def test_there_is_a_runner_for_every_platform() -> None:
    runners = dict(jobs())["wheels/wheels"]["strategy"]["matrix"]["include"]
    built = {runner["name"] for runner in runners}
    assert built == {f"{system}-{machine.lower()}" for system, machine in PLATFORMS}


@pytest.mark.parametrize(("system", "machine"), PLATFORMS)
def test_cibuildwheel_builds_what_is_named(system: str, machine: str) -> None:
    cibuildwheel = find_tool("cibuildwheel")
    done = run(
        cibuildwheel, "--platform", system, "--archs", machine, "--print-build-identifiers", ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.split()) == sorted(
        f"{python}-{platform}" for python in PYTHONS for platform in PLATFORMS[system, machine]
    )


def test_the_smoke_test_passes() -> None:
    done = run(sys.executable, "-W", "error", ROOT / "tests" / "smoke.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MINPACK" in done.stdout
    assert "FAILED" not in done.stdout


def test_the_smoke_test_fails_where_a_fit_is_wrong() -> None:
    # A solver that returns the start, as a broken build might.
    code = (
        "import sys; sys.path.insert(0, 'tests'); import smoke;"
        "smoke.leastsq = lambda f, x0, **kw: (x0, 1); sys.exit(smoke.main())"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 1, done.stderr
    assert "FAILED leastsq, Rosenbrock" in done.stdout
    assert "FAILED leastsq, Misra1a" in done.stdout
