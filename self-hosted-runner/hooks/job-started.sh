#!/usr/bin/env bash
# Before every job: only allowed repositories, a GPU in order, an empty workspace. A status that is not 0 fails the job.
# Environment of the runner: INT8_GATE_REPOSITORIES (`owner/name owner/*`, empty = any), INT8_GATE_MIN_FREE_MIB (2048).
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

allowed() {
  [[ -z ${INT8_GATE_REPOSITORIES:-} ]] && return 0
  local pattern
  for pattern in $INT8_GATE_REPOSITORIES; do
    # shellcheck disable=SC2053  # the right side is a pattern on purpose
    [[ ${GITHUB_REPOSITORY:-} == $pattern ]] && return 0
  done
  return 1
}

set -f # patterns are not file names
if ! allowed; then
  echo "This runner takes jobs of ${INT8_GATE_REPOSITORIES} alone, not of ${GITHUB_REPOSITORY:-an unknown repository}." >&2
  exit 1
fi
set +f

"$here/gpu-health.sh"

# A runner that is kept between jobs may hold files of the last one.
if [[ -n ${GITHUB_WORKSPACE:-} && -d $GITHUB_WORKSPACE ]]; then
  if ! find "$GITHUB_WORKSPACE" -mindepth 1 -delete; then
    echo "$GITHUB_WORKSPACE cannot be emptied: a job left files of another user there, as steps in containers do." >&2
    echo "Remove them as root, and use each runner for one job." >&2
    exit 1
  fi
fi
