"""What PyTorch has and jitnet has not: the names can be imported; to use one says what to do.

So a program that imports more than it uses runs, and one that uses it learns what is there instead.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from .errors import at_line
from .other_names import also
from .typed import ON_GPU


@dataclass(frozen=True)
class Absent:
    """A module that is not there: its names, and what a person can do."""

    names: str
    instead: str


_GRAPHS = "fn.dump('graph') prints the graph of a function that jitnet.compile compiled"
_EXPORT = "save model.state_dict(), load it in PyTorch, and export the model from there"
_PROCESSES = "jitnet trains in one process: jitnet.distributed knows a group of one"

ABSENT = {
    "_C": Absent("Graph Node Value", "jitnet has no parts in C++"),
    "ao": Absent("", "jitnet has no quantization: float16 and bfloat16 are its small types"),
    "ao.quantization": Absent(
        "quantize quantize_dynamic prepare prepare_qat convert QConfig get_default_qconfig "
        "get_default_qat_qconfig default_qconfig fuse_modules QuantStub DeQuantStub float_qparams_"
        "weight_only_qconfig",
        "jitnet has no quantization: float16 and bfloat16 are its small types",
    ),
    "distributed.autograd": Absent("backward context get_gradients", _PROCESSES),
    "distributed.checkpoint": Absent(
        "FileSystemReader FileSystemWriter load load_state_dict save save_state_dict",
        "use jitnet.save and jitnet.load",
    ),
    "distributed.fsdp": Absent(
        "BackwardPrefetch CPUOffload FSDPModule FullStateDictConfig FullyShardedDataParallel "
        "LocalStateDictConfig MixedPrecision MixedPrecisionPolicy ShardingStrategy StateDictType "
        "fully_shard",
        _PROCESSES,
    ),
    "distributed.nn": Absent("all_gather all_reduce broadcast reduce_scatter", _PROCESSES),
    "distributed.optim": Absent("DistributedOptimizer ZeroRedundancyOptimizer", _PROCESSES),
    "distributed.rpc": Absent(
        "RRef TensorPipeRpcBackendOptions get_worker_info init_rpc remote rpc_async rpc_sync "
        "shutdown",
        _PROCESSES,
    ),
    "distributed.tensor": Absent(
        "DTensor DeviceMesh Partial Replicate Shard distribute_module distribute_tensor", _PROCESSES
    ),
    "distributed.tensor.parallel": Absent(
        "ColwiseParallel RowwiseParallel SequenceParallel parallelize_module", _PROCESSES
    ),
    "export": Absent("Dim ExportedProgram export export_for_training load save", _EXPORT),
    "fx": Absent(
        "Graph GraphModule Interpreter Node Proxy Tracer Transformer replace_pattern "
        "symbolic_trace",
        _GRAPHS,
    ),
    "library": Absent(
        "Library custom_op get_ctx impl opcheck register_fake register_kernel triton_op "
        "wrap_triton",
        "a function of jitnet's own, or an autograd.Function, takes an op's place",
    ),
    "nested": Absent(
        "as_nested_tensor nested_tensor nested_tensor_from_jagged to_padded_tensor",
        "pad to one length and pass a mask, or use nn.utils.rnn.pack_padded_sequence",
    ),
    "onnx": Absent(
        "ExportOptions ONNXProgram OnnxRegistry OperatorExportTypes TrainingMode dynamo_export "
        "export",
        _EXPORT,
    ),
    "quantization": Absent(
        "QuantStub DeQuantStub convert fuse_modules get_default_qconfig prepare prepare_qat "
        "quantize_dynamic",
        "jitnet has no quantization: float16 and bfloat16 are its small types",
    ),
    "utils.cpp_extension": Absent(
        "BuildExtension CUDAExtension CUDA_HOME CppExtension load load_inline",
        "jitnet.compile fuses what a kernel of one's own would; write it with jitnet's functions",
    ),
    "utils.mobile_optimizer": Absent("optimize_for_mobile", _EXPORT),
}


def absent(path: str, instead: str) -> type:
    """Return a class that stands for a name: it can be asked about, but not called or made."""

    def refuse(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(at_line(f"there is no jitnet.{path}: {instead}"))

    name = path.rpartition(".")[2]
    return type(name, (), {"__new__": refuse, "__doc__": f"Not there: {instead}."})


def install() -> None:
    """Put the modules into sys.modules, and into the modules that they belong to."""
    for path, what in ABSENT.items():
        module = ModuleType(f"jitnet.{path}", f"Not there: {what.instead}.")
        for name in what.names.split():
            setattr(module, name, absent(f"{path}.{name}", what.instead))
        owner, _, name = module.__name__.rpartition(".")
        also(owner, **{name: module})
        setattr(sys.modules[owner], name, module)
    for name, made in ON_GPU.items():
        setattr(sys.modules["jitnet.cuda"], name, made)
    sys.modules["jitnet.fx"].wrap = lambda function: function  # type: ignore[attr-defined]
