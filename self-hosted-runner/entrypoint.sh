#!/usr/bin/env bash
# Runs one job and ends. The configuration is good for one job alone and comes from GitHub
# (POST …/actions/runners/generate-jitconfig): in the file $JIT_CONFIG_FILE, or in $JIT_CONFIG.
set -euo pipefail

fail() {
  echo "int8-gate runner: $1" >&2
  exit 3
}

file=${JIT_CONFIG_FILE:-/run/secrets/jit-config}
if [[ -n ${JIT_CONFIG:-} ]]; then
  config=$JIT_CONFIG
elif [[ -r $file ]]; then
  config=$(<"$file")
  # Where it can be removed, the job does not find it.
  rm -f -- "$file" 2>/dev/null || true
elif [[ -e $file ]]; then
  fail "$file cannot be read by user $(id -u): let that user read it"
else
  fail "no configuration: mount one at $file or set JIT_CONFIG (see docs/self-hosted-runner.md)"
fi
# Not handed on to the job. It runs as the same user and could find the configuration all the same, which is used up by then.
unset JIT_CONFIG JIT_CONFIG_FILE GITHUB_TOKEN GH_TOKEN

cd "${RUNNER_HOME:-/home/runner}"
[[ -x ./run.sh ]] || fail "there is no run.sh in $PWD: the image was made without GitHub's runner"
exec ./run.sh --jitconfig "$config"
