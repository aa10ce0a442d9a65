"""The map of an image as a user runs it, and whether it finds what the image was made of."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bits import assert_same_bits
from nist_cases import EXAMPLES

import pyminpack

assert str(EXAMPLES) in sys.path

import pixel_map  # noqa: E402

pytestmark = pytest.mark.process


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "pixel_map.py"), *map(str, arguments)]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def phantom() -> pixel_map.Phantom:
    return pixel_map.make_phantom(64)


@pytest.fixture(scope="module")
def maps(phantom: pixel_map.Phantom) -> pixel_map.Fits:
    return pixel_map.fit_maps(phantom.stack)


def test_the_script_prints_a_table_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run("--size", 48, "--output", tmp_path / "new" / "demo")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""

    fits, *table, path = done.stdout.splitlines()
    assert re.fullmatch(r"\d{4} of \d{4} fits converged", fits)
    rows = [[float(cell) for cell in row.split()] for row in table[1:]]
    assert [row[0] for row in rows] == list(pixel_map.TUBES)
    for true, pixels, mean, scatter, error in rows:
        assert pixels > 50
        assert abs(mean - true) < 4 * scatter / np.sqrt(pixels)
        assert 0.7 < scatter / error < 1.4

    picture = Path(path)
    assert picture.parent == tmp_path / "new" / "demo"
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 1500 <= width <= 4000
    assert 400 <= height <= 2000
    assert len(content) > 50_000


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--output DIR" in done.stdout


def test_without_matplotlib_all_but_the_picture(tmp_path: Path, without_matplotlib: str) -> None:
    done = run("--size", 32, "--output", tmp_path / "demo", PYTHONPATH=without_matplotlib)
    assert done.returncode == 0, done.stderr
    assert "pip install matplotlib" in done.stdout.splitlines()[-1]
    assert not (tmp_path / "demo").exists()


def test_what_is_made_has_all_that_the_fit_has_to_cope_with(phantom: pixel_map.Phantom) -> None:
    missing = np.isnan(phantom.stack).sum(axis=0)
    assert (missing == len(pixel_map.ECHOES)).any()
    assert ((missing > 0) & (missing < 4)).any()
    assert np.isnan(phantom.truth).any()
    assert set(pixel_map.TUBES) <= set(phantom.truth.ravel())


def test_pixels_of_the_dish_are_found_and_no_others(
    phantom: pixel_map.Phantom, maps: pixel_map.Fits
) -> None:
    dead = np.isnan(phantom.stack).all(axis=0)
    dish = np.isfinite(phantom.truth) & ~dead
    assert np.isin(maps.ier[dish], (1, 2, 3, 4)).all()
    assert (maps.ier[np.isnan(phantom.truth) & ~dead] == 0).all()
    assert_same_bits(np.isfinite(maps.decay_time), dish)
    assert_same_bits(np.isfinite(maps.error), dish)
    off = (maps.decay_time - phantom.truth)[dish] / maps.error[dish]
    assert 0.6 < (np.abs(off) < 1).mean() < 0.75
    assert np.quantile(np.abs(off), 0.99) < 3.5


def test_a_pixel_has_the_bits_of_curve_fit(
    phantom: pixel_map.Phantom, maps: pixel_map.Fits
) -> None:
    for at in [(32, 32), (20, 41), (50, 30)]:
        signal = phantom.stack[:, *at]
        there = np.isfinite(signal)
        start = pixel_map.guesses(signal[None])[0]
        echoes = pixel_map.ECHOES[there]
        popt, pcov = pyminpack.curve_fit(pixel_map.decay, echoes, signal[there], start)
        if there.all():
            assert_same_bits(maps.decay_time[at], popt[1])
            assert_same_bits(maps.error[at], np.sqrt(pcov[1, 1]))
        np.testing.assert_allclose(maps.decay_time[at], popt[1], rtol=1e-6)


def test_an_image_of_air_alone() -> None:
    maps = pixel_map.fit_maps(np.ones((len(pixel_map.ECHOES), 3, 4)))
    assert np.isnan(maps.decay_time).all()
    assert (maps.ier == 0).all()
