"""What `test_ray` runs in processes of their own: a cluster, and drivers that work on it. Importable where workers are.

python ray_driver.py cluster NUM_CPUS     prints the address of a cluster that lives until standard input ends
python ray_driver.py SCENARIO[,SCENARIO ...] ADDRESS OUT
                                          works in OUT (of several: in OUT-SCENARIO) and prints what came of it
                                          as one line of JSON
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from test_pipeline import Counting, roots, steps_with

from longtake.compute import Progress, Ray
from longtake.datagen.pipeline import Runner
from longtake.datagen.step import Context, Record, Step, Value
from longtake.datagen.store import RunStore
from longtake.datagen.tally import Tally
from longtake.errors import LongtakeError, ModelAuthError, StoreError
from longtake.models.journaled import Limits
from longtake.types import ModelOutput

PARTS = (12, 1, 9, 12, 7, 12)


class Writing(Counting):
    """Writes who asks for what into a file that outlives the process; ``fatal`` is refused."""

    def __init__(self, ledger: Path, *, fatal: str = "", seconds: float = 0.1) -> None:
        super().__init__(seconds=seconds)
        self.ledger, self.fatal = ledger, fatal

    async def generate(self, messages: Any, *, tools: Any, config: Any) -> ModelOutput:
        text = messages[-1].text
        with self.ledger.open("a") as file:
            file.write(f"{os.getpid()} {text}\n")
        if self.fatal and text.startswith(self.fatal):
            raise ModelAuthError("the key is wrong")
        return await super().generate(messages, tools=tools, config=config)


@dataclass(frozen=True)
class Make:
    """The worker of the toy recipe; in ``deadly`` the video whose worker dies of it."""

    out: Path
    fatal: str = ""
    deadly: str = ""
    seconds: float = 0.1

    def __call__(self) -> Runner:
        model = Writing(self.out.with_suffix(".asked"), fatal=self.fatal, seconds=self.seconds)
        steps = [*steps_with(model), Step("last", 1, {}, self.last)]
        return Runner(steps, RunStore(self.out), limits=Limits(4))

    async def last(self, records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        if records[0].video == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return [{"last": records[0].value["twice"]}]


class Broken:
    """A worker that cannot be made."""

    def __call__(self) -> Runner:
        raise StoreError("the folder is not there")


class Foreign:
    """A worker that raises what nobody foresaw, with the key that it was to get."""

    def __call__(self) -> Any:
        return self

    async def run(self, item: Any) -> None:
        raise KeyError(f"odd, {os.environ.get('KEY_OF_MINE')}, {os.environ.get('OTHER_KEY')}")

    def progress(self) -> Mapping[str, Any]:
        return {}

    def num_kept(self) -> int:
        return 0

    def close(self) -> None: ...


class Watch:
    """Tells workers to stop when they spent ``most`` USD."""

    def __init__(self, most: float) -> None:
        self.most, self.spent = most, 0.0

    def __call__(self, progress: Progress) -> bool:
        if not all(progress.now):
            return True
        names = ["split", "say", "join", "twice", "last"]
        parts = [*progress.now, *progress.lost]
        self.spent = sum(Tally.sum(names, [part]).spent.cost_usd or 0.0 for part in parts)
        return self.spent < self.most


def work(scenario: str, address: str, out: Path) -> dict[str, Any]:
    make: Any = {
        "auth": Make(out, fatal="v3"),
        "deadly": Make(out, deadly="v2", seconds=0.02),
        "kill": Make(out, seconds=0.6),
        "broken": Broken(),
        "foreign": Foreign(),
    }.get(scenario, Make(out))
    items = roots(*[30] * 6) if scenario == "cap" else roots(*PARTS)
    watch = Watch(10.0 if scenario == "cap" else 1e9)
    workers = 9 if scenario == "many" else 2
    try:
        lost = asyncio.run(Ray(address, num_workers=workers).map(make, items, watch, variables=["KEY_OF_MINE"]))
    except LongtakeError as e:
        return {"error": type(e).__name__, "text": str(e)}
    except KeyError as e:
        return {"error": "KeyError", "text": str(e).splitlines()[-1]}
    return {"given_up": [item.id for item in lost], "spent": watch.spent}


def cluster(num_cpus: int) -> None:
    import ray

    context = ray.init(address="local", num_cpus=num_cpus, include_dashboard=False, log_to_driver=False)
    print(context.address_info["gcs_address"], flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    import ray_driver  # so that workers find what is pickled by its name

    if sys.argv[1] == "cluster":
        cluster(int(sys.argv[2]))
    else:
        names, address, out = sys.argv[1].split(","), sys.argv[2], sys.argv[3]
        folders = {name: Path(f"{out}-{name}" if len(names) > 1 else out) for name in names}
        print(json.dumps({name: ray_driver.work(name, address, folders[name]) for name in names}), flush=True)
