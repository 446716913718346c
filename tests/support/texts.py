"""A module on texts and its tokenizer, as users have them; and a bundle of it, exported."""

import re
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

MAX_LENGTH = 12
SENTENCES = (
    "a wonderful film, warm and clever",
    "dull, slow and far too long",
    "the best acting in years",
    "I left before the end",
    "funny from start to finish",
    "",
    "a waste of two hours and of the money that I paid for it, and of the bus",
)


def tokenizer() -> Tokenizer:
    """A WordPiece tokenizer of the words and letters of these sentences, with [CLS] and [SEP], as BERT's."""
    text = " ".join(SENTENCES).lower()
    letters = sorted({letter for letter in text if letter.isalpha()})
    words = sorted({*re.findall(r"\w+|[^\w\s]", text)} - {*letters})
    parts = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {part: index for index, part in enumerate(parts)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no password
    made.add_special_tokens(parts[:4])
    made.normalizer = normalizers.BertNormalizer()  # type: ignore[assignment]
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    made.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def write_tokenizer(folder: Path) -> Path:
    """A folder as Hugging Face's `save_pretrained` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(f'{{"pad_token": "[PAD]", "model_max_length": {MAX_LENGTH}}}')
    return folder


class TextNet(pl.LightningModule):
    """Two classes from the mean of the tokens' embeddings."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(150, 8), nn.Linear(8, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.unsqueeze(-1).to(torch.float32)
        logits: Tensor = self.head((self.embedding(input_ids) * mask).sum(1) / mask.sum(1).clamp(min=1))
        return logits


class TokenVectors(TextNet):
    """A vector for each token, as encoders answer."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.embedding(input_ids) + 0 * attention_mask[:, :, None]


LABELS = ("O", "B-PART", "I-PART", "B-WHO", "I-WHO")


class Tagger(TextNet):
    """Scores of five labels for each token, by its embedding and that of the one before it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, len(LABELS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        found = 6 * self.embedding(input_ids) * attention_mask[:, :, None]
        before = nn.functional.pad(found, (0, 0, 1, 0))[:, :-1]
        scores: Tensor = self.head(torch.cat([found, before], dim=-1))
        return scores


def _cut() -> Tokenizer:
    made = tokenizer()
    made.enable_truncation(MAX_LENGTH)
    return made


def prepare(row: dict[str, Any]) -> dict[str, Any]:
    """Training's own way from a row to the inputs."""
    found = _cut().encode(row["text"])
    return {"input_ids": torch.tensor([found.ids]), "attention_mask": torch.tensor([found.attention_mask])}


def without_special(row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Another way."""
    found = _cut().encode(row["text"], add_special_tokens=False)
    return found.ids, found.attention_mask


def only_ids(row: dict[str, Any]) -> dict[str, Any]:
    """Without the mask."""
    return {"input_ids": _cut().encode(row["text"]).ids}


def eager(text: str) -> list[float]:
    """What the module answers for a text alone."""
    made = prepare({"text": text})
    with torch.no_grad():
        found: list[float] = torch.softmax(TextNet().eval()(**made), dim=-1)[0].tolist()
    return found


def text_bundle(
    folder: Path, *, facts: str = "task: text-classification\nlabels: [bad, good]\n", **options: Any
) -> Path:
    """A bundle of the module, exported."""
    from lit_export import Options, export

    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(facts)
    given = {"factory": "tests.support.texts:TextNet", "tokenizer": write_tokenizer(folder / "tok"), **options}
    export(None, ["onnx"], out=folder / "bundle", options=Options(spec=spec, **given))
    return folder / "bundle"
