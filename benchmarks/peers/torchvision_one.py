"""In the torch environment: the shortest script that answers for one image. Its wall time is measured from outside."""

import json
import sys

import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2

path, architecture, weights = sys.argv[1:]
model = torchvision.models.get_model(architecture, weights=None)
model.load_state_dict(torch.load(weights, weights_only=True))
model.eval()
transform = v2.Compose(
    [
        v2.Resize(256),
        v2.CenterCrop(224),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
with torch.inference_mode():
    scores = model(transform(Image.open(path).convert("RGB"))[None]).softmax(1)[0]
print(json.dumps({"top": scores.topk(5).indices.tolist()}))
