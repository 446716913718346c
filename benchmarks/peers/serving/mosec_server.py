"""mosec: a Rust front and two Python processes."""

import json

from mosec import Server, Worker
from peer_model import PeerModel


class Images(Worker):
    """Bytes in, JSON out."""

    def __init__(self) -> None:
        super().__init__()
        self.model = PeerModel()

    def deserialize(self, data: bytes) -> bytes:
        """The body is the image."""
        return data

    def forward(self, data: list[bytes]) -> list[dict[str, object]]:
        """A batch."""
        return self.model.predict(data)

    def serialize(self, data: dict[str, object]) -> bytes:
        """As JSON."""
        return json.dumps(data).encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Images, num=2, max_batch_size=8, max_wait_time=1)
    server.run()
