#!/bin/sh
# The tracker at work: its tables, and a hundred transactions a second, each of which adds one to `completed` of a
# torrent and one to the counter. So the sum equals the counter in every consistent copy. A statement that fails ends
# this, and the container's count of restarts tells.
set -eu
client() { mysql --host=mysql --user=tracker_user --default-character-set=utf8mb4 torrust_tracker "$@"; }

until client --execute='SELECT 1' >/dev/null 2>&1; do sleep 1; done

# Where it starts again, or on another host, they are there.
client --execute='SELECT value FROM torrent_aggregate_metrics' >/dev/null 2>&1 || client <<SQL
SET SESSION cte_max_recursion_depth = 30000;
CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL UNIQUE);
CREATE TABLE torrents (id INTEGER PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL UNIQUE,
    completed INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE torrent_aggregate_metrics (id INTEGER PRIMARY KEY AUTO_INCREMENT,
    metric_name VARCHAR(50) NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE \`keys\` (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, \`key\` VARCHAR(32) NOT NULL UNIQUE, valid_until INT);
INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES ('torrents_downloads_total', 0);
INSERT INTO torrents (info_hash) WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers
    WHERE n < 20000) SELECT LEFT(SHA2(n, 256), 40) FROM numbers;
SQL

while :; do
    echo "START TRANSACTION;
        INSERT INTO torrents (info_hash, completed) VALUES (LEFT(SHA2(FLOOR(RAND() * 100000), 256), 40), 1)
            ON DUPLICATE KEY UPDATE completed = completed + 1;
        UPDATE torrent_aggregate_metrics SET value = value + 1 WHERE metric_name = 'torrents_downloads_total';
        COMMIT;"
    sleep 0.01
done | client
