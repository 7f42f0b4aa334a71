"""Builds ONNX files with TensorRT and measures them side by side, on a machine with a GPU, tensorrt and torch:

    python3 bench/engines.py OUT fp16=model.onnx implicit=model.onnx,calibration.cache weak=int8.onnx strong=int8-strong.onnx

Modes: fp32, fp16, implicit (INT8+FP16 from a calibration cache), weak (Q/DQ, INT8+FP16), strong (Q/DQ, strongly typed).
All engines are built in one process; free dimensions are 20. `--levels 1,3`: optimization levels. `--repeat N`: every
engine N times, each time with a timing cache of its own, since the builder chooses kernels by timings that vary.
`--seconds S`: no build begins after that. `--timing FILE`: the timing cache that the first time begins with, so that it
takes less; `OUT/timing.cache` holds all that the last time knew. At the end all engines are timed in turns, `--rounds` times.
Written after each engine: OUT/results.json (median ms of 200 runs after 50, plain and as a CUDA graph; kinds of layers;
refusals), and for each engine N-MODE.json (the inspector's) and N-MODE.profile.json (ms by layer). The last lines
compare every mode with the first.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

import tensorrt as trt
import torch

TORCH = {
    trt.float32: torch.float32,
    trt.float16: torch.float16,
    trt.int64: torch.int64,
    trt.int32: torch.int32,
    trt.int8: torch.int8,
    trt.bool: torch.bool,
}


class Log(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
        self.messages = []

    def log(self, severity, text):
        if severity <= trt.ILogger.WARNING:
            self.messages.append(f"{severity}: {text}"[:600])


class Cache(trt.IInt8MinMaxCalibrator):
    """Ranges from a file."""

    def __init__(self, path):
        trt.IInt8MinMaxCalibrator.__init__(self)
        with open(path, "rb") as file:
            self.data = file.read()

    def get_batch_size(self):
        return 1

    def get_batch(self, names):
        return None

    def read_calibration_cache(self):
        return self.data

    def write_calibration_cache(self, data):
        pass


class Profiler(trt.IProfiler):
    def __init__(self):
        trt.IProfiler.__init__(self)
        self.times = {}

    def report_layer_time(self, name, ms):
        self.times.setdefault(name, []).append(ms)


LOG = Log()


def build(mode, path, cache, timing, level):
    """The serialized engine and the timing cache, or why there is none."""
    builder = trt.Builder(LOG)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if mode == "strong" else 0
    network = builder.create_network(flag)
    parser = trt.OnnxParser(network, LOG)
    with open(path, "rb") as file:
        if not parser.parse(file.read()):
            return None, timing, [parser.get_error(i).desc() for i in range(parser.num_errors)]
    config = builder.create_builder_config()
    config.builder_optimization_level = level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if mode in ("weak", "implicit"):
        config.set_flag(trt.BuilderFlag.INT8)
    if mode in ("weak", "implicit", "fp16"):
        config.set_flag(trt.BuilderFlag.FP16)
    given = network.get_input(0)
    if -1 in tuple(given.shape):
        profile = builder.create_optimization_profile()
        rest = tuple(given.shape)[1:]
        profile.set_shape(given.name, (1, *rest), (20, *rest), (20, *rest))
        config.add_optimization_profile(profile)
        if mode == "implicit":
            config.set_calibration_profile(profile)
    calibrator = Cache(cache) if mode == "implicit" else None
    if calibrator is not None:
        config.int8_calibrator = calibrator
    config.clear_flag(trt.BuilderFlag.TF32)
    if not config.set_timing_cache(config.create_timing_cache(timing), False):
        print(f"{mode}: the timing cache is of another TensorRT or GPU and starts anew", flush=True)
        config.set_timing_cache(config.create_timing_cache(b""), False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        return None, timing, LOG.messages[-8:]
    return plan, bytes(memoryview(config.get_timing_cache().serialize())), []


class Runner:
    """An engine with its memory, fed with noise."""

    def __init__(self, engine):
        self.engine = engine
        self.stream = torch.cuda.Stream()
        self.memory = {}
        self.context = self.open()

    def open(self):
        context = self.engine.create_execution_context()
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        inputs = [n for n in names if self.engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
        for name in inputs:
            context.set_input_shape(name, tuple(20 if d < 0 else d for d in self.engine.get_tensor_shape(name)))
        for name in names:
            if name not in self.memory:
                make = torch.rand if name in inputs else torch.zeros
                shape = tuple(context.get_tensor_shape(name))
                self.memory[name] = make(shape, device="cuda").to(TORCH[self.engine.get_tensor_dtype(name)])
            context.set_tensor_address(name, self.memory[name].data_ptr())
        return context

    def run(self):
        self.context.execute_async_v3(self.stream.cuda_stream)

    def median(self, run):
        for _ in range(50):
            run()
        self.stream.synchronize()
        times = []
        for _ in range(200):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record(self.stream)
            run()
            end.record(self.stream)
            end.synchronize()
            times.append(begin.elapsed_time(end))
        return round(statistics.median(times), 4)

    def graph(self):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self.run()

        def replay():
            with torch.cuda.stream(self.stream):
                graph.replay()

        return replay

    def profile(self):
        profiler = Profiler()
        context = self.open()
        context.profiler = profiler
        for _ in range(25):
            context.execute_async_v3(self.stream.cuda_stream)
            self.stream.synchronize()
        return {name: round(statistics.median(times), 5) for name, times in profiler.times.items()}


def measure(plan, row, name):
    """A runner of the engine; its first times and what the inspector says are written down."""
    engine = trt.Runtime(LOG).deserialize_cuda_engine(plan)
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    row["layers"] = {}
    for layer in json.loads(text)["Layers"]:
        row["layers"][layer["LayerType"]] = row["layers"].get(layer["LayerType"], 0) + 1
    runner = Runner(engine)
    row["ms"] = runner.median(runner.run)
    replay = runner.graph()
    row["graphMs"] = runner.median(replay)
    for ending, content in ((".json", text), (".profile.json", json.dumps(runner.profile(), indent=0))):
        with open(name + ending, "w") as file:
            file.write(content)
    return runner, replay


def told(rows):
    """A line for each level and mode: the median of its engines, and the least and the most."""
    by = {}
    for row in rows:
        by.setdefault((row["level"], row["mode"], row["file"]), []).append(row)
    firsts = {}
    for (level, mode, path), same in by.items():
        times = [statistics.median(row["rounds"]) for row in same if "rounds" in row]
        if not times:
            yield f"level {level} {mode:9} {path}: refused: {same[0].get('refused', [])[:1]}"
            continue
        middle = statistics.median(times)
        ratio = middle / firsts.setdefault(level, middle)
        plain = statistics.median(row["ms"] for row in same if "ms" in row)
        spread = f"{min(times):.4f} to {max(times):.4f} of {len(times)} engines"
        yield f"level {level} {mode:9} {path}: {plain} ms, as a graph {middle:.4f} ms ({spread}), {ratio:.2f} of the first"


def main(given):
    os.makedirs(given.out, exist_ok=True)
    started = time.time()
    results = {"gpu": torch.cuda.get_device_name(0), "tensorrt": trt.__version__, "engines": []}
    path_of_results = os.path.join(given.out, "results.json")
    runners = []

    def save():
        with open(path_of_results, "w") as file:
            json.dump(results, file, indent=1)

    for time_around in range(given.repeat):
        for level in given.levels:
            timing = given.timing.read_bytes() if given.timing and time_around == 0 else b""
            for job in given.jobs:
                mode, files = job.split("=", 1)
                path, _, cache = files.partition(",")
                if time.time() - started > given.seconds:
                    continue
                LOG.messages.clear()
                begin = time.time()
                plan, timing, refused = build(mode, path, cache, timing, level)
                row = {"mode": mode, "file": path, "level": level, "buildS": round(time.time() - begin, 1)}
                at = len(results["engines"])
                results["engines"].append(row)
                if plan is None:
                    row["refused"] = refused
                else:
                    runners.append((row, *measure(plan, row, os.path.join(given.out, f"{at}-{mode}"))))
                pathlib.Path(given.out, "timing.cache").write_bytes(timing)
                save()
    for _ in range(given.rounds):
        for row, runner, replay in runners:
            row.setdefault("rounds", []).append(runner.median(replay))
    save()
    print("\n".join(told(results["engines"])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--levels", type=lambda text: [int(level) for level in text.split(",")], default=[1])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timing", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    main(parser.parse_args())
