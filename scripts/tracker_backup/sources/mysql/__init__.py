"""One schema on a MySQL or MariaDB server, dumped live by the servers' own clients."""
