"""Default settings depend on the size of the machine."""

from pathlib import Path

import pytest

from ainews_site.config.sizing import GIB, Machine, cpu_limit, measure, memory_limit, sizes_for


@pytest.mark.parametrize(
    ("cpus", "gib", "workers", "fetches"),
    [
        (0.5, 0.5, 1, 20),
        (1, 1, 1, 25),
        (2, 8, 1, 50),
        (2, 0.5, 1, 20),
        (4, 8, 2, 100),
        (8, 4, 2, 100),
        (8, 32, 4, 100),
        (128, 512, 16, 100),
    ],
)
def test_sizes_grow_with_the_machine(cpus: float, gib: float, workers: int, fetches: int) -> None:
    sizes = sizes_for(Machine(cpus, int(gib * GIB)), sqlite=False)
    assert (sizes.workers, sizes.fetch_concurrency, sizes.poll_batch) == (workers, fetches, fetches)


def test_sqlite_has_one_worker_however_large_the_machine_is() -> None:
    assert sizes_for(Machine(64, 256 * GIB), sqlite=True).workers == 1


def test_connections_to_sqlite_cache_less_on_a_small_machine() -> None:
    caches = [sizes_for(Machine(1, size), sqlite=True).sqlite_cache for size in (GIB // 2, GIB)]
    assert caches == [4_000, 32_000]


def test_the_limits_of_a_container_are_used(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{GIB // 2}\n")
    assert measure(tmp_path) == Machine(0.5, GIB // 2)


def test_the_limits_of_an_older_kernel_are_used(tmp_path: Path) -> None:
    for name, value in {
        "cpu/cpu.cfs_quota_us": 150000,
        "cpu/cpu.cfs_period_us": 100000,
        "memory/memory.limit_in_bytes": GIB,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    assert (cpu_limit(tmp_path), memory_limit(tmp_path)) == (1.5, GIB)


def test_without_limits_the_whole_machine_is_used(tmp_path: Path) -> None:
    whole = measure(tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert measure(tmp_path) == whole
    assert whole.cpus >= 1
    assert whole.memory > 0


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (
            "0::/system.slice/ainews.service\n",
            {
                "system.slice/ainews.service/memory.max": "536870912",
                "system.slice/ainews.service/cpu.max": "50000 100000",
                "system.slice/memory.max": "max",
            },
        ),
        (
            "3:memory:/small/inner\n2:cpu,cpuacct:/small\n0::/\n",
            {
                "memory/small/memory.limit_in_bytes": "536870912",
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "cpu/small/cpu.cfs_quota_us": "50000",
                "cpu/small/cpu.cfs_period_us": "100000",
            },
        ),
    ],
)
def test_the_limits_of_a_service_are_those_of_its_own_group(
    tmp_path: Path, groups: str, files: dict[str, str]
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")

    assert measure(tmp_path, tmp_path / "cgroup") == Machine(0.5, 512 * 2**20)
