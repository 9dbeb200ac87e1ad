"""What is configured wrongly is said in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_port_that_is_no_number_is_one_clear_sentence(tmp_path: Path) -> None:
    env = os.environ | {"PORT": "abc", "DATA": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stderr.strip() == "PORT is no int: 'abc'; see .env.example."
