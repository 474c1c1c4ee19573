"""What a dump holds is read from its text, whatever stands in the strings and wherever the blocks are cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.sources.mysql.dumptext import DumpContents, DumpReader, without_sandbox_line

Write = Callable[[str, list[str]], str]
HEAD = "-- Host: localhost    Database: x\n/*!40101 SET NAMES utf8mb4 */;\n\n"
TAIL = "\n-- Dump completed on 2026-11-23  9:38:41\n"
ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"}


def read(text: str | bytes, size: int = 1 << 20) -> DumpContents:
    data = text if isinstance(text, bytes) else text.encode()
    reader = DumpReader()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.finish()


def quoted(text: str) -> str:
    """Write a string as the clients do."""
    return "'" + "".join(ESCAPES.get(character, character) for character in text) + "'"


def table(name: str, statements: str = "") -> str:
    return (
        f"DROP TABLE IF EXISTS `{name}`;\nCREATE TABLE `{name}` (\n  `id` int NOT NULL\n) ENGINE=InnoDB;\n\n"
        f"LOCK TABLES `{name}` WRITE;\n{statements}UNLOCK TABLES;\n"
    )


def mysqls(name: str, rows: list[str]) -> str:
    """Return an INSERT as MySQL's client writes it."""
    return f"INSERT INTO `{name}` VALUES {','.join(rows)};\n"


def mariadbs(name: str, rows: list[str]) -> str:
    """Return an INSERT as MariaDB's client writes it."""
    return f"INSERT INTO `{name}` VALUES\n" + ",\n".join(rows) + ";\n"


NASTY = ["),(", "a),(b", "'", "\\", "\\'", "';\n", ");\n", "\n(", "INSERT INTO `t` VALUES (1)", "`", '"', "ü\0\x1a", ""]
NASTY_ROWS = [f"({number},{quoted(text)},0xFF27,NULL,-1.5e3)" for number, text in enumerate(NASTY)]


@pytest.mark.parametrize("write", [mysqls, mariadbs])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1 << 20])
def test_rows_are_counted_whatever_their_strings_hold(write: Write, size: int) -> None:
    text = HEAD + table("t", write("t", NASTY_ROWS) + write("t", NASTY_ROWS[:1])) + table("empty") + TAIL

    assert read(text, size).rows == {"t": len(NASTY) + 1, "empty": 0}


@given(
    st.lists(st.lists(st.one_of(st.text(), st.sampled_from(NASTY)), min_size=1, max_size=4), min_size=1, max_size=8),
    st.sampled_from([mysqls, mariadbs]),
    st.integers(1, 40),
)
def test_any_strings_and_any_blocks(values: list[list[str]], write: Write, size: int) -> None:
    rows = ["(" + ",".join([*map(quoted, row), "NULL"]) + ")" for row in values]
    contents = read((HEAD + table("t", write("t", rows)) + TAIL).encode(errors="surrogatepass"), size)

    assert (contents.rows, contents.completed) == ({"t": len(rows)}, True)


@pytest.mark.parametrize("write", [mysqls, mariadbs])
def test_a_row_of_64_mebibytes(write: Write) -> None:
    large = "(1,'" + "),(\\'" * (64 * 1024**2 // 5) + "')"
    contents = read(table("t", write("t", [large, "(2,'x')", f"(3,0x{'ab' * 1000})"])) + TAIL, 256 * 1024)

    assert contents.rows == {"t": 3}


def test_columns_may_be_named_in_an_insert() -> None:
    text = table("t", "INSERT INTO `t` (`a`, `b),(`) VALUES (1,2),(3,4);\n".replace("b),(", "b")) + TAIL

    assert [read(text, size).rows for size in (1, 9, 4096)] == [{"t": 2}] * 3


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
@pytest.mark.parametrize("columns", ["`a(b)`, `c`", "`a``)`, `(`", "`) VALUES (`"])
def test_columns_that_are_named_may_hold_parentheses(columns: str, size: int) -> None:
    text = f"CREATE TABLE `t` (\n);\nINSERT INTO `t` ({columns}) VALUES (1,'),('),(2,'');\n"

    assert read(text + TAIL, size).rows == {"t": 2}


def test_names_with_backticks_and_reserved_words() -> None:
    text = table("we``ird", mysqls("we``ird", ["(1)"])) + table("order", mariadbs("order", ["(1)", "(2)"])) + TAIL

    assert read(text).rows == {"we`ird": 1, "order": 2}


STORED = """DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`TRIGGER`@`%`*/ /*!50003 TRIGGER `trg` BEFORE INSERT ON `t` FOR EACH ROW BEGIN
INSERT INTO `t` VALUES (99),(100);
CREATE TABLE `not_a_table` (
-- Dump completed
END */;;
DELIMITER ;
/*!50106 DROP EVENT IF EXISTS `ev` */;
DELIMITER ;;
/*!50003 SET time_zone             = 'SYSTEM' */ ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`root`@`localhost`*/ /*!50106 EVENT `ev` ON SCHEDULE EVERY 1 DAY DO BEGIN
SET @a=1;
END */ ;;
/*!50003 SET time_zone             = @saved_time_zone */ ;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`a``b`@`%` FUNCTION `f1`(a INT) RETURNS int
BEGIN RETURN a+1; END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`role` PROCEDURE p1()
BEGIN
CREATE TEMPORARY TABLE FUNCTION_names (a INT);
END ;;
DELIMITER ;
"""


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
def test_stored_programs_are_counted_and_their_bodies_passed_over(size: int) -> None:
    contents = read(HEAD + table("t", mysqls("t", ["(1)"])) + STORED + TAIL, size)

    assert contents.stored == {"trigger": 1, "event": 1, "function": 1, "procedure": 1}
    assert (contents.rows, contents.completed) == ({"t": 1}, True)


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
def test_a_delimiter_in_a_comment_of_a_routine_is_none(size: int) -> None:
    body = "BEGIN\n/* by hand:\nDELIMITER ;\n*/\nCREATE TEMPORARY TABLE `a` (a INT);\nCREATE TABLE `b` (a INT);\nEND"
    text = f"DELIMITER ;;\nCREATE DEFINER=`r`@`%` PROCEDURE `p`()\n{body} ;;\nDELIMITER ;\n"

    contents = read(text + table("t", mysqls("t", ["(1)"])) + TAIL, size)
    assert (contents.rows, contents.stored) == ({"t": 1}, {"procedure": 1})


def test_a_view_counts_once_its_final_form_is_there() -> None:
    placeholder = "/*!50001 CREATE VIEW `v` AS SELECT \n 1 AS `id`*/;\n"
    final = "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`r`@`%` */\n/*!50001 VIEW `v` AS select 1 */;\n"

    assert read(placeholder + TAIL).views == set()
    assert read(placeholder + final + TAIL).views == {"v"}


@pytest.mark.parametrize("columns", ["`one`", "`one`,`two`", "`a``b`,`c(d)`"])
def test_a_view_may_name_its_columns(columns: str) -> None:
    final = f"/*!50001 VIEW `v` ({columns}) AS select 1 AS `1` */;\n"

    assert read(final + TAIL).views == {"v"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        TAIL + "x\n",
        table("t", mysqls("t", ["(1)"])),
        table("t") + "INSERT INTO `t` VALUES (1),(2",
    ],
)
def test_a_dump_that_was_cut_off_is_not_complete(text: str) -> None:
    assert not read(text).completed


def test_the_trailer_needs_no_line_break() -> None:
    assert read(TAIL.rstrip("\n")).completed


@pytest.mark.parametrize(
    "line", [b"/*M!999999\\- enable the sandbox mode */ \n", b"/*!999999\\- enable the sandbox mode */\n"]
)
@pytest.mark.parametrize("size", [1, 10, 4096])
def test_the_sandbox_line_is_taken_out(line: bytes, size: int) -> None:
    data = line + b"-- MariaDB dump\nx" * 200

    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(without_sandbox_line(blocks)) == data[len(line) :]


@pytest.mark.parametrize("data", [b"", b"-- MySQL dump 10.13\n", b"x", b"/*M!1 x */\n" * 99, b"x" * 5000])
def test_everything_else_is_left_alone(data: bytes) -> None:
    assert b"".join(without_sandbox_line([data[:7], data[7:]])) == data


def test_the_sandbox_line_alone_is_nothing() -> None:
    assert list(without_sandbox_line([b"/*M!999999\\- enable the sandbox mode */"])) == []
