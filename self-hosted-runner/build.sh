#!/usr/bin/env bash
# Builds the runner's image from images pinned by digest, and prints the digests so that they can be written down.
#   ./build.sh NAME:TAG          environment: TENSORRT_IMAGE, RUNNER_IMAGE (a tag is looked up; a digest is taken as it is)
set -euo pipefail
name=${1:?"usage: $0 NAME:TAG"}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

pinned() {
  case $1 in
    *@sha256:*) printf '%s\n' "$1" ;;
    *)
      local digest
      digest=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}')
      printf '%s@%s\n' "$1" "$digest"
      ;;
  esac
}

default() { sed -n "s/^ARG $1=//p" "$here/Dockerfile"; }
tensorrt=$(pinned "${TENSORRT_IMAGE:-$(default TENSORRT_IMAGE)}")
runner=$(pinned "${RUNNER_IMAGE:-$(default RUNNER_IMAGE)}")
echo "TENSORRT_IMAGE=$tensorrt"
echo "RUNNER_IMAGE=$runner"
exec docker build --pull --tag "$name" --file "$here/Dockerfile" \
  --build-arg "TENSORRT_IMAGE=$tensorrt" --build-arg "RUNNER_IMAGE=$runner" "$here/.."
