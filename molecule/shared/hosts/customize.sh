#!/bin/sh
# Called by mmdebstrap with the new root directory: turns a minimal Debian into a VM that was just handed over.
set -eu
root=$1
[ -x "$root/usr/sbin/sshd" ] || exit 0 # a container's file system is no host

# Nobody logs in on a console, the kernel is not ours, and apt's own timers would hold its lock at a bad time.
chroot "$root" systemctl mask getty.target console-getty.service systemd-modules-load.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer >/dev/null 2>&1
chroot "$root" systemctl enable ssh.service cron.service >/dev/null 2>&1

# The user whom Ansible logs in as: not root, sudo without a password. The key is mounted when the host starts.
chroot "$root" useradd --create-home --shell /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/admin"
chmod 0440 "$root/etc/sudoers.d/admin"
mkdir -p "$root/etc/ssh/authorized_keys.d"
printf 'AuthorizedKeysFile /etc/ssh/authorized_keys.d/%%u\nPasswordAuthentication no\nUseDNS no\nMaxStartups 50\n' \
    >"$root/etc/ssh/sshd_config.d/test-host.conf"

# A journal that can be read back after the fact.
mkdir -p "$root/var/log/journal"
