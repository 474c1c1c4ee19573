"""What is written to the log comes out of the container: all of it, once, from the beginning on."""

from __future__ import annotations

import os
from pathlib import Path

from support.program import wait_until
from tracker_backup.placement.relay import Relay


def test_every_line_passes_through_rotation_and_truncation_to_the_last(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    log.write_text("before\n")
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT)

    def passed(text: str) -> None:
        wait_until(lambda: text in out.read_text(), out.read_text)

    with Relay(log, descriptor):
        with log.open("a") as file:
            file.write("first\n")
        passed("first")
        log.rename(tmp_path / "log.1")
        log.write_text("second\n")
        passed("second")
        os.truncate(log, 0)
        with log.open("a") as file:
            file.write("3\n")
        passed("3\n")
        with log.open("a") as file:
            file.write("the last\n")

    assert out.read_text() == "first\nsecond\n3\nthe last\n"
    os.close(descriptor)


def test_a_log_that_comes_later_is_passed_from_its_beginning(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT)

    with Relay(log, descriptor):
        log.write_text("all of it\n")
        wait_until(lambda: out.read_text() == "all of it\n", out.read_text)
    os.close(descriptor)
