"""Builds ONNX files with TensorRT and measures them side by side, on a machine with a GPU, tensorrt and torch:

    python3 bench/engines.py OUT fp16=model.onnx implicit=model.onnx,calibration.cache weak=int8.onnx strong=int8-strong.onnx

Modes: fp32, fp16, implicit (INT8+FP16 from a calibration cache), weak (Q/DQ, INT8+FP16), strong (Q/DQ, strongly typed).
All engines are built in one process with one timing cache, at optimization level 1; free dimensions are 20. Written
after each engine: OUT/results.json (median ms of 200 runs after 50, plain and as a CUDA graph; kinds of layers;
refusals), and for each engine N-MODE.json (the inspector's) and N-MODE.profile.json (ms by layer). The last lines
compare every engine with the first.
"""

import json
import os
import statistics
import sys
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


def build(mode, path, cache, timing):
    """The serialized engine and the timing cache, or why there is none."""
    builder = trt.Builder(LOG)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if mode == "strong" else 0
    network = builder.create_network(flag)
    parser = trt.OnnxParser(network, LOG)
    with open(path, "rb") as file:
        if not parser.parse(file.read()):
            return None, timing, [parser.get_error(i).desc() for i in range(parser.num_errors)]
    config = builder.create_builder_config()
    config.builder_optimization_level = 1
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
    config.set_timing_cache(config.create_timing_cache(timing), False)
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


def main(out, jobs):
    os.makedirs(out, exist_ok=True)
    timing = b""
    results = {"gpu": torch.cuda.get_device_name(0), "tensorrt": trt.__version__, "engines": []}
    for at, job in enumerate(jobs):
        mode, files = job.split("=", 1)
        path, _, cache = files.partition(",")
        LOG.messages.clear()
        begin = time.time()
        plan, timing, refused = build(mode, path, cache, timing)
        row = {"mode": mode, "file": path, "buildS": round(time.time() - begin, 1)}
        results["engines"].append(row)
        if plan is None:
            row["refused"] = refused
        else:
            engine = trt.Runtime(LOG).deserialize_cuda_engine(plan)
            text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
            row["layers"] = {}
            for layer in json.loads(text)["Layers"]:
                row["layers"][layer["LayerType"]] = row["layers"].get(layer["LayerType"], 0) + 1
            runner = Runner(engine)
            row["ms"] = runner.median(runner.run)
            row["graphMs"] = runner.median(runner.graph())
            for name, content in ((".json", text), (".profile.json", json.dumps(runner.profile(), indent=0))):
                with open(os.path.join(out, f"{at}-{mode}{name}"), "w") as file:
                    file.write(content)
        with open(os.path.join(out, "results.json"), "w") as file:
            json.dump(results, file, indent=1)
    first = next((row for row in results["engines"] if "ms" in row), None)
    for row in results["engines"]:
        told = f"{row['mode']:9} {row['file']}"
        if "ms" in row:
            ratio = row["graphMs"] / first["graphMs"]
            print(f"{told}: {row['ms']} ms, as a graph {row['graphMs']} ms ({ratio:.2f} of the first)")
        else:
            print(f"{told}: refused: {row['refused'][:1]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
