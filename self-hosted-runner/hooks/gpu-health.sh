#!/usr/bin/env bash
# Ends with 1 and a sentence when the GPU cannot be trusted with a job.
set -euo pipefail
least=${INT8_GATE_MIN_FREE_MIB:-2048}

sick() {
  echo "GPU: $1" >&2
  exit 1
}

command -v nvidia-smi >/dev/null || sick "nvidia-smi is not here: give the container the GPU (--gpus, the device plugin)"
fields=name,memory.free,temperature.gpu,ecc.errors.uncorrected.volatile.total,clocks_throttle_reasons.hw_thermal_slowdown
lines=$(nvidia-smi --query-gpu="$fields" --format=csv,noheader,nounits 2>&1) || sick "nvidia-smi fails: ${lines%%$'\n'*}"
[[ -n $lines ]] || sick "nvidia-smi sees none"

while IFS=, read -r name free temperature ecc thermal; do
  free=${free//[^0-9]/}
  ecc=${ecc//[^0-9]/}
  thermal=${thermal//[[:space:]]/}
  [[ -n $free ]] && ((free < least)) && sick "$name has $free MiB free, a job needs $least: another process holds the rest"
  [[ -n $ecc ]] && ((ecc > 0)) && sick "$name counted $ecc uncorrected memory errors since it was started: reset or replace it"
  [[ $thermal == Active ]] && sick "$name slows down because it is too hot (${temperature//[[:space:]]/} °C): look at its cooling"
done <<<"$lines"
exit 0
