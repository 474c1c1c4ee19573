"""A dump's text taken apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tracker_backup.sources.mysql.dumpparts import (
    FRAME,
    OBJECTS,
    ROWS,
    TABLE,
    TRIGGERS,
    DumpSplitter,
    Part,
    definers,
    events_disabled,
    without_schema_name,
)  # fmt: skip

DUMP = rb"""-- MySQL dump 10.13
/*!40103 SET TIME_ZONE='+00:00' */;

--
-- Table structure for table `one ``two```
--

DROP TABLE IF EXISTS `one ``two```;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE `one ``two``` (
  `id` int NOT NULL
) ENGINE=InnoDB;

--
-- Dumping data for table `one ``two```
--

LOCK TABLES `one ``two``` WRITE;
INSERT INTO `one ``two``` VALUES ('-- Table structure for table `no`\nUNLOCK TABLES;\n');
UNLOCK TABLES;
COMMIT;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`ro``ot`@`localhost`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON x FOR EACH ROW BEGIN
-- Table structure for table `in_a_trigger`
CREATE DEFINER=`nobody`@`%` VIEW v AS SELECT 1;
END */;;
DELIMITER ;

--
-- Temporary view structure for view `v`
--

/*!50001 CREATE VIEW `v` AS SELECT
 1 AS `one`*/;

--
-- Dumping events for database 'x'
--
DELIMITER ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`e`@`%`*/ /*!50106 EVENT `ON COMPLETION PRESERVE ENABLE` ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' ON COMPLETION NOT PRESERVE ENABLE DO SELECT ' ON COMPLETION PRESERVE ENABLE' */ ;;
DELIMITER ;

--
-- Dumping routines for database 'x'
--
CREATE DEFINER="r"@"h" PACKAGE "p" AS END ;;

--
-- Final view structure for view `v`
--

/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`v`@`%` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 1 AS `one` */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

-- Dump completed on 2026-11-23"""  # noqa: E501 - as the clients write it


def split(wanted: Callable[[Part], bool], size: int = 1 << 20, **options: bool) -> bytes:
    splitter = DumpSplitter(wanted, **options)
    return b"".join(splitter.feed(DUMP[at : at + size]) for at in range(0, len(DUMP), size)) + splitter.finish()


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_every_byte_belongs_to_one_part_however_the_blocks_are_cut(size: int) -> None:
    seen: list[Part] = []
    assert split(lambda part: not seen.append(part), size) == DUMP
    assert [(part.kind, part.name) for part in seen] == [
        ("head", ""), ("table", "one `two`"), ("rows", "one `two`"), ("triggers", "one `two`"), ("placeholder", "v"),
        ("events", ""), ("routines", ""), ("view", "v"), ("foot", ""),
    ]  # fmt: skip
    objects = split(lambda part: part.kind in OBJECTS, size)
    assert b"INSERT" not in objects.replace(b"BEFORE INSERT", b"")
    assert b"CREATE TABLE" not in objects
    rows = split(lambda part: part.kind in FRAME | {TABLE, ROWS}, size)
    assert rows.count(b"UNLOCK TABLES;") == 2
    assert b"COMMIT;" in rows
    assert b"TRIGGER" not in rows
    assert b"TRIGGER" in split(lambda part: part.kind == TRIGGERS, size)


def test_whose_the_objects_are() -> None:
    found = definers(split(lambda part: part.kind in OBJECTS))
    assert found >= {("ro`ot", "localhost"), ("e", "%"), ("r", "h"), ("v", "%")}


def test_events_are_switched_off_whatever_they_are_called() -> None:
    text = split(lambda part: part.kind == "events", events_run=False)
    assert b"ON COMPLETION NOT PRESERVE DISABLE DO SELECT ' ON COMPLETION PRESERVE ENABLE'" in text
    assert b"`ON COMPLETION PRESERVE ENABLE`" in text
    assert split(lambda _: True).count(b"DISABLE") == 0
    assert events_disabled(text) == text


CONVERTED = rb"""-- Dumping data for table `one`
--
LOCK TABLES `one` WRITE;
INSERT INTO `one` VALUES ('\nALTER DATABASE `live` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;\n');
UNLOCK TABLES;
ALTER DATABASE `li``ve` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER `t` BEFORE INSERT ON one FOR EACH ROW SET @a = 1 */;;
DELIMITER ;
ALTER DATABASE `li``ve` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci ;

--
-- Dumping events for database 'live'
--
DELIMITER ;;
ALTER DATABASE `li``ve` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;;
/*!50106 CREATE*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE ENABLE DO BEGIN
ALTER DATABASE `meant` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
END */ ;;
DELIMITER ;
"""


@pytest.mark.parametrize("size", [1, 17, 1 << 20])
def test_the_schema_that_was_dumped_is_named_nowhere(size: int) -> None:
    blocks = [CONVERTED[start : start + size] for start in range(0, len(CONVERTED), size)]
    assert b"".join(without_schema_name(blocks)) == CONVERTED.replace(b"ALTER DATABASE `li``ve` ", b"ALTER DATABASE ")


def test_a_delimiter_in_a_comment_of_a_routine_begins_nothing() -> None:
    comment = b"/*\nDELIMITER ;\n*/\nSELECT 1;\n-- Table structure for table `no`\n"
    routine = b"DELIMITER ;;\nCREATE PROCEDURE `p`()\nBEGIN " + comment + b"END ;;\n"
    splitter = DumpSplitter(lambda part: part.kind == TABLE)
    assert splitter.feed(routine + b"DELIMITER ;\n") + splitter.finish() == b""


def test_what_is_set_around_a_trigger_goes_with_it() -> None:
    splitter = DumpSplitter(lambda part: part.kind == ROWS)
    assert b"\nALTER DATABASE" not in splitter.feed(CONVERTED) + splitter.finish()
