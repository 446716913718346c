"""In the torch environment: write an architecture as ONNX with float input, and its random weights."""

import json
import sys
from pathlib import Path

import torch
import torchvision

architecture, path = sys.argv[1], Path(sys.argv[2])
torch.manual_seed(0)
network = torchvision.models.get_model(architecture, weights=None).eval()
torch.save(network.state_dict(), path.with_suffix(".pth"))
unfinished = path.with_suffix(".unfinished")
torch.onnx.export(
    network,
    (torch.zeros(2, 3, 224, 224),),
    str(unfinished),
    input_names=["images"],
    output_names=["logits"],
    dynamic_shapes=({0: torch.export.Dim("batch")},),
    external_data=False,
    verbose=False,
)
unfinished.rename(path)
print(json.dumps({"made": str(path)}))
