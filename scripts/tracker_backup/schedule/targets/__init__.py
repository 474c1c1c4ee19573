"""The places where crontab entries can stand: /etc/cron.d, a user's table, a plain file."""
