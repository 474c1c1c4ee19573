"""Results as the benchmark writes them, made up."""

from __future__ import annotations

from typing import Any

from bench.results import Table, newest_tables

SECONDS = {"none": 10, "cp": 10, "ours-copy": 7, "ours": 20, "ours-scheduled": 25, "incumbent": 90, "backup": 120}
MYSQL_SECONDS = {"client": 2, "ours": 3, "gzip": 8}


def head(at: str = "2026-11-28T10:00:00+00:00") -> dict[str, Any]:
    machine = {"cores": 2, "processor": "a processor", "memory_bytes": 8 * 1024**3, "system": "Debian", "kernel": "6.1"}
    machine |= {"file_system": "ext4", "disk": "virtual, 100 GiB", "load_average": 0.1}
    return {"kind": "head", "at": at, "program": "0.1.0", "versions": {"zstd": "1.5"}, "machine": machine}


def sqlite_run(contender: str, number: int = 1, size: str = "1G", rate: str = "100", **figures: Any) -> dict[str, Any]:
    seconds = SECONDS[contender] + number - 1
    latencies = {"count": 100, "failed": 0, "p50": 2.0, "p99": 3.0 if contender != "cp" else 30.0, "max": 50.0}
    stopped = contender == "incumbent"
    case = {"size": size, "order": "random", "mode": "wal", "rate": rate}
    run = {
        "outcome": "ok",
        "said": "",
        "seconds": float(seconds),
        "cpu_seconds": 1.0,
        "anonymous_bytes": 50 * 1024**2,
        "stored_bytes": 10**9,
        "source_bytes": 10**9,
        "caches_dropped": True,
        "writes": latencies,
        "reads": {**latencies, "p99": 0.3},
        "reads_after": {**latencies, "p99": 0.3},
        "unavailable_seconds": float(seconds) if stopped else 0.0,
        "outage_seconds": 0.0,
        "sound": True,
        "timeline": [
            [-1 + slot * (seconds + 2) / 100, 0.0 if stopped and 2 < slot < 98 else 3.0] for slot in range(100)
        ],
    }
    return {"kind": "sqlite", **case, "contender": contender, "round": number, **run, **figures}


def whole(size: str) -> dict[str, Any]:
    return {"kind": "whole", "of": "sqlite", "size": size, "order": "random", "mode": "wal", "rate": "100"}


def mysql_run(contender: str) -> dict[str, Any]:
    figures = {"copy_seconds": 2.2} if contender == "ours" else {}
    run = {"kind": "mysql", "rows": 10, "apart": False, "flavour": "mysql-9.7", "contender": contender, "round": 1}
    return {**run, "outcome": "ok", "said": "", "seconds": MYSQL_SECONDS[contender], "cpu_seconds": 1.0, **figures}


def tables(*runs: dict[str, Any]) -> list[Table]:
    return newest_tables([[head(), *runs]])
