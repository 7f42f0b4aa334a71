"""The worker over TensorRT 11's bindings as far as their names go, in memory of the host.

bindings-11.4.json lists what the classes of 11.4 have. What is made up here has no name beside those, so the worker finds
what it would find there and misses what it would miss. An engine adds 1 to its input; its builder tells what it was given.
"""

import ctypes
import enum
import importlib.util
import json
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "bindings-11.4.json"), encoding="utf-8") as file:
    SURFACE = json.load(file)
trt = types.ModuleType("tensorrt")
trt.__version__ = "11.4.0.106"
sys.modules["tensorrt"] = trt


class Member(enum.Enum):
    """As pybind's enumerations: a number on demand, and told as Type.NAME."""

    def __int__(self):
        return self.value


for name in ("BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "ProfilingVerbosity",
             "LayerInformationFormat", "TensorIOMode", "DataType", "DeviceType"):
    setattr(trt, name, Member(name, {member: i for i, member in enumerate(SURFACE[name])}))


def binding(made):
    """Puts a class into the module; as of pybind's, attributes that it lacks cannot be set, but in what is derived from it."""
    known = SURFACE[made.__name__]
    extra = [one for one in vars(made) if not one.startswith("_") and one not in known]
    assert not extra, "%s of TensorRT 11.4 has no %s" % (made.__name__, extra)

    def assign(self, attribute, value):
        if type(self) is made and not attribute.startswith("_") and attribute not in known:
            raise AttributeError("'%s' has no attribute '%s'" % (made.__name__, attribute))
        object.__setattr__(self, attribute, value)

    made.__setattr__ = assign
    setattr(trt, made.__name__, made)
    return made


@binding
class ILogger:
    ERROR, INTERNAL_ERROR, WARNING = "error", "internal error", "warning"


@binding
class IProfiler:
    pass


@binding
class ITensor:
    def __init__(self, name, shape):
        self.name, self.shape = name, shape


@binding
class INetworkDefinition:
    num_inputs = 1

    def __init__(self, flags):
        self._flags = flags

    def get_input(self, index):
        return ITensor("images", [-1, 3, 4, 4])


@binding
class OnnxParser:
    num_errors = 0

    def __init__(self, network, logger):
        pass

    def parse_from_file(self, path):
        return os.path.exists(path)


@binding
class IOptimizationProfile:
    def __init__(self):
        self._shapes = {}

    def set_shape(self, name, low, usual, high):
        self._shapes[name] = [list(low), list(usual), list(high)]


@binding
class ITimingCache:
    def serialize(self):
        return b"timings"


@binding
class IBuilderConfig:
    def __init__(self):
        self._said = {"set": [], "clear": []}
        self._profiles = []

    def set_memory_pool_limit(self, pool, size):
        self._said[str(pool)] = size

    def set_flag(self, flag):
        self._said["set"].append(str(flag))

    def clear_flag(self, flag):
        self._said["clear"].append(str(flag))

    def add_optimization_profile(self, profile):
        self._profiles.append(profile._shapes)

    def create_timing_cache(self, data):
        return ITimingCache()

    def set_timing_cache(self, cache, ignore_mismatch):
        self._cache = cache
        return True

    def get_timing_cache(self):
        return self._cache


@binding
class Builder:
    num_DLA_cores = 0

    def __init__(self, logger):
        pass

    def create_network(self, flags=0):
        return INetworkDefinition(flags)

    def create_builder_config(self):
        return IBuilderConfig()

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        said = {**config._said, "network": network._flags, "profiles": config._profiles,
                "level": config.builder_optimization_level, "verbosity": str(config.profiling_verbosity)}
        return json.dumps(said).encode()


@binding
class IExecutionContext:
    def __init__(self):
        self._shapes, self._addresses, self.profiler = {}, {}, None
        self.enqueue_emits_profile = True

    def set_input_shape(self, name, shape):
        self._shapes[name] = list(shape)
        return True

    def get_tensor_shape(self, name):
        return self._shapes["images"]

    def set_tensor_address(self, name, address):
        self._addresses[name] = address

    def execute_async_v3(self, stream):
        count = 1
        for length in self._shapes["images"]:
            count *= length
        of = lambda name: (ctypes.c_float * count).from_address(self._addresses[name])
        for i, value in enumerate(of("images")):
            of("output0")[i] = value + 1
        if self.profiler is not None and self.enqueue_emits_profile:
            self.profiler.report_layer_time("conv", 0.5)
        return True


@binding
class EngineInspector:
    def get_engine_information(self, form):
        layer = {"Name": "conv", "LayerType": "CaskConvolution", "Metadata": "[ONNX Layer: /conv]", "Inputs": [], "Outputs": []}
        return json.dumps({"Layers": [layer], "Bindings": {"I/O Tensors": []}})


@binding
class ICudaEngine:
    num_io_tensors = 2

    def get_tensor_name(self, index):
        return ("images", "output0")[index]

    def get_tensor_dtype(self, name):
        return trt.DataType.FLOAT

    def get_tensor_mode(self, name):
        return trt.TensorIOMode.INPUT if name == "images" else trt.TensorIOMode.OUTPUT

    def get_tensor_shape(self, name):
        return [-1, 3, 4, 4]

    def create_execution_context(self):
        return IExecutionContext()

    def create_engine_inspector(self):
        return EngineInspector()


@binding
class Runtime:
    def __init__(self, logger):
        pass

    def deserialize_cuda_engine(self, data):
        return ICudaEngine()


assert "init_libnvinfer_plugins" in SURFACE["tensorrt"]
trt.init_libnvinfer_plugins = lambda logger, namespace: True


class Cuda:
    """The CUDA runtime, in memory of the host."""

    def __init__(self):
        self.held = {}

    def malloc(self, size):
        memory = ctypes.create_string_buffer(max(1, size))
        self.held[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def free(self, pointer):
        del self.held[pointer]

    def copy(self, target, source, size, kind):
        ctypes.memmove(target, source, size)

    select = lambda self, index: None
    attribute = lambda self, number, index: {75: 9, 76: 0}[number]
    version = lambda self, name: "13.5"
    bus = lambda self, index: "0000:01:00.0"
    memory = lambda self: (1 << 30, 1 << 31)
    stream = event = lambda self: 1
    synchronize = lambda self, stream: None
    record = lambda self, event, stream: None
    elapsed = lambda self, start, end: 0.25
    capture = lambda self, stream, work: work
    launch = lambda self, graph, stream: graph()


source = os.path.join(HERE, "..", "..", "..", "src", "engine", "tensorrt", "worker.py")
spec = importlib.util.spec_from_file_location("worker", source)
worker = importlib.util.module_from_spec(spec)
sys.dont_write_bytecode = True
spec.loader.exec_module(worker)
worker.Cuda = Cuda
sys.exit(worker.main())
