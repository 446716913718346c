"""Each peer on a folder of JPEGs: `python -m benchmarks.peers FOLDER [ARCHITECTURE]`. A line of JSON each."""

import json
import sys
from pathlib import Path

from benchmarks.peers import PEERS, prepare, run_peer

architecture = sys.argv[2] if len(sys.argv) > 2 else "mobilenet_v3_small"
prepare(architecture)
for name in PEERS:
    print(json.dumps(run_peer(name, Path(sys.argv[1]), architecture=architecture)), flush=True)
