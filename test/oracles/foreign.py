"""Q/DQ files as other tools write them: python foreign.py TOOL → ../lint/golden/…

modelopt, pytorch-quantization: the signs-v10 fixture, quantized on 32 of its calibration images. Its weights are taken out
again (../lint/restore.ts puts them back from the fixture), so that signs-v10-TOOL.onnx.gz holds what the tool made alone.
aimet, quark: the tiny net of lint.py, tiny-TOOL.onnx.

Made with nvidia-modelopt 0.47 (ONNX, entropy, FP16 for the rest), the sources of pytorch-quantization 2.2.1
(github.com/NVIDIA/TensorRT, tools/pytorch-quantization, on PYTHONPATH; its CUDA extension is not needed), aimet-onnx 2.42,
amd-quark 0.13; torch 2.15, onnx 1.21 and onnxruntime 1.24.
"""
import gzip
import pathlib
import sys
import tempfile
import types

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent / "lint" / "golden"
SIGNS = HERE.parent.parent / "fixtures" / "signs"
FIXTURE = SIGNS / "models" / "signs-v10.onnx"
IMAGES = 32


def images():
    files = sorted((SIGNS / "calib").glob("*.jpg"))[:IMAGES]
    pixels = [np.asarray(Image.open(one).convert("RGB"), np.float32).transpose(2, 0, 1) / 255 for one in files]
    return np.ascontiguousarray(np.stack(pixels))


def modelopt(path):
    import modelopt.onnx.quantization as quantization

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "signs-v10.onnx"
        source.write_bytes(FIXTURE.read_bytes())
        quantization.quantize(
            str(source),
            quantize_mode="int8",
            calibration_method="entropy",
            calibration_data={"images": images()},
            calibration_eps=["cpu"],
            output_path=path,
        )


def torch_signs():
    """The network of train_signs.py with the weights of the fixture, batch normalization folded."""
    import torch
    from torch import nn

    sys.modules.setdefault("cv2", types.ModuleType("cv2"))  # for drawing alone
    sys.path.insert(0, str(SIGNS))
    import train_signs

    net = train_signs.Detector()
    net.prepare_export("cpu")
    net.eval()
    net.mode = "v10"

    def fuse(module):
        for _, child in module.named_children():
            if isinstance(child, train_signs.Conv):
                child.conv, child.bn = nn.utils.fuse_conv_bn_eval(child.conv, child.bn), nn.Identity()
            else:
                fuse(child)

    fuse(net)
    order, convolutions = [], [one for one in net.modules() if isinstance(one, nn.Conv2d)]
    hooks = [one.register_forward_hook(lambda self, *_: order.append(self)) for one in convolutions]
    with torch.no_grad():
        net(torch.zeros(1, 3, 192, 192))
    for hook in hooks:
        hook.remove()
    graph = onnx.load(FIXTURE).graph
    weights = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    for node, layer in zip(nodes, order, strict=True):
        layer.weight.data, layer.bias = weights[node.input[1]], nn.Parameter(weights[node.input[2]])
    return net, train_signs


def pytorch_quantization(path):
    import torch
    from torch import nn

    # Neither is part of the sources: what setup.py writes, and fake quantization in CUDA.
    sys.modules["pytorch_quantization.version"] = types.ModuleType("version")
    sys.modules["pytorch_quantization.version"].__version__ = "2.2.1"
    sys.modules["pytorch_quantization.cuda_ext"] = types.ModuleType("cuda_ext")
    from pytorch_quantization import calib
    from pytorch_quantization import nn as quant
    from pytorch_quantization.tensor_quant import QuantDescriptor

    net, signs = torch_signs()
    quant.QuantConv2d.set_default_quant_desc_input(QuantDescriptor(calib_method="histogram"))

    def swap(module):
        for name, child in list(module.named_children()):
            if not isinstance(child, nn.Conv2d):
                swap(child)
                continue
            layer = quant.QuantConv2d(
                child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding,
                child.dilation, child.groups, True,
            )
            layer.weight, layer.bias = child.weight, child.bias
            setattr(module, name, layer)

    swap(net)
    # As in its ResNet tutorial, the skip of a residual Add has a quantizer of its own.
    for one in net.modules():
        if isinstance(one, (signs.Bottleneck, signs.CIB)):
            one.residual_quantizer = quant.TensorQuantizer(quant.QuantConv2d.default_quant_desc_input)
    signs.Bottleneck.forward = lambda self, x: (
        self.residual_quantizer(x) + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))
    )
    signs.CIB.forward = lambda self, x: self.residual_quantizer(x) + self.cv1(x)
    quantizers = [one for one in net.modules() if isinstance(one, quant.TensorQuantizer)]
    for one in quantizers:
        one.disable_quant()
        one.enable_calib()
    pixels = torch.from_numpy(images())
    with torch.no_grad():
        for i in range(0, IMAGES, 8):
            net(pixels[i : i + 8])
    for one in quantizers:
        one.enable_quant()
        one.disable_calib()
        peak = isinstance(one._calibrator, calib.MaxCalibrator)
        if (one._calibrator._calib_amax if peak else one._calibrator._calib_hist) is None:
            one.disable()  # of the head that only training has
        else:
            one.load_calib_amax(*([] if peak else ["entropy"]))
    quant.TensorQuantizer.use_fb_fake_quant = True
    torch.onnx.export(
        net, (torch.zeros(2, 3, 192, 192),), path, opset_version=13, dynamo=False,
        input_names=["images"], output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
    )


def aimet(path):
    import aimet_onnx
    import lint

    sim = aimet_onnx.QuantizationSimModel(lint.model(), param_type=aimet_onnx.int8, activation_type=aimet_onnx.int8)
    sim.compute_encodings(lint.Reader().left)
    onnx.save(sim.to_onnx_qdq(), path)


def quark(path):
    import lint
    from quark.onnx import ModelQuantizer
    from quark.onnx.quantization.config import Config, get_default_config

    with tempfile.TemporaryDirectory() as folder:
        source = str(pathlib.Path(folder) / "tiny.onnx")
        onnx.save(lint.model(), source)
        ModelQuantizer(Config(global_quant_config=get_default_config("A8W8"))).quantize_model(source, path, lint.Reader())


def without_weights(path):
    """The file with weights of the fixture named instead of held: docString `fixture:NAME` or `half:NAME` (rounded to FP16)."""
    donors = {}
    for one in onnx.load(FIXTURE).graph.initializer:
        values = numpy_helper.to_array(one)
        if values.dtype == np.float32 and values.size > 64:
            donors[values.tobytes()] = f"fixture:{one.name}"
            donors.setdefault(values.astype(np.float16).tobytes(), f"half:{one.name}")
    model = onnx.load(path)
    for one in model.graph.initializer:
        donor = donors.get(numpy_helper.to_array(one).tobytes()) if one.data_type in (1, 10) else None
        if donor is not None:
            one.ClearField("raw_data")
            one.ClearField("float_data")
            one.ClearField("int32_data")
            one.doc_string = donor
    return model


if __name__ == "__main__":
    tool = sys.argv[1]
    if tool in ("aimet", "quark"):
        globals()[tool](str(OUT / f"tiny-{tool}.onnx"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            made = str(pathlib.Path(folder) / "made.onnx")
            globals()[tool.replace("-", "_")](made)
            bare = without_weights(made)
        data = gzip.compress(bare.SerializeToString(), 9, mtime=0)
        (OUT / f"signs-v10-{tool}.onnx.gz").write_bytes(data)
        print(len(data))
