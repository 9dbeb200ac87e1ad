"""Processes that call at once stay within the budget and the number of calls together."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.model_server import MODEL, is_slow, model_server, says
from tests.services import Postgres
from tests.workers import migrate

CALLS = 8
SCRIPT = """
import sys, threading, django
django.setup()
from django.db import connection
from feeds.ai.language.complete import complete
from feeds.ai.language.errors import BudgetExceededError
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
outcomes = []

def one(n):
    try:
        asked = [{"role": "user", "content": f"question {sys.argv[1]} {n}"}]
        complete(asked, SCHEMA, "test", version="1", max_tokens=100, patience=60)
        outcomes.append("answered")
    except BudgetExceededError:
        outcomes.append("no money")
    finally:
        connection.close()

threads = [threading.Thread(target=one, args=(n,)) for n in range(int(sys.argv[2]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*outcomes, sep=chr(10))
"""


def prove(database: str, data: Path) -> None:
    """Money for three calls and a half, two at a time, eight wanted by two processes."""
    with model_server() as server:
        server.will(is_slow(0.3, says({"answer": "yes"}, usage=(0, 100))))
        env = os.environ | {
            "DATA": str(data),
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
            "LLM_CONCURRENCY": "2",
            "LLM_MODEL": MODEL,
            "LLM_MONTHLY_BUDGET": str(3.5 * 100 * 10 / 1_000_000),
            "LLM_PRICES": f"{MODEL}=0/10",
            "OPENAI_BASE_URL": server.url,
        }
        if not database:
            migrate(env)
        command = [sys.executable, "-c", SCRIPT]
        at_once = [
            subprocess.Popen(
                [*command, str(n), str(CALLS // 2)],
                env=env,
                cwd=settings.BASE_DIR,
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(2)
        ]
        said = [
            line for process in at_once for line in process.communicate()[0].split("\n") if line
        ]

    assert sorted(said) == ["answered"] * 3 + ["no money"] * (CALLS - 3)
    assert len(server.asked) == 3
    assert 1 <= server.most_at_once <= 2


def test_on_sqlite(tmp_path: Path) -> None:
    prove("", tmp_path)


def test_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    prove(postgres.migrated("language"), tmp_path)
