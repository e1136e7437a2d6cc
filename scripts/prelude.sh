# shellcheck shell=bash
# What every script here starts with: `. "$(dirname "$0")/prelude.sh"`. Goes to the project's top folder and gives a
# few words to speak with. Not a script of its own.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
export top

# A release build for this triple is static (see scripts/build); the triple also keeps crt-static away from proc-macros.
target=x86_64-unknown-linux-gnu
barepod=$top/target/$target/release/barepod
export target barepod

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' red='' plain=''
fi

# Cargo is often only on the path of login shells.
if ! command -v cargo >/dev/null && [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then
  PATH=${HOME:-/root}/.cargo/bin:$PATH
fi

say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }

fail() {
  printf '%serror: %s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# seconds COMMAND...: runs it and says how long it took.
timed() {
  local began=$SECONDS status=0
  "$@" || status=$?
  say "$1: $((SECONDS - began)) s"
  return "$status"
}

needs_root() {
  [ "$(id -u)" = 0 ] || fail "$(basename "$0") needs root: it $1; try sudo $0"
}
