"""Whether all is well: now (status), tonight (doctor), and who hears of it (ping)."""
