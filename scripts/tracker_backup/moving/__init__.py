"""A stack leaves a host, and arrives on another one."""
