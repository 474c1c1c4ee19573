"""A file is flushed beside its writing, never far behind it, and a disk that fails is heard of."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from tracker_backup.system import files, flushing
from tracker_backup.system.flushing import Flusher


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def test_whoever_is_too_far_ahead_waits(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, flushed = threading.Semaphore(0), []

    def slowly(number: int) -> None:
        assert go_on.acquire(timeout=30)
        flushed.append(number)

    monkeypatch.setattr(flushing, "flush_and_drop", slowly)
    with Flusher(descriptor, 20) as flusher:
        flusher.wrote(10)
        flusher.wrote(10)
        writer = threading.Thread(target=flusher.wrote, args=(10,))
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert flushed == []
        go_on.release(10)
        writer.join(30)
        assert not writer.is_alive()
    assert set(flushed) == {descriptor}


@pytest.mark.parametrize("keep_cached", [False, True])
def test_pages_that_are_wanted_again_stay_in_memory(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, keep_cached: bool
) -> None:
    dropped = []
    monkeypatch.setattr(files, "drop_cache", dropped.append)

    with Flusher(descriptor, 0, keep_cached=keep_cached) as flusher:
        flusher.wrote(1)  # returns when it is on the disk

    assert dropped == ([] if keep_cached else [descriptor])


def fails(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def write_once(descriptor: int, most_bytes: int, then: type[BaseException] | None = None) -> None:
    with Flusher(descriptor, most_bytes) as flusher:
        flusher.wrote(1)
        flusher._thread.join(30)
        if then is not None:
            raise then


@pytest.mark.parametrize("most_bytes", [0, 100])
def test_a_disk_that_fails_is_heard_of(descriptor: int, monkeypatch: pytest.MonkeyPatch, most_bytes: int) -> None:
    monkeypatch.setattr(flushing, "flush_and_drop", fails)

    with pytest.raises(OSError, match="Input/output error"):
        write_once(descriptor, most_bytes)


def test_what_else_went_wrong_is_not_hidden(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "flush_and_drop", fails)

    with pytest.raises(ZeroDivisionError):
        write_once(descriptor, 100, ZeroDivisionError)


@pytest.mark.parametrize("then", [None, ZeroDivisionError])
def test_the_rest_is_flushed_too_where_all_went_well_and_by_the_thread(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, then: type[BaseException] | None
) -> None:
    flushed = []
    monkeypatch.setattr(flushing.os, "fsync", lambda number: flushed.append((number, threading.current_thread())))

    with pytest.raises(ZeroDivisionError) if then else nullcontext(), Flusher(descriptor, 100) as flusher:
        if then is not None:
            raise then

    assert flushed == ([] if then else [(descriptor, flusher._thread)])
