#!/usr/bin/env bash
# After every job: no process of it stays on the GPU, no file of it in the workspace, and the cache within its size.
# Environment of the runner: XDG_CACHE_HOME, INT8_GATE_CACHE_GIB (20).
set -euo pipefail

# Workers of TensorRT that their job left behind. Only ours: other users' processes cannot be ended, nor should they.
pkill -KILL -u "$(id -u)" -f tensorrt-worker.py || true

if [[ -n ${GITHUB_WORKSPACE:-} && -d $GITHUB_WORKSPACE ]]; then
  find "$GITHUB_WORKSPACE" -mindepth 1 -delete
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/int8-gate
limit=$((${INT8_GATE_CACHE_GIB:-20} * 1024 * 1024))
if [[ -d $cache ]]; then
  # Oldest first, until the rest fits. Sizes in KiB.
  size=$(du -sk -- "$cache" | cut -f1)
  while IFS= read -r -d '' line && ((size > limit)); do
    file=${line#* }
    kib=$(du -k -- "$file" | cut -f1)
    rm -f -- "$file"
    size=$((size - kib))
  done < <(find "$cache" -type f -printf '%A@ %p\0' | sort -zn)
fi
