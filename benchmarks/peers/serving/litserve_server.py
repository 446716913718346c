"""LitServe: FastAPI in front, two worker processes."""

import sys

import litserve
from fastapi import Request
from peer_model import PeerModel


class Images(litserve.LitAPI):
    """A form's file in, JSON out."""

    def setup(self, device: str) -> None:
        """Open the graph."""
        self.model = PeerModel()

    def decode_request(self, request: Request) -> bytes:
        """The form's file."""
        return request["image"].file.read()

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """A list is what the model takes."""
        return inputs

    def predict(self, x: list[bytes]) -> list[dict[str, object]]:
        """A batch."""
        return self.model.predict(x)

    def unbatch(self, output: list[dict[str, object]]) -> list[dict[str, object]]:
        """It is one for each request already."""
        return output


if __name__ == "__main__":
    api = Images(max_batch_size=8, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="warning")
