#!/usr/bin/env bash
# Ends with 1 and a sentence when the GPU cannot be trusted with a job.
set -euo pipefail
least=${INT8_GATE_MIN_FREE_MIB:-2048}

sick() {
  echo "GPU: $1" >&2
  exit 1
}

command -v nvidia-smi >/dev/null || sick "nvidia-smi is not here: give the container the GPU (--gpus, the device plugin)"
# A driver that hangs must not hang the job, and the GPU of the runner beside this one is not our matter.
ask() {
  timeout --kill-after=5 "${INT8_GATE_SMI_SECONDS:-60}" nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits \
    ${CUDA_VISIBLE_DEVICES:+"--id=$CUDA_VISIBLE_DEVICES"} 2>&1
}

status=0
lines=$(ask name,memory.free,temperature.gpu,ecc.errors.uncorrected.volatile.total) || status=$?
((status != 124 && status != 137)) || sick "nvidia-smi hangs: look at dmesg, the machine must most likely be started again"
((status == 0)) || sick "nvidia-smi fails: ${lines%%$'\n'*}"
[[ -n $lines ]] || sick "nvidia-smi sees none"
# Since driver 535 by the first name, before by the second; one that knows neither cannot tell, and is no reason to refuse.
hot=$(ask clocks_event_reasons.hw_thermal_slowdown) || hot=$(ask clocks_throttle_reasons.hw_thermal_slowdown) || hot=

while IFS=, read -r name free temperature ecc thermal; do
  free=${free//[^0-9]/}
  ecc=${ecc//[^0-9]/}
  thermal=${thermal//[[:space:]]/}
  [[ -n $free ]] && ((free < least)) && sick "$name has $free MiB free, a job needs $least: another process holds the rest"
  [[ -n $ecc ]] && ((ecc > 0)) && sick "$name counted $ecc uncorrected memory errors since it was started: reset or replace it"
  [[ $thermal == Active ]] && sick "$name slows down because it is too hot (${temperature//[[:space:]]/} °C): look at its cooling"
done < <(paste -d, <(echo "$lines") <(echo "$hot"))
exit 0
