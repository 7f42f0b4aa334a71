"""The TensorRT worker of int8-gate: builds, runs and inspects engines for the program that started it.

Requests come as JSON lines on standard input, answers leave as JSON lines on what was standard output. Images and
outputs travel through files that both sides map. Needs `tensorrt` (8.6 to 11) and libcudart alone: no torch, no NumPy.
What a library can do is asked of it by name, never guessed from its version.
"""

import ctypes
import ctypes.util
import glob
import hashlib
import json
import mmap
import os
import statistics
import sys
import time
import traceback

PROTOCOL = 1
TYPES = {"FLOAT": ("float32", 4), "HALF": ("float16", 2), "INT8": ("int8", 1), "INT32": ("int32", 4),
         "INT64": ("int64", 8), "BOOL": ("bool", 1), "UINT8": ("uint8", 1)}


class Refused(Exception):
    """A request that cannot be carried out; `code` says whose fault it is."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


# --- the CUDA runtime, as far as it is needed ---------------------------------------------------------------------


def cuda_candidates():
    """Names and paths under which libcudart may be found, newest major version first."""
    names = ["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so"]
    beside = [os.path.join(folder, "nvidia", "*", "lib", "libcudart.so.*") for folder in sys.path if folder]
    found = ctypes.util.find_library("cudart")
    roots = glob.glob("/usr/local/cuda*/lib64/libcudart.so.*") + glob.glob("/usr/local/cuda*/targets/*/lib/libcudart.so.*")
    wheels = [path for pattern in beside for path in glob.glob(pattern)]
    return names + ([found] if found else []) + wheels + sorted(roots, reverse=True)


class Cuda:
    """libcudart through ctypes."""

    def __init__(self):
        reasons = []
        for name in cuda_candidates():
            try:
                self.lib = ctypes.CDLL(name)
                break
            except OSError as error:
                reasons.append(str(error))
        else:
            raise Refused("missing-library", "libcudart is not to be found: " + "; ".join(reasons[:2]))
        self.lib.cudaGetErrorString.restype = ctypes.c_char_p
        count = ctypes.c_int()
        self.check(self.lib.cudaGetDeviceCount(ctypes.byref(count)), "counting GPUs")
        if count.value == 0:
            raise Refused("no-gpu", "CUDA sees no GPU")
        self.count = count.value

    def check(self, code, what):
        if code == 0:
            return
        text = self.lib.cudaGetErrorString(code).decode()
        kinds = {2: "out-of-memory", 35: "driver", 100: "no-gpu", 999: "cuda", 803: "driver", 804: "driver"}
        raise Refused(kinds.get(code, "cuda"), "%s: %s (CUDA error %d)" % (what, text, code))

    def select(self, index):
        if index >= self.count:
            raise Refused("no-gpu", "GPU %d is asked for, CUDA sees %d" % (index, self.count))
        self.check(self.lib.cudaSetDevice(index), "selecting GPU %d" % index)
        self.check(self.lib.cudaFree(None), "waking GPU %d" % index)

    def attribute(self, number, index):
        value = ctypes.c_int()
        self.check(self.lib.cudaDeviceGetAttribute(ctypes.byref(value), number, index), "asking the GPU")
        return value.value

    def version(self, name):
        value = ctypes.c_int()
        self.check(getattr(self.lib, name)(ctypes.byref(value)), name)
        return "%d.%d" % (value.value // 1000, value.value % 1000 // 10)

    def bus(self, index):
        text = ctypes.create_string_buffer(32)
        self.check(self.lib.cudaDeviceGetPCIBusId(text, 32, index), "asking the GPU")
        return text.value.decode()

    def memory(self):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.check(self.lib.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)), "asking for memory")
        return free.value, total.value

    def malloc(self, size):
        pointer = ctypes.c_void_p()
        self.check(self.lib.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(max(1, size))), "allocating %d bytes" % size)
        return pointer.value

    def free(self, pointer):
        self.check(self.lib.cudaFree(ctypes.c_void_p(pointer)), "freeing")

    def copy(self, target, source, size, kind):
        """kind: 1 to the GPU, 2 from it."""
        self.check(self.lib.cudaMemcpy(ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(size), kind), "copying")

    def stream(self):
        pointer = ctypes.c_void_p()
        self.check(self.lib.cudaStreamCreateWithFlags(ctypes.byref(pointer), 1), "making a stream")
        return pointer.value

    def synchronize(self, stream):
        self.check(self.lib.cudaStreamSynchronize(ctypes.c_void_p(stream)), "running")

    def event(self):
        pointer = ctypes.c_void_p()
        self.check(self.lib.cudaEventCreate(ctypes.byref(pointer)), "making an event")
        return pointer.value

    def record(self, event, stream):
        self.check(self.lib.cudaEventRecord(ctypes.c_void_p(event), ctypes.c_void_p(stream)), "timing")

    def elapsed(self, start, end):
        value = ctypes.c_float()
        self.check(self.lib.cudaEventElapsedTime(ctypes.byref(value), ctypes.c_void_p(start), ctypes.c_void_p(end)), "timing")
        return value.value

    def capture(self, stream, work):
        """A CUDA graph of what `work` puts on the stream; None where it cannot be captured."""
        if self.lib.cudaStreamBeginCapture(ctypes.c_void_p(stream), 2) != 0:
            return None
        ok = work()
        graph = ctypes.c_void_p()
        if self.lib.cudaStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph)) != 0 or not ok or not graph.value:
            self.lib.cudaGetLastError()
            return None
        executable = ctypes.c_void_p()
        code = self.lib.cudaGraphInstantiateWithFlags(ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        return executable.value if code == 0 else None

    def launch(self, graph, stream):
        self.check(self.lib.cudaGraphLaunch(ctypes.c_void_p(graph), ctypes.c_void_p(stream)), "launching a graph")


# --- TensorRT -----------------------------------------------------------------------------------------------------


def load_tensorrt():
    try:
        import tensorrt
    except ImportError as error:
        raise Refused("missing-library", "Python cannot import tensorrt: %s" % error)
    return tensorrt


def capabilities(trt):
    flags = {name.lower(): hasattr(trt.BuilderFlag, name)
             for name in ("FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "EDITABLE_TIMING_CACHE")}
    return {
        "weak": flags["int8"],
        "strong": hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED") or not flags["int8"],
        "calibrators": hasattr(trt, "IInt8EntropyCalibrator2"),
        "obey": flags["obey_precision_constraints"],
        "dla": hasattr(trt, "DeviceType") and hasattr(trt.DeviceType, "DLA"),
    }


class Worker:
    def __init__(self, out, device):
        self.out = out
        self.trt = load_tensorrt()
        self.cuda = Cuda()
        self.device = device
        self.cuda.select(device)
        self.logger = self.make_logger()
        self.sessions = {}
        self.next = 0
        self.files = {}
        if not self.trt.init_libnvinfer_plugins(self.logger, ""):
            raise Refused("missing-library", "TensorRT's plugins cannot be loaded")

    def make_logger(self):
        worker = self

        class Logger(self.trt.ILogger):
            def __init__(self):
                worker.trt.ILogger.__init__(self)
                self.errors = []

            def log(self, severity, message):
                if severity in (worker.trt.ILogger.ERROR, worker.trt.ILogger.INTERNAL_ERROR):
                    self.errors.append(message)
                elif severity == worker.trt.ILogger.WARNING and len(message) < 2000:
                    worker.send({"event": "warning", "message": message})

        return Logger()

    def send(self, message):
        self.out.write(json.dumps(message, allow_nan=False) + "\n")
        self.out.flush()

    def hello(self):
        cuda, index = self.cuda, self.device
        free, total = cuda.memory()
        return {
            "event": "ready",
            "protocol": PROTOCOL,
            "tensorrt": self.trt.__version__,
            "python": sys.version.split()[0],
            "pid": os.getpid(),
            "cuda": {"runtime": cuda.version("cudaRuntimeGetVersion"), "driver": cuda.version("cudaDriverGetVersion")},
            "capabilities": capabilities(self.trt),
            "gpu": {
                "index": index,
                "bus": cuda.bus(index),
                "computeCapability": "%d.%d" % (cuda.attribute(75, index), cuda.attribute(76, index)),
                "memoryBytes": total,
                "freeBytes": free,
            },
        }

    # -- building

    def build(self, request):
        trt, logger = self.trt, self.logger
        logger.errors.clear()
        started = time.monotonic()
        builder = self.builder()
        network = builder.create_network(self.network_flags(request["mode"]))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(request["onnx"]):
            raise Refused("refused", self.parser_errors(parser))
        config = builder.create_builder_config()
        self.configure(builder, network, config, request)
        cache = self.timing_cache(config, request.get("timingCache"))
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            text = " ".join(logger.errors[-3:]) or "TensorRT gave no reason"
            code = "out-of-memory" if "memory" in text.lower() else "refused"
            raise Refused(code, text)
        data = bytes(plan)
        write_whole(request["engine"], data)
        if cache is not None:
            write_whole(request["timingCache"], bytes(config.get_timing_cache().serialize()))
        return {"engineBytes": len(data), "digest": hashlib.sha256(data).hexdigest(),
                "seconds": time.monotonic() - started}

    def builder(self):
        """A builder. A library that cannot make one, damaged or without a GPU, says why to the logger alone."""
        try:
            return self.trt.Builder(self.logger)
        except TypeError as error:
            text = " ".join(self.logger.errors[-3:]) or str(error)
            raise Refused("cuda", "TensorRT %s makes no builder: %s" % (self.trt.__version__, text))

    def network_flags(self, mode):
        creation = self.trt.NetworkDefinitionCreationFlag
        flags = 0
        if hasattr(creation, "EXPLICIT_BATCH"):
            flags |= 1 << int(creation.EXPLICIT_BATCH)
        if mode == "strong" and hasattr(creation, "STRONGLY_TYPED"):
            flags |= 1 << int(creation.STRONGLY_TYPED)
        return flags

    def parser_errors(self, parser):
        lines = []
        for i in range(min(parser.num_errors, 5)):
            error = parser.get_error(i)
            node = error.node_name() if hasattr(error, "node_name") else ""
            lines.append(("node %s: " % node if node else "") + error.desc())
        return "; ".join(lines) or "the ONNX parser gave no reason"

    def configure(self, builder, network, config, request):
        trt = self.trt
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        config.builder_optimization_level = request.get("optimizationLevel", 3)
        if request.get("workspaceMiB"):
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request["workspaceMiB"] << 20)
        if hasattr(trt.BuilderFlag, "TF32"):
            config.clear_flag(trt.BuilderFlag.TF32)
        wanted = {"fp32": [], "fp16": ["FP16"], "int8": ["INT8"], "int8+fp16": ["INT8", "FP16"], "strong": []}[request["mode"]]
        for name in wanted:
            if not hasattr(trt.BuilderFlag, name):
                raise Refused("unsupported", "this TensorRT has no flag %s: only strongly typed engines can be built" % name)
            config.set_flag(getattr(trt.BuilderFlag, name))
        self.pin(network, config, request.get("float", []))
        self.add_profile(builder, network, config, request)
        if request.get("calibrationCache"):
            self.calibrator = self.cache_calibrator(request["calibrationCache"], request.get("calibration", "entropy"))
            config.int8_calibrator = self.calibrator
        if request.get("dla") is not None:
            if builder.num_DLA_cores <= request["dla"]:
                raise Refused("unsupported", "DLA core %d is asked for, this device has %d" % (request["dla"], builder.num_DLA_cores))
            config.default_device_type = trt.DeviceType.DLA
            config.DLA_core = request["dla"]
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)

    def pin(self, network, config, names):
        """Layers that must run in FP16 or wider although a faster INT8 tactic may exist."""
        if not names:
            return
        trt = self.trt
        if not hasattr(trt.BuilderFlag, "OBEY_PRECISION_CONSTRAINTS"):
            return
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        wanted = set(names)
        for i in range(network.num_layers):
            layer = network.get_layer(i)
            if layer.name in wanted:
                layer.precision = trt.float16

    def add_profile(self, builder, network, config, request):
        low, usual, high = request["batch"]
        profile = builder.create_optimization_profile()
        dynamic = False
        for i in range(network.num_inputs):
            tensor = network.get_input(i)
            shape = list(tensor.shape)
            if -1 not in shape:
                continue
            dynamic = True
            given = request.get("shapes", {}).get(tensor.name)
            rest = given[1:] if given else shape[1:]
            if -1 in rest:
                raise Refused("refused", "input %s has the free dimensions %s: say its size" % (tensor.name, shape))
            profile.set_shape(tensor.name, *[[count] + rest for count in (low, usual, high)])
        if dynamic:
            config.add_optimization_profile(profile)
            if request.get("calibrationCache") and hasattr(config, "set_calibration_profile"):
                config.set_calibration_profile(profile)

    def timing_cache(self, config, path):
        if not path:
            return None
        data = b""
        if os.path.exists(path):
            with open(path, "rb") as file:
                data = file.read()
        cache = config.create_timing_cache(data)
        if cache is None or not config.set_timing_cache(cache, False):
            self.send({"event": "warning", "message": "the timing cache is of another TensorRT or GPU and starts anew"})
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, False)
        return cache

    def cache_calibrator(self, path, kind):
        trt = self.trt
        bases = {"entropy": "IInt8EntropyCalibrator2", "minmax": "IInt8MinMaxCalibrator"}
        if not hasattr(trt, bases[kind]):
            raise Refused("unsupported", "this TensorRT has no calibrators: give a model with Q/DQ")
        with open(path, "rb") as file:
            data = file.read()
        base = getattr(trt, bases[kind])

        class FromCache(base):
            def __init__(self):
                base.__init__(self)

            def get_batch_size(self):
                return 1

            def get_batch(self, names):
                return None

            def read_calibration_cache(self):
                return data

            def write_calibration_cache(self, cache):
                return None

        return FromCache()

    # -- running

    def load(self, request):
        trt = self.trt
        self.logger.errors.clear()
        with open(request["engine"], "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != request["digest"]:
            raise Refused("refused", "%s is not the engine that was built: its digest differs" % request["engine"])
        before, _ = self.cuda.memory()
        runtime = trt.Runtime(self.logger)
        engine = runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise Refused("refused", " ".join(self.logger.errors[-2:]) or "the engine cannot be loaded")
        context = engine.create_execution_context()
        if context is None:
            raise Refused("out-of-memory", " ".join(self.logger.errors[-2:]) or "no memory for the engine's activations")
        after, _ = self.cuda.memory()
        number = self.next
        self.next += 1
        self.sessions[number] = Session(self, runtime, engine, context)
        tensors = [self.describe(engine, engine.get_tensor_name(i)) for i in range(engine.num_io_tensors)]
        return {"session": number, "tensors": tensors, "deviceBytes": max(0, before - after)}

    def describe(self, engine, name):
        kind = str(engine.get_tensor_dtype(name)).split(".")[-1]
        if kind not in TYPES:
            raise Refused("refused", "tensor %s has the type %s, which is not read" % (name, kind))
        mode = "input" if engine.get_tensor_mode(name) == self.trt.TensorIOMode.INPUT else "output"
        return {"name": name, "mode": mode, "type": TYPES[kind][0], "dims": list(engine.get_tensor_shape(name))}

    def map(self, path):
        if path not in self.files:
            file = os.open(path, os.O_RDWR)
            view = mmap.mmap(file, 0)
            os.close(file)
            self.files[path] = (view, ctypes.addressof(ctypes.c_char.from_buffer(view)))
        return self.files[path]

    def session(self, request):
        if request["session"] not in self.sessions:
            raise Refused("bad-request", "there is no session %r" % request["session"])
        return self.sessions[request["session"]]

    def run(self, request):
        return self.session(request).run(request)

    def time(self, request):
        return self.session(request).time(request)

    def profile(self, request):
        return self.session(request).profile(request)

    def inspect(self, request):
        session = self.session(request)
        inspector = session.engine.create_engine_inspector()
        inspector.execution_context = session.context
        text = inspector.get_engine_information(self.trt.LayerInformationFormat.JSON)
        return {"layers": json.loads(text)}

    def release(self, request):
        session = self.sessions.pop(request["session"], None)
        if session is not None:
            session.close()
        return {}

    def ping(self, request):
        free, total = self.cuda.memory()
        return {"freeBytes": free, "memoryBytes": total}


class Session:
    def __init__(self, worker, runtime, engine, context):
        self.worker, self.runtime, self.engine, self.context = worker, runtime, engine, context
        self.cuda = worker.cuda
        self.stream = self.cuda.stream()
        self.start, self.end = self.cuda.event(), self.cuda.event()
        self.buffers = {}
        self.shapes = {}

    def buffer(self, name, size):
        held = self.buffers.get(name)
        if held is None or held[1] < size:
            if held is not None:
                self.cuda.free(held[0])
            self.buffers[name] = (self.cuda.malloc(size), size)
        return self.buffers[name][0]

    def size_of(self, name, shape):
        size = TYPES[str(self.engine.get_tensor_dtype(name)).split(".")[-1]][1]
        for length in shape:
            size *= length
        return size

    def prepare(self, shapes):
        """Sets input shapes and the addresses of all tensors; answers the shapes of outputs."""
        for name, shape in shapes.items():
            if not self.context.set_input_shape(name, shape):
                raise Refused("bad-request", "input %s cannot have the shape %s: the engine was not built for it" % (name, shape))
            self.context.set_tensor_address(name, self.buffer(name, self.size_of(name, shape)))
        outputs = {}
        for i in range(self.engine.num_io_tensors):
            name = self.engine.get_tensor_name(i)
            if name in shapes:
                continue
            shape = list(self.context.get_tensor_shape(name))
            if -1 in shape:
                raise Refused("refused", "output %s has a size that depends on the data, %s" % (name, shape))
            self.context.set_tensor_address(name, self.buffer(name, self.size_of(name, shape)))
            outputs[name] = shape
        self.shapes = shapes
        return outputs

    def run(self, request):
        """inputs: [{name, shape, offset}] in the mapped file `file`; outputs are written from `at` on."""
        _, base = self.worker.map(request["file"])
        shapes = {one["name"]: one["shape"] for one in request["inputs"]}
        outputs = self.prepare(shapes)
        for one in request["inputs"]:
            size = self.size_of(one["name"], one["shape"])
            self.cuda.copy(self.buffers[one["name"]][0], base + one["offset"], size, 1)
        self.cuda.record(self.start, self.stream)
        if not self.context.execute_async_v3(self.stream):
            raise Refused("cuda", " ".join(self.worker.logger.errors[-2:]) or "the engine did not run")
        self.cuda.record(self.end, self.stream)
        self.cuda.synchronize(self.stream)
        offset, written = request["at"], []
        limit = len(self.worker.map(request["file"])[0])
        for name, shape in outputs.items():
            size = self.size_of(name, shape)
            if offset + size > limit:
                raise Refused("bad-request", "the file is too small for the outputs: %d bytes are missing" % (offset + size - limit))
            self.cuda.copy(base + offset, self.buffers[name][0], size, 2)
            written.append({"name": name, "shape": shape, "offset": offset})
            offset = (offset + size + 63) & ~63
        return {"outputs": written, "ms": self.cuda.elapsed(self.start, self.end)}

    def time(self, request):
        """Latencies of the engine alone, on whatever lies in its buffers: copies to and from the GPU are not counted."""
        self.prepare({one["name"]: one["shape"] for one in request["inputs"]})
        enqueue = lambda: self.context.execute_async_v3(self.stream)
        until = time.monotonic() + request["warmUpMs"] / 1000
        while True:
            enqueue()
            self.cuda.synchronize(self.stream)
            if time.monotonic() >= until:
                break
        graph = self.cuda.capture(self.stream, enqueue) if request.get("graph") else None
        if request.get("graph") and graph is None:
            return {"times": None, "reason": "the engine cannot be captured as a CUDA graph"}
        times = []
        for _ in range(request["iterations"]):
            self.cuda.record(self.start, self.stream)
            if graph is not None:
                self.cuda.launch(graph, self.stream)
            else:
                enqueue()
            self.cuda.record(self.end, self.stream)
            self.cuda.synchronize(self.stream)
            times.append(self.cuda.elapsed(self.start, self.end))
        return {"times": times}

    def profile(self, request):
        """Median milliseconds of each layer. Their sum is larger than the latency: events cost."""
        trt = self.worker.trt
        times = {}

        class Profiler(trt.IProfiler):
            def __init__(self):
                trt.IProfiler.__init__(self)

            def report_layer_time(self, name, ms):
                times.setdefault(name, []).append(ms)

        profiler = Profiler()
        context = self.engine.create_execution_context()
        held, self.context = self.context, context
        try:
            self.prepare({one["name"]: one["shape"] for one in request["inputs"]})
            for _ in range(10):
                context.execute_async_v3(self.stream)
                self.cuda.synchronize(self.stream)
            context.profiler = profiler
            for _ in range(request["iterations"]):
                context.execute_async_v3(self.stream)
                self.cuda.synchronize(self.stream)
                # TensorRT 8.6 tells no times of execute_async_v3 unless it is asked.
                if not times and hasattr(context, "report_to_profiler"):
                    context.enqueue_emits_profile = False
                if not context.enqueue_emits_profile:
                    context.report_to_profiler()
        finally:
            self.context = held
        return {"layers": [{"name": name, "ms": statistics.median(each)} for name, each in times.items()]}

    def close(self):
        for pointer, _ in self.buffers.values():
            self.cuda.free(pointer)
        self.buffers.clear()
        self.context = self.engine = self.runtime = None


def write_whole(path, data):
    """Whole or not at all: a reader never sees half an engine."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise Refused("disk", "%s cannot be written: %s" % (path, error.strerror))


OPERATIONS = ("build", "load", "run", "time", "profile", "inspect", "release", "ping")


def main():
    # Libraries print as they like: only this descriptor speaks the protocol, theirs goes to standard error.
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    try:
        worker = Worker(out, int(os.environ.get("INT8_GATE_GPU", "0")))
        worker.send(worker.hello())
    except Refused as error:
        out.write(json.dumps({"event": "fatal", "code": error.code, "message": str(error)}) + "\n")
        return 1
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request.get("op") not in OPERATIONS:
                raise Refused("bad-request", "there is no operation %r" % request.get("op"))
            answer = getattr(worker, request["op"])(request)
            worker.send({"id": request["id"], "ok": answer})
        except Refused as error:
            worker.send({"id": request["id"], "error": {"code": error.code, "message": str(error)}})
        except MemoryError:
            worker.send({"id": request["id"], "error": {"code": "out-of-memory", "message": "the host's memory ran out"}})
        except Exception as error:  # told whole to the program: it is a bug of ours, not of the person's
            worker.send({"id": request["id"], "error": {"code": "internal", "message": "%s: %s | %s" % (
                type(error).__name__, error, traceback.format_exc(limit=4).replace("\n", " | "))}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
