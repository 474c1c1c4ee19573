# What is in the images of the test hosts. Sourced by `images`; the hash of this file and of customize.sh is the
# images' tag, so a change here builds them anew.
# shellcheck shell=bash disable=SC2034

suite_of() {
    case $1 in
        bookworm) echo bookworm ;;
        trixie | trixie-docker | tracker | backup-base) echo trixie ;;
        *) return 1 ;;
    esac
}

# What a small VM has before anybody provisions it, and an SSH server that lets Ansible in.
host="systemd,systemd-sysv,dbus,cron,openssh-server,sudo,python3,ca-certificates,iproute2,procps"
# What the role installs. Where it is there already a scenario is some 15 seconds shorter; `bookworm` and
# `trixie-docker` go without, so that each distribution has one scenario in which apt does its work.
role="sqlite3,default-mysql-client,zstd,logrotate,python3-crontab,python3-sh,python3-yaml,python3-jsonschema,python3-rich"
# What the Containerfile installs: with it apt has nothing to do, and no registry is asked for a base image.
container="cron,python3-crontab,python3-croniter,python3-sh,python3-yaml,python3-jsonschema,python3-rich,zstd"
container+=",sqlite3,default-mysql-client,docker-cli"

packages_of() {
    case $1 in
        bookworm) echo "$host" ;;
        trixie) echo "$host,$role" ;;
        trixie-docker) echo "$host,docker.io,docker-cli,docker-compose,iptables" ;;
        tracker) echo "python3" ;;
        backup-base) echo "$container" ;;
    esac
}

all_images="bookworm trixie trixie-docker tracker backup-base"

# File systems of containers on a host: they go into its Docker as files.
is_for_docker() { [[ $1 == tracker || $1 == backup-base ]]; }
