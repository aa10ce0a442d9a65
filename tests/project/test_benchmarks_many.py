"""The parts of `./dev bench` for many fits: what is compared, what is told, what is written."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from tooling import ROOT

from pyminpack import compiled

NAMES = ["Gaussian peaks", "exponentials, by differences", "exponentials, with a Jacobian"]


@pytest.fixture(autouse=True, scope="module")
def benchmarks() -> Iterator[None]:
    """Make the package importable; that it tells NumPy to use one thread ends with the module."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(variable, os.environ.get(variable, "1"))
        patch.syspath_prepend(str(ROOT))
        yield


def load_named(name: str, count: int = 12) -> Any:
    from benchmarks.loads import exponentials, gaussian_peaks

    if name == NAMES[0]:
        return gaussian_peaks(count)
    return exponentials(count, derivatives=name == NAMES[2])


# The models


@pytest.mark.parametrize("name", NAMES)
def test_a_model_for_many_fits_is_that_for_one(name: str) -> None:
    load = load_named(name)
    index = np.array([3, 0, 0, 7])
    points = load.x0[index] * np.linspace(0.9, 1.1, 4)[:, None]
    pairs = [(load.residuals, load.many_residuals), (load.jacobian, load.many_jacobian)]
    for one, many in pairs:
        if one is not None:
            alone = [one(x, load.data[b]) for x, b in zip(points, index, strict=True)]
            assert_same_bits(many(points, index, load.data), np.array(alone))
    if load.curve is not None:
        values = load.curve(load.xdata, *points.T[:, :, None]) - load.data[index]
        assert_same_bits(values, load.many_residuals(points, index, load.data))


@pytest.mark.parametrize("name", [NAMES[0], NAMES[2]])
def test_a_jacobian_is_that_of_the_residuals(name: str) -> None:
    load = load_named(name)
    x, y = load.x0[5] + 0.25, load.data[5]
    steps = np.eye(x.size) * 1e-5
    slopes = [(load.residuals(x + h, y) - load.residuals(x - h, y)) / 2e-5 for h in steps]
    np.testing.assert_allclose(load.jacobian(x, y), slopes, rtol=1e-6, atol=1e-6)
    if load.slopes is not None:
        assert_same_bits(load.slopes(load.xdata, *x), load.jacobian(x, y).T)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_compiled_peak_is_that_of_numpy(tmp_path: Path) -> None:
    from benchmarks.native import load_function

    load = load_named(NAMES[0])
    peak = compiled(load_function(tmp_path, load.source), 25, data=load.data[4])
    x = load.x0[4]
    # The exponentials of C and of NumPy may differ in the last bit.
    np.testing.assert_allclose(peak(x), load.residuals(x, load.data[4]), rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(peak.jacobian(x), load.jacobian(x, load.data[4]).T, rtol=1e-13)


# What is compared


def changed(way: Any, change: Callable[[Any], None], **more: Any) -> Any:
    """Return a way whose answers are changed."""

    def answer(count: int) -> Any:
        fits = copy.deepcopy(way.answer(count))
        change(fits)
        return fits

    return replace(way, name="wrong", answer=answer, **more)


def off(fits: Any) -> None:
    fits.x[2, 1] += 1e-5


def not_a_number(fits: Any) -> None:
    fits.x[2, 1] = np.nan


def more_evaluations(fits: Any) -> None:
    fits.nfev[2] += 1


def next_number(fits: Any) -> None:
    fits.x[2, 1] = np.nextafter(fits.x[2, 1], np.inf)


def ways_of(load: Any, folder: Path) -> list[Any]:
    from benchmarks.many import ways_of

    return ways_of(load, folder, pytest.fail)


@pytest.mark.parametrize("change", [off, not_a_number, more_evaluations])
def test_fits_that_differ_are_caught(change: Callable[[Any], None], tmp_path: Path) -> None:
    from benchmarks.many import DisagreementError, compare

    load = load_named(NAMES[1])
    loop, many, *_ = ways_of(load, tmp_path)
    with pytest.raises(DisagreementError, match=r"wrong: 91\.67% of the fits agree with leastsq"):
        compare(load, [loop, changed(many, change)], 12)


def test_one_bit_is_told_and_matters_between_twins(tmp_path: Path) -> None:
    from benchmarks.many import LOOP, DisagreementError, compare

    load = load_named(NAMES[1])
    loop, many, *_ = ways_of(load, tmp_path)
    found = compare(load, [loop, changed(many, next_number)], 12)
    assert found["wrong"] == {"compared": 12, "agree": 1.0, "bits": 11 / 12}
    with pytest.raises(DisagreementError, match=r"wrong: 91\.67% of the fits have the bits of lea"):
        compare(load, [loop, changed(many, next_number, twin=LOOP)], 12)


def test_nothing_is_timed_where_fits_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from benchmarks import many, measure

    original = many.ways_of

    def with_a_wrong_one(*arguments: Any) -> list[Any]:
        ways = original(*arguments)
        return [*ways, changed(ways[1], off)]

    monkeypatch.setattr(many, "ways_of", with_a_wrong_one)
    monkeypatch.setattr(many, "time_in_turn", lambda *_: pytest.fail("something was timed"))
    output = tmp_path / "run.json"
    arguments = [str(output), "--suite", "quick", "--part", "many", "--only", "by differences"]
    assert measure.main(arguments) == 1
    assert not output.exists()
    assert "exponentials, by differences: wrong: " in capsys.readouterr().err


def elsewhere(prepare: Callable[..., Any]) -> Callable[..., Any]:
    """Return what begins a last bit beside where it should."""

    def moved(problem: Any, answer: Any) -> Any:
        return prepare(replace(problem, x0=np.nextafter(problem.x0, 9.0)), answer)

    return moved


def test_the_compiled_rosenbrock_has_the_bits_of_argonne(tmp_path: Path) -> None:
    from benchmarks import compiled

    said: list[str] = []
    field = compiled.field(tmp_path, said.append)
    if said:
        pytest.skip(said[0])
    for make in compiled.problems():
        assert compiled.same_bits(make(), field)
        assert compiled.same_bits(make(), field[:2]) is None
        moved = replace(field[2], prepare=elsewhere(field[2].prepare))
        assert compiled.same_bits(make(), [*field[:2], moved]) is False


# What is told


def run_with(seconds: dict[str, float], over_argonne: float) -> dict[str, Any]:
    """Return the results of 20 fits that took so long, and of a Rosenbrock."""
    times = {name: {"fits": 20, "min": t, "median": t, "repeats": 1} for name, t in seconds.items()}
    agreement = {name: {"compared": 20, "agree": 1.0, "bits": 0.5} for name in seconds}
    load = {
        "shape": [25, 5], "agreement": agreement, "sizes": [{"count": 20, "times": times}]
    }  # fmt: skip
    rosenbrock = {"Argonne in C": {"min": 1.0}, "pyminpack compiled": {"min": over_argonne}}
    record = {"name": "Rosenbrock", "nfev": 54, "times": rosenbrock, "bits": True}
    contestants = {"pyminpack": "1", "SciPy 2": "2"}
    config = {
        "pyminpack": "1", "C compiler": "c", "Fortran compiler": "f", "blocked factorisation": "no"
    }  # fmt: skip
    return {
        "environment": {
            "python": "3", "numpy": "2", "contestants": contestants, "config": config
        },
        "many": {NAMES[0]: load}, "compiled": [record],
    }  # fmt: skip


FAST = {
    "leastsq of SciPy": 1.0, "leastsq, compiled": 0.1, "leastsq_many, compiled": 5e-5,
    "leastsq_many, compiled, 2 workers": 2.6e-5,
}  # fmt: skip


def test_goals_are_reached_or_not() -> None:
    from benchmarks.many_report import goal_table_of_many, losses_of_many

    assert [row[-1] for row in goal_table_of_many(run_with(FAST, 2.9))[1:]] == ["yes"] * 4
    slow = {name: 0.3 - 0.01 * place for place, name in enumerate(FAST)}
    assert [row[-1] for row in goal_table_of_many(run_with(slow, 3.1))[1:]] == ["no"] * 4
    assert list(losses_of_many(run_with(FAST, 2.9))) == []
    two = {**FAST, "leastsq_many, compiled, 2 workers": 1e-4}
    assert list(losses_of_many(run_with(two, 2.9))) == [
        "Gaussian peaks: *leastsq_many, compiled, 2 workers* makes fewer fits per second than "
        "*leastsq_many, compiled* at B = 20; 0.50 of them at B = 20."
    ]


def test_the_table_tells_fits_per_second_and_ratios() -> None:
    from benchmarks.many_report import tables_of_many

    title, rows = next(iter(tables_of_many(run_with(FAST, 2.0))))
    assert title == "20 Gaussian peaks, 25 residuals, 5 variables each"
    assert rows[1] == [
        "leastsq of SciPy", "20", "50 ms", "20", "1", "20", "100.00%", "50.00%"
    ]  # fmt: skip
    assert rows[-1][:5] == [
        "leastsq_many, compiled, 2 workers", "20", "1.3 µs", "769,000", "38462"
    ]  # fmt: skip


def test_every_way_with_a_goal_exists(tmp_path: Path) -> None:
    from benchmarks.many_report import GOALS, INSTEAD_OF

    names = {name: {way.name for way in ways_of(load_named(name), tmp_path)} for name in NAMES}
    for name, way, other, _ in GOALS:
        assert way in names[name]
        assert other.endswith("of SciPy") or other in names[name]
    assert set(INSTEAD_OF) | set(INSTEAD_OF.values()) <= set().union(*names.values())


# What is written


def test_a_part_is_written_and_the_other_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.docs import write_docs

    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nSingle fits.\n")
    machine = {"processor": "p", "cores": 2, "system": "s"}
    results = {
        "suite": "full", "part": "many", "machine": machine, "runs": [run_with(FAST, 2.0)]
    }  # fmt: skip
    for _ in range(2):
        written = write_docs(results, tmp_path)
        text = page.read_text()
        assert text.startswith("# Performance\n\nSingle fits.\n\n## Compiled functions and many")
        assert text.count("## Compiled functions and many fits\n") == 1
        assert "`./dev bench --full --part many --write-docs` measured it" in text
        assert written == [page, tmp_path / "images" / "bench-peaks.png"]
    section = text.partition("## Compiled functions")[2]

    single = run_with(FAST, 2.0)
    del single["many"], single["compiled"]
    times = {"numpy": {"min": 1.0}, "pyminpack": {"min": 1.0}}
    results = {**results, "part": "single", "runs": [{**single, "problems": [], "imports": times}]}
    write_docs(results, tmp_path)
    text = page.read_text()
    assert "Single fits." not in text
    assert "`./dev bench --full --part single --write-docs` measured it" in text
    assert text.partition("## Compiled functions")[2] == section
