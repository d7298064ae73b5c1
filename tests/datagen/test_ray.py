"""Workers on a real Ray cluster of several processes: the same results as in one process, whatever dies."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killing import ray_cluster, ray_environ
from ray_driver import PARTS, Make
from test_pipeline import leaves, opened, roots

from longtake.compute import Local
from longtake.datagen.audit import status, verify
from longtake.datagen.step import Step

if importlib.util.find_spec("ray") is None:
    pytest.skip("needs the ray extra", allow_module_level=True)

HERE = Path(__file__).parent
DRIVER = [sys.executable, str(HERE / "ray_driver.py")]
ENVIRON = ray_environ()


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with three cores."""
    with ray_cluster(ENVIRON) as address:
        yield address


def begun(scenario: str, address: str, out: Path) -> subprocess.Popen[str]:
    command = [*DRIVER, scenario, address, str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    (found,) = json.loads(said).values()  # and nothing else is printed
    return found


def asked(out: Path) -> list[str]:
    """``pid text`` of every call so far."""
    ledger = out.with_suffix(".asked")
    return ledger.read_text().splitlines() if ledger.exists() else []


def wait_for_calls(out: Path, num: int) -> list[str]:
    for _ in range(300):
        if len(lines := asked(out)) >= num:
            return lines
        time.sleep(0.05)
    raise TimeoutError(f"only {len(asked(out))} calls came")


def steps_of(out: Path) -> list[Step]:
    return Make(out)().steps


def check_whole(out: Path, expected: Path, *, num_parts: tuple[int, ...] = PARTS) -> None:
    """The same leaves as an undisturbed run in one process, and right books."""
    items, steps = roots(*num_parts), steps_of(out)

    async def go() -> None:
        await Local().map(Make(expected, seconds=0.0), items, lambda _: True)

    asyncio.run(go())
    assert leaves(steps, out, items) == leaves(steps, expected, items)
    assert len(leaves(steps, out, items)) == len(items)
    assert asyncio.run(verify(opened(out, steps, items))).wrong == []


def test_the_same_results_as_in_one_process(cluster: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ended(begun("plain", cluster, out))["given_up"] == []
    lines = asked(out)
    assert len({line.split()[0] for line in lines}) == 2
    check_whole(out, tmp_path / "whole")
    assert Counter(line.split(" ", 1)[1] for line in lines) == Counter(
        line.split(" ", 1)[1] for line in asked(tmp_path / "whole")
    )


def test_a_killed_worker_loses_nothing_and_repeats_only_what_it_had_in_flight(cluster: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun("kill", cluster, out)
    pid = int(wait_for_calls(out, 15)[-1].split()[0])
    os.kill(pid, signal.SIGKILL)
    assert ended(process)["given_up"] == []
    assert len({line.split()[0] for line in asked(out)}) == 3
    check_whole(out, tmp_path / "whole")
    items, steps = roots(*PARTS), steps_of(out)
    found = asyncio.run(status(opened(out, steps, items)))
    assert found.is_complete
    again = sum(Counter(line.split(" ", 1)[1] for line in asked(out)).values()) - len(asked(tmp_path / "whole"))
    assert 0 <= again <= 2 * 4


def test_a_cap_stops_all_workers(cluster: str, tmp_path: Path) -> None:
    spent = ended(begun("cap", cluster, tmp_path / "out"))["spent"]
    num_calls = len(asked(tmp_path / "out"))
    assert 10.0 <= spent == num_calls * 0.25
    assert num_calls < 6 * 29 / 2 + 40


def test_an_item_that_kills_its_worker_is_given_up_and_the_others_are_not(cluster: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ended(begun("deadly", cluster, out))["given_up"] == ["v2"]
    items, steps = roots(*PARTS), steps_of(out)
    found = asyncio.run(status(opened(out, steps, items)))
    assert {step.name: step.pending for step in found.steps}["last"] == 1
    assert found.num_results == len(items) - 1
    assert asyncio.run(verify(opened(out, steps, items))).wrong == []


def test_what_ends_a_run_arrives_as_it_was_raised(cluster: str, tmp_path: Path) -> None:
    command = [*DRIVER, "auth,broken,foreign", cluster, str(tmp_path / "out")]
    keys = {"KEY_OF_MINE": "k-1", "OTHER_KEY": "k-2"}  # workers get those that are asked for
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRON, **keys}, timeout=60, check=True)
    found = json.loads(done.stdout)
    expected = {
        "auth": ("ModelAuthError", "the key is wrong"),
        "broken": ("StoreError", "the folder is not there"),
        "foreign": ("KeyError", "odd, k-1, None"),
    }
    for scenario, (error, text) in expected.items():
        assert found[scenario]["error"] == error
        assert text in found[scenario]["text"]


def test_more_workers_than_cores_do_not_stop_it(cluster: str, tmp_path: Path) -> None:
    assert ended(begun("many", cluster, tmp_path / "out"))["given_up"] == []
    check_whole(tmp_path / "out", tmp_path / "whole")


def test_interrupted_it_ends_soon_and_can_be_taken_up(cluster: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun("interrupt", cluster, out)
    wait_for_calls(out, 10)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    num_calls = len(asked(out))
    time.sleep(0.5)
    assert len(asked(out)) == num_calls
    assert ended(begun("plain", cluster, out))["given_up"] == []
    check_whole(out, tmp_path / "whole")


def test_a_cluster_of_its_own(tmp_path: Path) -> None:
    process = begun("plain", "local", tmp_path / "out")
    assert ended(process)["given_up"] == []
    check_whole(tmp_path / "out", tmp_path / "whole")


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "rubbish", "nowhere.invalid:6379", "ray://127.0.0.1:10001"])
def test_where_no_cluster_is_one_line_says_so(tmp_path: Path, address: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = address.format(port=closed.getsockname()[1])
        began = time.monotonic()
        found = ended(begun("plain", address, tmp_path / "out"))
    assert time.monotonic() - began < 15
    assert found["error"] == "ConfigError"
    assert address in found["text"]
    assert "\n" not in found["text"]
