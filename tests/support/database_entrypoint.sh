#!/bin/sh
# What the published images of MySQL and MariaDB do when their container starts, as far as a stack relies on it:
# make the data directory, give root its password, make the schema and the user that the environment names, then
# become the server. New data directories are copied from /usr/local/share/new-data.
set -eu
data=/var/lib/mysql
server=/usr/sbin/mysqld
[ -x $server ] || server=/usr/sbin/mariadbd
[ $# -gt 0 ] || set -- "$server"
case $1 in
    -*) set -- "$server" "$@" ;;
    mysqld | mariadbd | */mysqld | */mariadbd) ;;
    *) exec "$@" ;;
esac

say() { printf '%s\n' "$1"; }
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g")"; }

mkdir -p /run/mysqld /var/lib/mysql-files
if [ ! -e $data/ibdata1 ]; then
    cp -a /usr/local/share/new-data/. $data/
    root=${MYSQL_ROOT_PASSWORD:-${MARIADB_ROOT_PASSWORD:-}}
    schema=${MYSQL_DATABASE:-${MARIADB_DATABASE:-}}
    user=${MYSQL_USER:-${MARIADB_USER:-}}
    password=${MYSQL_PASSWORD:-${MARIADB_PASSWORD:-}}
    {
        say "ALTER USER root@localhost IDENTIFIED BY $(quoted "$root");"
        say "CREATE USER root@'%' IDENTIFIED BY $(quoted "$root");"
        say "GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;"
        [ -z "$schema" ] || say "CREATE DATABASE \`$schema\`;"
        [ -z "$user" ] || say "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
        [ -z "$user" ] || [ -z "$schema" ] || say "GRANT ALL ON \`$schema\`.* TO $(quoted "$user")@'%';"
    } >/run/mysqld/init.sql
    chown 999:999 /run/mysqld/init.sql
    set -- "$@" --init-file=/run/mysqld/init.sql
fi
chown -R 999:999 $data /run/mysqld /var/lib/mysql-files
exec "$@" --user=mysql
