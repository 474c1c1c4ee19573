"""Schemas on a MySQL or MariaDB server: the tracker's own, and one that holds everything a dump can get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

COUNTER = "torrents_downloads_total"
SCHEMA = "torrust_tracker"
# As the tracker makes them.
TRACKER_TABLES = f"""
CREATE TABLE whitelist (
    id INTEGER PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL UNIQUE);
CREATE TABLE torrents (
    id INTEGER PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL UNIQUE, completed INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE torrent_aggregate_metrics (
    id INTEGER PRIMARY KEY AUTO_INCREMENT, metric_name VARCHAR(50) NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE `keys` (
    `id` INT NOT NULL AUTO_INCREMENT, `key` VARCHAR(32) NOT NULL, `valid_until` INT(10),
    PRIMARY KEY (`id`), UNIQUE (`key`));
INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES ('{COUNTER}', 0);
"""
# Views upon views in an order that no dump meets, cycles of foreign keys, reserved words, all bytes, no rows, …
EVERYTHING = r"""
CREATE TABLE hen (id INT PRIMARY KEY, egg INT NULL, note TEXT CHARACTER SET utf8mb4);
CREATE TABLE egg (id INT PRIMARY KEY, hen INT NULL, FOREIGN KEY (hen) REFERENCES hen (id));
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg (id);
SET foreign_key_checks = 0;
INSERT INTO hen VALUES (1, 1, 'Grüße, 你好, 🐔'), (2, NULL, NULL), (3, 2, 'it''s a "back\\slash"\nand\ta tab;');
INSERT INTO egg VALUES (1, 1), (2, 3);
SET foreign_key_checks = 1;
CREATE TABLE `select` (`from` INT PRIMARY KEY, `where` VARCHAR(20), `group by` INT, KEY `order` (`where`));
INSERT INTO `select` VALUES (1, 'NULL', 2), (2, NULL, NULL), (3, '', 0);
CREATE TABLE `a ``quoted`` name-with.all%` (id INT PRIMARY KEY);
INSERT INTO `a ``quoted`` name-with.all%` VALUES (1);
CREATE TABLE `empty` (id INT PRIMARY KEY, payload BLOB);
CREATE TABLE bytes (id INT PRIMARY KEY, fixed BINARY(4), short VARBINARY(300), large LONGBLOB, bits BIT(10));
INSERT INTO bytes VALUES (2, '', '', '', 0), (3, NULL, NULL, NULL, NULL), (4, 0x00FF5C27, 0x2729282C, 0x0A0D1A22, 1023);
CREATE TABLE numbers (
    id INT PRIMARY KEY, f FLOAT, d DOUBLE, n DECIMAL(30, 10), big BIGINT UNSIGNED, y YEAR, e ENUM('a', 'b''c'),
    s SET('x', 'y'), ts TIMESTAMP NULL, dt DATETIME(6), j JSON);
INSERT INTO numbers VALUES
    (1, 0.1234567, 0.1, 12345678901234567890.0123456789, 18446744073709551615, 2026, 'b''c', 'x,y',
     '2026-10-25 00:30:00', '2026-10-25 02:30:00.123456', '{"b": [1, 2.5, null], "a": "é"}'),
    (2, -1.5e30, 1.7976931348623157e308, -0.1, 0, NULL, 'a', '', NULL, NULL, '[]'),
    (3, NULL, 4.9406564584124654e-324, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(100) CHARACTER SET latin1);
INSERT INTO audit (what) VALUES ('één'), ('),(''');
CREATE VIEW b_first AS SELECT 1 AS id, 2 AS egg;
CREATE VIEW a_needs_b AS SELECT h.id, b.egg FROM hen h JOIN b_first b ON b.id = h.id;
CREATE OR REPLACE VIEW b_first AS SELECT id, hen AS egg FROM egg;
CREATE VIEW `view` AS SELECT `from` AS `order` FROM `select`;
DELIMITER //
CREATE TRIGGER hen_in AFTER INSERT ON hen FOR EACH ROW
BEGIN
    INSERT INTO audit (what) VALUES (CONCAT('hen; ', NEW.id));
    -- a comment; with a semicolon
END//
CREATE TRIGGER hen_out BEFORE DELETE ON hen FOR EACH ROW INSERT INTO audit (what) VALUES ('out')//
CREATE PROCEDURE add_hen(IN number INT) MODIFIES SQL DATA
BEGIN
    INSERT INTO hen VALUES (number, NULL, 'by procedure');
END//
CREATE FUNCTION twice(number INT) RETURNS INT DETERMINISTIC RETURN number * 2//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM audit WHERE id < 0//
DELIMITER ;
"""
GENERATED = """
CREATE TABLE made (
    a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2) STORED,
    c VARCHAR(20) GENERATED ALWAYS AS (CONCAT('n', a)) VIRTUAL,
    KEY (b));
INSERT INTO made (a) VALUES (1), (2), (3);
"""
NOT_TRANSACTIONAL = """
CREATE TABLE old (id INT PRIMARY KEY, what VARCHAR(10)) ENGINE = MyISAM;
INSERT INTO old VALUES (1, 'one'), (2, 'two');
"""
VECTOR = {
    "mysql": "CREATE TABLE embedded (id INT PRIMARY KEY, v VECTOR(3)); "
    "INSERT INTO embedded VALUES (1, STRING_TO_VECTOR('[1,2,3]'));",
    "mariadb": "CREATE TABLE embedded (id INT PRIMARY KEY, v VECTOR(3) NOT NULL); "
    "INSERT INTO embedded VALUES (1, VEC_FromText('[1,2,3]'));",
}
# What one vendor has and the other does not; the key says what it is about.
ONLY_MYSQL = {
    "invisible": "CREATE TABLE hidden (id INT PRIMARY KEY, secret INT INVISIBLE);"
    " INSERT INTO hidden (id, secret) VALUES (1, 2);",
    "expression default": "CREATE TABLE dflt (id INT PRIMARY KEY, u VARCHAR(36) DEFAULT (UUID())); "
    "INSERT INTO dflt (id) VALUES (1);",
    "functional index": "CREATE TABLE func (id INT PRIMARY KEY, n VARCHAR(20), KEY low ((LOWER(n))));"
    " INSERT INTO func VALUES (1, 'A');",
    "check": "CREATE TABLE chk (id INT PRIMARY KEY, n INT, CHECK (n > 0)); INSERT INTO chk VALUES (1, 1);",
    "multi-valued index": "CREATE TABLE multi (id INT PRIMARY KEY, j JSON, KEY m ((CAST(j AS UNSIGNED ARRAY))));"
    " INSERT INTO multi VALUES (1, '[1, 2]');",
    "spatial": "CREATE TABLE place (id INT PRIMARY KEY, p POINT NOT NULL SRID 4326, SPATIAL KEY (p));"
    " INSERT INTO place VALUES (1, ST_SRID(POINT(1, 2), 4326));",
}
ONLY_MARIADB = {
    "sequence": "CREATE SEQUENCE numbers_for START WITH 100 INCREMENT BY 10; SELECT NEXTVAL(numbers_for);",
    "versioned": "CREATE TABLE history (id INT PRIMARY KEY, n INT) WITH SYSTEM VERSIONING;"
    " INSERT INTO history VALUES (1, 1); UPDATE history SET n = 2;",
    "uuid": "CREATE TABLE uuids (id UUID PRIMARY KEY, address INET6);"
    " INSERT INTO uuids VALUES ('123e4567-e89b-12d3-a456-426655440000', '2001:db8::1');",
    "invisible": "CREATE TABLE hidden (id INT PRIMARY KEY, secret INT INVISIBLE DEFAULT 7);"
    " INSERT INTO hidden (id, secret) VALUES (1, 2);",
    "compressed": "CREATE TABLE squeezed (id INT PRIMARY KEY, t TEXT COMPRESSED);"
    " INSERT INTO squeezed VALUES (1, 'x');",
    "aria": "CREATE TABLE crash_safe (id INT PRIMARY KEY) ENGINE = Aria; INSERT INTO crash_safe VALUES (1);",
    "package": "SET sql_mode = 'ORACLE';\nDELIMITER //\nCREATE PACKAGE tools AS FUNCTION one RETURN INT; END//\n"
    "CREATE PACKAGE BODY tools AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END//\nDELIMITER ;\n"
    "SET sql_mode = DEFAULT;",
    "check": "CREATE TABLE chk (id INT PRIMARY KEY, n INT CHECK (n > 0)); INSERT INTO chk VALUES (1, 1);",
    "spatial": "CREATE TABLE place (id INT PRIMARY KEY, p POINT NOT NULL, SPATIAL KEY (p));"
    " INSERT INTO place VALUES (1, POINT(1, 2));",
}


class HasSql(Protocol):
    """A server or a container that takes statements as root."""

    vendor: str
    flavour: str

    def sql(self, statements: str, schema: str | None = None) -> list[list[str]]:
        """Run statements and return all rows."""


def tracker_schema(server: HasSql, schema: str = SCHEMA, rows: int = 0) -> None:
    """Make the tracker's tables with so many torrents, a million of them in about five seconds."""
    server.sql(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4; USE `{schema}`; {TRACKER_TABLES}")
    if not rows:
        return
    # Hashes of numbers, as random as real ones, made by the server itself; indexed at the end, which is faster.
    digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
    tables = ", ".join(f"digits AS t{power}" for power in range(7))
    number = " + ".join(f"t{power}.d * {10**power}" for power in range(7))
    server.sql(
        "SET SESSION unique_checks = 0, sql_log_bin = 0; ALTER TABLE torrents DROP INDEX info_hash;"
        f" CREATE TABLE digits AS {digits};"
        f" INSERT INTO torrents (info_hash) SELECT LEFT(SHA2({number}, 256), 40) FROM {tables} LIMIT {rows};"
        " ALTER TABLE torrents ADD UNIQUE INDEX info_hash (info_hash); DROP TABLE digits",
        schema,
    )


def everything_schema(
    server: HasSql, schema: str = "everything", *, generated: bool = True, old_engine: bool = True, only: bool = False
) -> None:
    """Make a schema with everything; `only` adds what just this vendor has."""
    server.sql(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4")
    server.sql("\n".join(everything(server, generated=generated, old_engine=old_engine, only=only)), schema)


def everything(server: HasSql, *, generated: bool = True, old_engine: bool = True, only: bool = False) -> Iterator[str]:
    """Yield the statements of a schema with everything."""
    yield EVERYTHING
    values = "".join(f"{number:02X}" for number in range(256))
    yield f"INSERT INTO bytes VALUES (1, 0x00010203, 0x{values}, 0x{values}, b'1010101010');"
    if generated:
        yield GENERATED
    if old_engine:
        yield NOT_TRANSACTIONAL
    if only:
        yield from (ONLY_MYSQL if server.vendor == "mysql" else ONLY_MARIADB).values()
        if server.flavour != "mariadb-10.11":
            yield VECTOR[server.vendor]
