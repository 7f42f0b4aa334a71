#!/usr/bin/env bash
# After every job: no process of it stays on the GPU, no file of it in the workspace, and the cache within its size.
# Environment of the runner: XDG_CACHE_HOME, INT8_GATE_CACHE_GIB (20).
set -euo pipefail

# Workers of TensorRT that their job left behind. Only those of this service or container: on a machine of several GPUs the
# runner beside this one is the same user, and its worker is at work.
for process in $(pgrep -u "$(id -u)" -f tensorrt-worker.py || true); do
  if cmp -s "/proc/$process/cgroup" /proc/self/cgroup; then kill -KILL "$process" || true; fi
done

if [[ -n ${GITHUB_WORKSPACE:-} && -d $GITHUB_WORKSPACE ]]; then
  find "$GITHUB_WORKSPACE" -mindepth 1 -delete ||
    echo "$GITHUB_WORKSPACE cannot be emptied: the job left files of another user there." >&2
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/int8-gate
limit=$((${INT8_GATE_CACHE_GIB:-20} * 1024 * 1024))
if [[ -d $cache ]]; then
  # Oldest first, until the rest fits; never a lock, which another container may hold. Sizes in KiB.
  size=$(du -sk -- "$cache" | cut -f1)
  while IFS= read -r -d '' line && ((size > limit)); do
    file=${line#* }
    kib=$(du -k -- "$file" 2>/dev/null | cut -f1) || continue # gone meanwhile
    rm -f -- "$file"
    size=$((size - kib))
  done < <(find "$cache" -type f ! -name '*.lock*' -printf '%A@ %p\0' | sort -zn)
fi
