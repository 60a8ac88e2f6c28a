#!/bin/sh
# Installs Parliament Explorer on one machine with systemd, or updates it. It may run again at any time.
#
#   ./install.sh --binary ./explorer                                      a local binary
#   ./install.sh --binary https://example.org/explorer --sha256 SUM       or one to download
#
# It installs /usr/local/bin/explorer, /etc/parliament-explorer/explorer.env (once; later runs keep it), the units of the
# server, two workers, the migrations and a nightly backup. Without --database-url it installs the distribution's Postgres
# and creates a role and a database in it. It creates no user: systemd runs each unit as a dynamic user.
# With --destdir DIR it only writes the files there, and starts nothing.
#
# To remove it and keep the data:
#   systemctl disable --now explorer-server 'explorer-worker@*' explorer-backup.timer explorer-migrate
#   rm /usr/local/bin/explorer /etc/systemd/system/explorer-*; systemctl daemon-reload
# The data is in Postgres (runuser -u postgres -- dropdb explorer), /etc/parliament-explorer and
# /var/lib/parliament-explorer-backup.
set -eu
umask 077

binary='' sum='' database='' email='' destdir='' workers='9091 9092'
units=$(cd "$(dirname "$0")" && pwd)/systemd

die() { echo "install.sh: $*" >&2; exit 1; }
say() { echo "install.sh: $*"; }

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
  esac
  [ $# -ge 2 ] || die "$1: a value is missing; --help lists the options"
  case $1 in
    --binary) binary=$2 ;;
    --sha256) sum=$2 ;;
    --database-url) database=$2 ;;
    --contact-email) email=$2 ;;
    --units) units=$2 ;;
    --destdir) destdir=$2 ;;
    *) die "$1: there is no such option; --help lists the options" ;;
  esac
  shift 2
done

# Check everything before changing anything.
[ -n "$binary" ] || die "--binary is missing: a file, or an address with --sha256"
case $database in *"'"* | *"
"*) die "--database-url: it must not contain a quote or a line feed; write them as %27 and %0A" ;; esac
[ -n "$destdir" ] || [ "$(id -u)" = 0 ] || die "run it as root, or with --destdir"
[ -n "$destdir" ] || [ -d /run/systemd/system ] || die "systemd does not run on this machine"
for unit in explorer-server.service explorer-worker@.service explorer-migrate.service explorer-backup.service explorer-backup.timer; do
  [ -f "$units/$unit" ] || die "$units/$unit is missing; set the folder of the units with --units"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $binary in
  https://* | http://*)
    [ -n "$sum" ] || die "--sha256 is missing: a download must be verified"
    say "downloading $binary"
    curl --fail --silent --show-error --location --retry 3 --output "$work/explorer" "$binary" || die "cannot download $binary"
    ;;
  *) cp -- "$binary" "$work/explorer" 2>/dev/null || die "cannot read $binary" ;;
esac
if [ -n "$sum" ] && [ "$(sha256sum "$work/explorer" | cut -d' ' -f1)" != "$sum" ]; then die "$binary is not the file with the SHA-256 $sum"; fi
chmod 755 "$work/explorer"
version=$("$work/explorer" version) || die "$binary does not run on this machine"

env=$destdir/etc/parliament-explorer/explorer.env
if [ ! -e "$env" ] && [ -z "$database" ]; then
  [ -z "$destdir" ] || die "--database-url is missing: with --destdir no Postgres is installed"
  if ! systemctl cat postgresql >/dev/null 2>&1; then # psql alone is not a server
    say "installing Postgres"
    apt-get update -qq || die "cannot install Postgres: install it, or give --database-url"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null || die "cannot install Postgres: install it, or give --database-url"
  fi
  systemctl enable --now postgresql
  password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  as_postgres() { runuser -u postgres -- "$@"; }
  if [ -z "$(as_postgres psql -XAtc "SELECT 1 FROM pg_roles WHERE rolname = 'explorer'")" ]; then as_postgres createuser explorer; fi
  echo "ALTER ROLE explorer PASSWORD '$password'" | as_postgres psql -Xq # not as an argument, which other users can see
  if [ -z "$(as_postgres psql -XAtc "SELECT 1 FROM pg_database WHERE datname = 'explorer'")" ]; then as_postgres createdb --owner=explorer explorer; fi
  port=$(as_postgres psql -XAtc 'SHOW port')
  database=postgres://explorer:$password@127.0.0.1:$port/explorer
fi

install -d -m 755 "$destdir/usr/local/bin" "$destdir/etc/systemd/system"
install -d -m 700 "$destdir/etc/parliament-explorer"
if [ ! -e "$env" ]; then
  cat > "$work/explorer.env" <<END
# Read by the units of explorer; docs/configuration.md lists the variables.
DATABASE_URL='$database'
CONTACT_EMAIL=$email
ADDR=127.0.0.1:8080
AUTH=on
LOG_FORMAT=json
END
  install -m 600 "$work/explorer.env" "$env"
else
  say "$env is not changed"
fi
install -m 755 "$work/explorer" "$destdir/usr/local/bin/explorer.new"
mv -f "$destdir/usr/local/bin/explorer.new" "$destdir/usr/local/bin/explorer" # atomic, even while it runs
for unit in "$units"/explorer-*.service "$units"/explorer-*.timer; do
  install -m 644 "$unit" "$destdir/etc/systemd/system/"
done
if [ -n "$destdir" ]; then
  say "installed $version into $destdir"
  exit 0
fi

systemctl daemon-reload
systemctl restart explorer-migrate
services=explorer-server
for port in $workers; do services="$services explorer-worker@$port"; done
# shellcheck disable=SC2086 # several names
systemctl enable $services explorer-migrate explorer-backup.timer
# shellcheck disable=SC2086
systemctl restart $services explorer-backup.timer
tries=0
address=$(sed -n "s/^ADDR=['\"]\{0,1\}\([^'\"]*\)['\"]\{0,1\}\$/\1/p" "$env") # the file may have been edited
case $address in :*) address=127.0.0.1$address ;; 0.0.0.0:*) address=127.0.0.1:${address##*:} ;; esac
until /usr/local/bin/explorer ready "http://$address" >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 30 ] || die "the server is not ready: read journalctl -u explorer-server"
  sleep 1
done
command -v pg_dump >/dev/null || say "the nightly backup needs pg_dump: apt-get install postgresql-client"
say "$version runs on http://$address. Create an API key: set -a; . $env; explorer keys create me --scope admin"
