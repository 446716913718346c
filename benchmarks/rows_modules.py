"""The rows of `modules_of_rows.py`: modules of texts, tables and arrays, and how their users prepare rows for them."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import yaml
from torch import Tensor, nn

_CLASSES, _VECTORS, _ARRAYS = "text-classification", "text-embedding", "tensor"
_TABLE_CLASSES, _TABLE_VALUES = "tabular-classification", "tabular-regression"


@dataclass(frozen=True)
class Prepared:
    """A file of rows, and the same rows as the user's own code prepares them for the module."""

    file: Path
    inputs: Mapping[str, Any]
    count: int
    options: Mapping[str, Any]
    """Of the export."""
    by_name: bool = True
    """Whether the module gets its inputs by name."""
    pooled: Callable[[Tensor], Tensor] | None = None
    """Of an encoder: what the user makes of its vectors for each token."""


@dataclass(frozen=True)
class Row:
    """A module, and what its user has."""

    name: str
    task: str
    suffix: str
    make: Callable[[], nn.Module]
    prepare: Callable[[Path], Prepared]


def rows() -> Iterator[Row]:
    """All of them, by task."""
    for group in (
        _text_classifiers,
        _text_encoders,
        _own_text,
        _tables,
        _tabular_library,
        _arrays,
        _forecasters,
        _graphs,
    ):
        yield from group()


class Wrapped(pl.LightningModule):
    """As a user wraps a library's network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Any:
        """Whatever it answers."""
        return self.network(*inputs)


# Texts


class Logits(Wrapped):
    """A classifier of transformers that takes ids and their mask."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """Its logits."""
        return self.network(input_ids=input_ids, attention_mask=attention_mask).logits


class TypedLogits(Wrapped):
    """One that takes the types of tokens as well."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """Its logits."""
        return self.network(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


class Keywords(Wrapped):
    """As in Lightning's own examples: whatever the tokenizer answers; the whole output."""

    def forward(self, **inputs: Tensor) -> Any:
        """An output of transformers."""
        return self.network(**inputs)


class Vectors(Wrapped):
    """An encoder's vectors for each token."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """All of them."""
        return self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


_WORDS = [
    *("a", "the", "film", "actors", "story", "music", "was", "is", "warm", "clever", "dull", "slow", "terrible", "and"),
    *("but", "not", "very", "I", "liked", "left", "before", "best", "worst", "in", "years", "money", "naïve", "café"),
    *("2024", "10,000"),
]
_LONGEST = 24


def sentences(count: int = 40, seed: int = 0) -> list[str]:
    """Of one to forty words, so that some are cut; and some odd ones."""
    random = np.random.default_rng(seed)
    made = [" ".join(random.choice(_WORDS, int(random.integers(1, 40)))) for _ in range(count - 3)]
    return [*made, "?", "日本語 🙂 und Ärger!", "  spaces   and\ttabs "]


def _tokenizer(kind: str, folder: Path) -> Any:
    """One of transformers' own, trained on such sentences and saved as users save it."""
    import transformers

    made = getattr(transformers, kind)().train_new_from_iterator(sentences(200, seed=1), vocab_size=300)
    made.model_max_length = _LONGEST
    if made.pad_token is None:
        made.pad_token = made.eos_token
    made.save_pretrained(folder)
    return made


def write_rows(path: Path, names: list[str], values: list[list[Any]]) -> Path:
    """A table as .csv, .jsonl or .parquet; or lines as .txt."""
    lines = [dict(zip(names, row, strict=True)) for row in values]
    if path.suffix == ".txt":
        path.write_text("".join(f"{row[0]}\n" for row in values))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(lines), path)
    else:
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerows([names, *([("" if value is None else value) for value in row] for row in values)])
    return path


@dataclass(frozen=True)
class Sentences:
    """Sentences in a file, and the user's call of the tokenizer over all of them."""

    task: str
    suffix: str
    kind: str
    """The class of the tokenizer."""
    takes: tuple[str, ...]
    """What of its answer the module gets."""
    spec: str = ""
    pair: bool = False
    pooled: str | None = None

    def prepare(self, folder: Path) -> Prepared:
        """For the module."""
        tokenizer = _tokenizer(self.kind, folder / "tok")
        columns = {"text": sentences(), **({"other": sentences(seed=2)[::-1]} if self.pair else {})}
        batch = tokenizer(
            *columns.values(),
            padding="max_length" if "fixed" in self.spec else True,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
            return_token_type_ids=True,
        )
        (folder / "spec.yaml").write_text(f"task: {self.task}\n{self.spec}")
        mask = batch["attention_mask"][:, :, None].float()

        def pool(vectors: Tensor) -> Tensor:
            if self.pooled == "first":
                return vectors[:, 0]
            return (vectors * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

        values = list(map(list, zip(*columns.values(), strict=True)))
        return Prepared(
            file=write_rows(folder / f"rows{self.suffix}", list(columns), values),
            inputs={name: batch[name] for name in self.takes},
            count=len(batch["input_ids"]),
            options={"spec": folder / "spec.yaml", "tokenizer": folder / "tok"},
            pooled=pool if self.pooled else None,
        )


def _text_row(name: str, task: str, suffix: str, make: Callable[[], nn.Module], **settings: Any) -> Row:
    return Row(name, task, suffix, make, Sentences(task, suffix, **settings).prepare)


def _transformers(
    wrapper: type[Wrapped], name: str, config: str, settings: Mapping[str, Any]
) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import transformers

        made = wrapper(getattr(transformers, name)(getattr(transformers, config)(**settings)))
        with torch.no_grad():  # else all texts have nearly one answer
            for parameter in made.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(4)
        return made

    return make


_SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "num_labels": 3,
}
_IDS = ("input_ids", "attention_mask")
_TYPED = (*_IDS, "token_type_ids")
_FORMER = {"vocab_size": 320, "num_labels": 3}


def _text_classifiers() -> Iterator[Row]:
    for name, wrapper, settings, suffix, tokens, takes in (
        ("Bert", TypedLogits, _SMALL, ".txt", "BertTokenizer", _TYPED),
        (
            "DistilBert",
            Logits,
            _FORMER | {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
            ".csv",
            "BertTokenizer",
            _IDS,
        ),
        ("Roberta", Logits, _SMALL | {"pad_token_id": 0}, ".jsonl", "RobertaTokenizer", _IDS),
        ("Albert", TypedLogits, _SMALL | {"embedding_size": 16}, ".parquet", "AlbertTokenizer", _TYPED),
        ("Electra", TypedLogits, _SMALL | {"embedding_size": 16}, ".txt", "BertTokenizer", _TYPED),
        (
            "DebertaV2",
            TypedLogits,
            _SMALL | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
            ".csv",
            "DebertaV2Tokenizer",
            _TYPED,
        ),
        ("MPNet", Logits, _SMALL | {"pad_token_id": 3}, ".jsonl", "MPNetTokenizer", _IDS),
        (
            "XLNet",
            Logits,
            _FORMER | {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
            ".parquet",
            "XLNetTokenizer",
            _IDS,
        ),
        (
            "GPT2",
            Logits,
            _FORMER | {"n_embd": 32, "n_layer": 2, "n_head": 4, "pad_token_id": 0},
            ".txt",
            "GPT2Tokenizer",
            _IDS,
        ),
        (
            "ModernBert",
            Logits,
            _SMALL | {"pad_token_id": 0, "attn_implementation": "sdpa"},
            ".csv",
            "BertTokenizer",
            _IDS,
        ),
        (
            "Funnel",
            TypedLogits,
            _FORMER | {"d_model": 32, "block_sizes": [1, 1], "n_head": 4, "d_head": 8, "d_inner": 64},
            ".jsonl",
            "BertTokenizer",
            _TYPED,
        ),
        ("FNet", Logits, _SMALL, ".csv", "BertTokenizer", ("input_ids",)),
        ("SqueezeBert", Logits, _SMALL | {"embedding_size": 32}, ".csv", "BertTokenizer", _IDS),
        ("Llama", Logits, _SMALL | {"pad_token_id": 0, "num_key_value_heads": 2}, ".csv", "GPT2Tokenizer", _IDS),
    ):
        yield _text_row(
            f"transformers {name}ForSequenceClassification",
            _CLASSES,
            suffix,
            _transformers(
                Only if takes == ("input_ids",) else wrapper,
                f"{name}ForSequenceClassification",
                f"{name}Config",
                settings,
            ),
            kind=tokens,
            takes=takes,
        )
    make = _transformers(TypedLogits, "BertForSequenceClassification", "BertConfig", _SMALL)
    spec = "fields: {text: {pair: other}}\n"
    yield _text_row(
        "transformers Bert, pairs of texts",
        _CLASSES,
        ".parquet",
        make,
        kind="BertTokenizer",
        takes=_TYPED,
        spec=spec,
        pair=True,
    )
    funnel = _FORMER | {"d_model": 32, "block_sizes": [1, 1], "n_head": 4, "d_head": 8, "d_inner": 64}
    make = _transformers(TypedLogits, "FunnelForSequenceClassification", "FunnelConfig", funnel)
    settings = {"kind": "BertTokenizer", "takes": _TYPED, "spec": "fields: {text: {padding: fixed}}\n"}
    yield _text_row("transformers Funnel, padded to one length", _CLASSES, ".csv", make, **settings)
    make = _transformers(Keywords, "BertForSequenceClassification", "BertConfig", _SMALL)
    spec = "fields: {text: {inputs: {input_ids: ids, attention_mask: mask}}}\n"
    yield _text_row(
        "transformers Bert, forward(**inputs)", _CLASSES, ".csv", make, kind="BertTokenizer", takes=_IDS, spec=spec
    )


class Only(Wrapped):
    """A classifier that takes no mask."""

    def forward(self, input_ids: Tensor) -> Any:
        """Its logits."""
        return self.network(input_ids=input_ids).logits


def _text_encoders() -> Iterator[Row]:
    small = {name: value for name, value in _SMALL.items() if name != "num_labels"}
    t5 = {"vocab_size": 320, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    for name, made, settings, suffix, tokens, pooling in (
        ("BertModel", "BertConfig", small, ".parquet", "BertTokenizer", "mean"),
        ("BertModel", "BertConfig", small, ".txt", "BertTokenizer", "first"),
        ("MPNetModel", "MPNetConfig", small | {"pad_token_id": 3}, ".csv", "MPNetTokenizer", "mean"),
        ("T5EncoderModel", "T5Config", t5, ".jsonl", "T5Tokenizer", "mean"),
    ):
        yield _text_row(
            f"transformers {name}, {pooling}",
            _VECTORS,
            suffix,
            _transformers(Vectors, name, made, settings),
            kind=tokens,
            takes=_IDS,
            spec=f"answers: {{pooling: {pooling}}}\n",
            pooled=pooling,
        )
    yield _text_row(
        "sentence encoder: MiniLM-like, mean, normalised",
        _VECTORS,
        ".csv",
        lambda: SentenceEncoder(small),
        kind="BertTokenizer",
        takes=_IDS,
    )


class SentenceEncoder(Wrapped):
    """As sentence-transformers are: the mean of the tokens that are no padding, of length 1."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(_transformers(Vectors, "BertModel", "BertConfig", settings)())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """Vectors [batch, size]."""
        mask = attention_mask[:, :, None].float()
        vectors = (self.network(input_ids, attention_mask) * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(vectors, dim=-1)


def _own_text() -> Iterator[Row]:
    yield _text_row(
        "own bag of words, EmbeddingBag", _CLASSES, ".txt", BagOfWords, kind="BertTokenizer", takes=("input_ids",)
    )
    yield _text_row("own LSTM over packed lengths", _CLASSES, ".csv", LstmText, kind="BertTokenizer", takes=_IDS)
    yield _text_row(
        "own TextCNN",
        _CLASSES,
        ".jsonl",
        TextCnn,
        kind="BertTokenizer",
        takes=("input_ids",),
        spec="fields: {text: {padding: fixed}}\n",
    )
    yield _text_row(
        "own Transformer encoder, padding mask", _CLASSES, ".parquet", OwnTransformer, kind="BertTokenizer", takes=_IDS
    )


class BagOfWords(pl.LightningModule):
    """The mean of the words' vectors, without the padding."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.EmbeddingBag(320, 16, padding_idx=0, mode="mean"), nn.Linear(16, 3)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.body(input_ids))
        return logits


class LstmText(pl.LightningModule):
    """The last state of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(320, 16, padding_idx=0)
        self.body, self.head = nn.LSTM(16, 16, batch_first=True, bidirectional=True), nn.Linear(32, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(input_ids), attention_mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, (state, _) = self.body(packed)
        logits: Tensor = self.head(torch.cat([state[0], state[1]], -1))
        return logits


class TextCnn(pl.LightningModule):
    """The largest of three widths of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(320, 16, padding_idx=0)
        self.widths, self.head = nn.ModuleList(nn.Conv1d(16, 8, width) for width in (2, 3, 4)), nn.Linear(24, 3)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits."""
        words = self.words(input_ids).transpose(1, 2)
        logits: Tensor = self.head(torch.cat([one(words).relu().amax(-1) for one in self.widths], -1))
        return logits


class OwnTransformer(pl.LightningModule):
    """torch's own encoder, with its mask of padding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(320, 32), nn.Embedding(64, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One logit for each text."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        made = self.body(self.words(input_ids) + self.places(places), src_key_padding_mask=attention_mask == 0)
        logits: Tensor = self.head(made[:, 0]).squeeze(-1)
        return logits


# Tables


_JOBS, _TOWNS = ("cook", "smith", "nurse"), ("Bern", "Basel", "Chur", "Genf")


def people(count: int = 50, seed: int = 0) -> list[dict[str, Any]]:
    """Rows with numbers, some missing, and categories."""
    random = np.random.default_rng(seed)
    return [
        {
            "age": None if random.random() < 0.1 else round(float(random.uniform(18, 90)), 1),
            "income": round(float(random.lognormal(8, 1)), 2),
            "children": int(random.integers(0, 5)),
            "job": str(random.choice(_JOBS)),
            "town": str(random.choice(_TOWNS)),
        }
        for _ in range(count)
    ]


def _fitted() -> tuple[Any, Any]:
    """scikit-learn's, fitted on other people: a scaler behind an imputer, and an encoder."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    training = people(200, seed=1)
    numbers = make_pipeline(SimpleImputer(), StandardScaler()).fit(_matrix(training, _NUMBERS, float))
    return numbers, OrdinalEncoder().fit(_matrix(training, _CATEGORIES, object))


_NUMBERS, _CATEGORIES = ("age", "income", "children"), ("job", "town")


def _matrix(given: list[dict[str, Any]], names: tuple[str, ...], dtype: Any) -> Any:
    return np.array([[np.nan if row[name] is None else row[name] for name in names] for row in given], dtype=dtype)


def people_transformer() -> Any:
    """The same as one ColumnTransformer with one-hot categories, as `--columns` takes it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    made = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [0, 1, 2]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), [3, 4]),
        ]
    )
    return made.fit(_matrix(people(200, seed=1), (*_NUMBERS, *_CATEGORIES), object))


def _people(folder: Path, *, task: str, suffix: str, order: tuple[str, ...]) -> Prepared:
    """Numbers and categories as two inputs, by the facts of what was fitted."""
    numbers, encoder = _fitted()
    imputer, scaler = numbers[0], numbers[1]
    columns: list[dict[str, Any]] = [
        {"name": name, "number": {"mean": float(mean), "scale": float(scale), "missing": float(missing)}}
        for name, mean, scale, missing in zip(_NUMBERS, scaler.mean_, scaler.scale_, imputer.statistics_, strict=True)
    ]
    columns += [
        {"name": name, "category": {"vocabulary": list(map(str, known))}}
        for name, known in zip(_CATEGORIES, encoder.categories_, strict=True)
    ]
    of = {"numbers": list(_NUMBERS), "categories": list(_CATEGORIES)}
    facts = {"task": task, "fields": {"columns": columns, "inputs": {name: of[name] for name in order}}}
    (folder / "spec.yaml").write_text(yaml.safe_dump(facts, sort_keys=False))
    given = people()
    made = {
        "numbers": torch.tensor(numbers.transform(_matrix(given, _NUMBERS, float)), dtype=torch.float32),
        "categories": torch.tensor(encoder.transform(_matrix(given, _CATEGORIES, object)), dtype=torch.int64),
    }
    names = [*_NUMBERS, *_CATEGORIES]
    return Prepared(
        file=write_rows(folder / f"people{suffix}", names, [[row[name] for name in names] for row in given]),
        inputs={name: made[name] for name in order},
        count=len(given),
        options={"spec": folder / "spec.yaml"},
        by_name=False,
    )


def _one_hot(folder: Path, *, task: str, suffix: str) -> Prepared:
    """One input, by a ColumnTransformer."""
    given, names = people(), [*_NUMBERS, *_CATEGORIES]
    prepared = people_transformer().transform(_matrix(given, tuple(names), object))
    dense = prepared.toarray() if hasattr(prepared, "toarray") else prepared
    (folder / "spec.yaml").write_text(f"task: {task}\n")
    columns = [f"x{place}" for place in range(len(names))]
    return Prepared(
        file=write_rows(folder / f"people{suffix}", columns, [[row[name] for name in names] for row in given]),
        inputs={"rows": torch.tensor(np.asarray(dense, dtype=np.float32))},
        count=len(given),
        options={"spec": folder / "spec.yaml", "columns": "benchmarks.rows_modules:people_transformer"},
        by_name=False,
    )


def tumours() -> Any:
    """A scaler of scikit-learn's breast cancer set, as `--columns` takes it."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(load_breast_cancer().data)


def diabetes() -> Any:
    """The same of its diabetes set."""
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import MinMaxScaler

    return MinMaxScaler().fit(load_diabetes(scaled=False).data)


def _scaled(folder: Path, *, task: str, suffix: str, name: str, scaler: Callable[[], Any]) -> Prepared:
    from sklearn import datasets

    data = datasets.load_breast_cancer().data if name == "tumours" else datasets.load_diabetes(scaled=False).data
    data = data[:50]
    (folder / "spec.yaml").write_text(f"task: {task}\n")
    return Prepared(
        file=write_rows(folder / f"rows{suffix}", [f"x{place}" for place in range(data.shape[1])], data.tolist()),
        inputs={"rows": torch.tensor(scaler().transform(data), dtype=torch.float32)},
        count=len(data),
        options={"spec": folder / "spec.yaml", "columns": f"benchmarks.rows_modules:{name}"},
        by_name=False,
    )


def _tables() -> Iterator[Row]:
    def mlp(inputs: int, outputs: int) -> nn.Module:
        layers = nn.Sequential(nn.Linear(inputs, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Linear(32, outputs))
        return Wrapped(layers)

    def table(name: str, task: str, suffix: str, make: Callable[[], nn.Module], **settings: Any) -> Row:
        return Row(name, task, suffix, make, lambda folder: _people(folder, task=task, suffix=suffix, **settings))

    yield Row(
        "own MLP with batch norm, StandardScaler",
        _TABLE_CLASSES,
        ".csv",
        lambda: mlp(30, 2),
        lambda folder: _scaled(folder, task=_TABLE_CLASSES, suffix=".csv", name="tumours", scaler=tumours),
    )
    yield Row(
        "own MLP, one logit, ColumnTransformer one-hot",
        _TABLE_CLASSES,
        ".csv",
        lambda: mlp(10, 1),
        lambda folder: _one_hot(folder, task=_TABLE_CLASSES, suffix=".csv"),
    )
    yield Row(
        "own quantile regression, sorted",
        _TABLE_VALUES,
        ".parquet",
        lambda: Quantiles(mlp(10, 5)),
        lambda folder: _scaled(folder, task=_TABLE_VALUES, suffix=".parquet", name="diabetes", scaler=diabetes),
    )
    yield Row(
        "own survival, discrete hazards (Logistic-Hazard)",
        _TABLE_VALUES,
        ".jsonl",
        lambda: Survival(mlp(10, 6)),
        lambda folder: _scaled(folder, task=_TABLE_VALUES, suffix=".jsonl", name="diabetes", scaler=diabetes),
    )
    order = ("numbers", "categories")
    yield table("own TabTransformer", _TABLE_CLASSES, ".jsonl", TabTransformer, order=order)
    yield table("rtdl FTTransformer", _TABLE_CLASSES, ".parquet", _rtdl, order=order)
    yield table("own recommender, EmbeddingBag and dot product", _TABLE_VALUES, ".csv", Recommender, order=order)


class Quantiles(Wrapped):
    """That never cross."""

    def forward(self, rows: Tensor) -> Tensor:
        """Five quantiles."""
        return torch.sort(self.network(rows), dim=-1).values


class Survival(Wrapped):
    """The probability to be there after each of six years."""

    def forward(self, rows: Tensor) -> Tensor:
        """Shares [batch, years]."""
        return torch.cumprod(1 - torch.sigmoid(self.network(rows)), dim=-1)


class TabTransformer(pl.LightningModule):
    """Attention over the categories, beside the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(len(one), 16) for one in (_JOBS, _TOWNS))
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(3), nn.Sequential(nn.Linear(35, 16), nn.GELU(), nn.Linear(16, 3))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Logits."""
        tokens = torch.stack([table(categories[:, place]) for place, table in enumerate(self.tables)], 1)
        logits: Tensor = self.head(torch.cat([self.norm(numbers), self.body(tokens).flatten(1)], -1))
        return logits


class Recommender(pl.LightningModule):
    """The user's vector times the item's, and biases."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.EmbeddingBag(3, 8, mode="sum"), nn.EmbeddingBag(4, 8, mode="sum")
        self.context = nn.Linear(3, 1)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """A rating for each row."""
        dot = (self.users(categories[:, :1]) * self.items(categories[:, 1:])).sum(-1)
        return 1 + 4 * torch.sigmoid(dot + self.context(numbers).squeeze(-1))


def _rtdl() -> nn.Module:
    import rtdl_revisiting_models as rtdl

    sizes = rtdl.FTTransformer.get_default_kwargs(1)
    network = rtdl.FTTransformer(n_cont_features=3, cat_cardinalities=[3, 4], d_out=3, **sizes)
    return Wrapped(network)


class TakesDict(Wrapped):
    """pytorch-tabular's take a dict."""

    def forward(self, numbers: Tensor, categories: Tensor) -> Any:
        """Its logits."""
        return self.network({"continuous": numbers, "categorical": categories})["logits"]


def _tabular_library() -> Iterator[Row]:
    for name, task, suffix, settings in (
        ("CategoryEmbeddingModel", _TABLE_CLASSES, ".csv", {"layers": "32-16"}),
        ("TabNetModel", _TABLE_CLASSES, ".jsonl", {"n_d": 8, "n_a": 8}),
        (
            "FTTransformerModel",
            _TABLE_VALUES,
            ".parquet",
            {"input_embed_dim": 16, "num_heads": 4, "num_attn_blocks": 2},
        ),
        ("TabTransformerModel", _TABLE_CLASSES, ".csv", {"input_embed_dim": 16, "num_heads": 4, "num_attn_blocks": 2}),
        ("GANDALFModel", _TABLE_VALUES, ".csv", {"gflu_stages": 2}),
        ("AutoIntModel", _TABLE_CLASSES, ".parquet", {"attn_embed_dim": 8, "num_heads": 2, "num_attn_blocks": 2}),
        ("DANetModel", _TABLE_CLASSES, ".csv", {"n_layers": 4}),
    ):
        yield Row(
            f"pytorch-tabular {name}",
            task,
            suffix,
            lambda name=name, task=task, settings=settings: _pytorch_tabular(name, task, settings),  # type: ignore[misc]
            lambda folder, task=task, suffix=suffix: _people(  # type: ignore[misc]
                folder, task=task, suffix=suffix, order=("numbers", "categories")
            ),
        )


def _pytorch_tabular(name: str, task: str, settings: Mapping[str, Any]) -> nn.Module:
    from omegaconf import OmegaConf
    from pytorch_tabular import models
    from pytorch_tabular.config import DataConfig, InferredConfig, OptimizerConfig, TrainerConfig

    kind = "classification" if task == _TABLE_CLASSES else "regression"
    has_model = hasattr(models, f"{name}Config")
    config = getattr(models, f"{name if has_model else name.removesuffix('Model')}Config")(task=kind, **settings)
    data = DataConfig(target=["y"], continuous_cols=list(_NUMBERS), categorical_cols=list(_CATEGORIES))
    inferred = InferredConfig(
        categorical_dim=2,
        continuous_dim=3,
        output_dim=3 if kind == "classification" else 1,
        output_cardinality=[3] if kind == "classification" else None,
        categorical_cardinality=[3, 4],
        embedding_dims=[(3, 2), (4, 2)],
    )
    parts = (data, TrainerConfig(), OptimizerConfig(), config)
    merged = OmegaConf.merge(*(OmegaConf.to_container(OmegaConf.structured(one)) for one in parts))
    return TakesDict(getattr(models, name)(config=merged, inferred_config=OmegaConf.structured(inferred)))


# Arrays


def _written(folder: Path, suffix: str, arrays: Mapping[str, Any]) -> Path:
    path = folder / f"rows{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    elif suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    elif suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file(dict(arrays), path)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({name: list(array.reshape(len(array), -1)) for name, array in arrays.items()}), path)
    return path


def _array_row(name: str, suffix: str, make: Callable[[], nn.Module], **shapes: Any) -> Row:
    """`shapes`: of each input without its rows; whole numbers below the last where it is in a pair."""

    def prepare(folder: Path) -> Prepared:
        random = np.random.default_rng(0)
        arrays = {}
        for called, shape in shapes.items():
            if isinstance(shape[0], tuple):
                arrays[called] = random.integers(0, shape[1], (20, *shape[0]))
            else:
                arrays[called] = random.normal(size=(20, *shape)).astype(np.float32)
        np.savez(folder / "proof.npz", **arrays)
        return Prepared(
            file=_written(folder, suffix, arrays),
            inputs=arrays,
            count=20,
            options={"input_file": folder / "proof.npz"},
        )

    return Row(name, _ARRAYS, suffix, make, prepare)


def _arrays() -> Iterator[Row]:
    yield _array_row("own LSTM tagger", ".npz", Tagger, tokens=((12,), 30))
    yield _array_row("own GRU forecaster", ".parquet", Gru, series=(24, 3))
    yield _array_row("own autoencoder, two outputs", ".safetensors", Autoencoder, x=(40,))
    yield _array_row("own seq2seq, greedy decoder of eight steps", ".npz", Seq2Seq, source=((10,), 30))
    yield _array_row(
        "own torch Transformer, encoder and decoder", ".npz", EncoderDecoder, source=((10,), 30), target=((6,), 30)
    )
    yield _array_row("own VAE, mean and deviation", ".npy", Vae, x=(40,))
    yield _array_row("own Neural ODE, Runge-Kutta", ".npy", Ode, state=(4,))
    for name, settings in (("Wav2Vec2", {}), ("Hubert", {})):
        yield _array_row(
            f"transformers {name}ForSequenceClassification", ".npy", _audio(name, settings), input_values=(2000,)
        )


class Tagger(pl.LightningModule):
    """A tag for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(30, 16), nn.LSTM(16, 16, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [batch, tokens, tags]."""
        logits: Tensor = self.head(self.body(self.words(tokens))[0])
        return logits


class Gru(pl.LightningModule):
    """The next value."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 3)

    def forward(self, series: Tensor) -> Tensor:
        """[batch, values]."""
        mean = series.mean(1, keepdim=True)
        found: Tensor = self.head(self.body(series - mean)[1][-1]) + mean[:, 0]
        return found


class Autoencoder(pl.LightningModule):
    """What it makes of its input, and how far that is off."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(nn.Linear(40, 8), nn.ReLU()), nn.Linear(8, 40)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """By name; `mean` is an operator's name too."""
        made = self.decoder(self.encoder(x))
        return {"reconstruction": made, "mean": (made - x).square().mean(-1)}


class Vae(pl.LightningModule):
    """Without its sampling, as in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(40, 16), nn.Linear(16, 4), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 2, 4]."""
        inner = torch.tanh(self.body(x))
        return torch.stack([self.mean(inner), (0.5 * self.spread(inner)).exp()], 1)


class Ode(pl.LightningModule):
    """Twenty steps of a Runge-Kutta method over a network."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))

    def forward(self, state: Tensor) -> Tensor:
        """The state at the end."""
        for _ in range(20):
            one = self.slope(state)
            two = self.slope(state + 0.05 * one)
            state = state + 0.1 * two
        return state


class Seq2Seq(pl.LightningModule):
    """Each step takes the best token of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.encoder = nn.Embedding(30, 16), nn.GRU(16, 16, batch_first=True)
        self.decoder, self.head = nn.GRUCell(16, 16), nn.Linear(16, 30)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [batch, 8] and their logits."""
        state = self.encoder(self.words(source))[1][0]
        token, tokens, logits = source.new_zeros(source.shape[0]), [], []
        for _ in range(8):
            state = self.decoder(self.words(token), state)
            scores = self.head(state)
            token = scores.argmax(-1)
            tokens.append(token)
            logits.append(scores)
        return torch.stack(tokens, 1), torch.stack(logits, 1)


class EncoderDecoder(pl.LightningModule):
    """torch's own, with its causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.body = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [batch, tokens, words]."""
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        logits: Tensor = self.head(self.body(self.words(source), self.words(target), tgt_mask=mask))
        return logits


def _audio(name: str, settings: Mapping[str, Any]) -> Callable[[], nn.Module]:
    class Heard(Wrapped):
        """Of waves of one length."""

        def forward(self, input_values: Tensor) -> Any:
            """Logits."""
            return self.network(input_values).logits

    small = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "conv_dim": [16, 16, 16],
        "conv_stride": [5, 4, 4],
        "conv_kernel": [10, 8, 4],
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
        "num_labels": 4,
        "classifier_proj_size": 16,
    }
    return _transformers(Heard, f"{name}ForSequenceClassification", f"{name}Config", small | settings)


def _forecasters() -> Iterator[Row]:
    for name in ("NBEATSModel", "TCNModel", "TiDEModel", "TransformerModel", "BlockRNNModel"):
        yield _array_row(f"darts {name}", ".npz", lambda name=name: _darts(name), past=(24, 1))  # type: ignore[misc]
    for name in ("NHITS", "NBEATS", "TiDE", "PatchTST", "DLinear"):
        yield _array_row(f"neuralforecast {name}", ".parquet", lambda name=name: _nixtla(name), insample_y=(24, 1))  # type: ignore[misc]
    yield _array_row("pytorch-forecasting NBeats", ".npz", lambda: _pytorch_forecasting("NBeats"), encoder=(24, 1))
    yield _array_row(
        "pytorch-forecasting TemporalFusionTransformer",
        ".npz",
        lambda: _pytorch_forecasting("TemporalFusionTransformer"),
        encoder=(24, 2),
        decoder=(6, 2),
    )


def _darts(name: str) -> nn.Module:
    from darts import TimeSeries, models

    class Windows(Wrapped):
        """The network that a model of darts has inside takes its own struct of past, future and static values."""

        def forward(self, past: Tensor) -> Any:
            """The next six values."""
            from darts.models.forecasting.pl_forecasting_module import PLModuleInput

            return self.network(PLModuleInput(past_target=past)).prediction

    series = TimeSeries.from_values(np.sin(np.arange(60, dtype=np.float32)))
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    made = getattr(models, name)(
        24, 6, n_epochs=1, batch_size=32, pl_trainer_kwargs={**quiet, "enable_model_summary": False}
    )
    made.fit(series)
    return Windows(made.model)


def _nixtla(name: str) -> nn.Module:
    from neuralforecast import models

    class Windows(Wrapped):
        """Its models take a dict of windows."""

        def forward(self, insample_y: Tensor) -> Any:
            """The next six values."""
            windows = {"insample_y": insample_y, "insample_mask": torch.ones_like(insample_y)}
            return self.network(windows | dict.fromkeys(("futr_exog", "hist_exog", "stat_exog")))

    return Windows(getattr(models, name)(h=6, input_size=24))


def _pytorch_forecasting(name: str) -> nn.Module:
    import pandas as pd
    import pytorch_forecasting as library

    class Windows(Wrapped):
        """A batch of its data set, of which the values are given and the rest is the same for all."""

        def forward(self, encoder: Tensor, decoder: Tensor | None = None) -> Any:
            """The forecast."""
            rows, past, ahead = encoder.shape[0], 24, 6
            none = encoder.new_zeros(rows, 0, dtype=torch.int64)
            return self.network(
                {
                    "encoder_cont": encoder,
                    "decoder_cont": encoder.new_zeros(rows, ahead, 1) if decoder is None else decoder,
                    "encoder_cat": none[:, None].expand(rows, past, 0),
                    "decoder_cat": none[:, None].expand(rows, ahead, 0),
                    "encoder_lengths": encoder.new_full((rows,), past, dtype=torch.int64),
                    "decoder_lengths": encoder.new_full((rows,), ahead, dtype=torch.int64),
                    "target_scale": torch.stack([encoder.new_zeros(rows), encoder.new_ones(rows)], 1),
                }
            )["prediction"]

    frame = pd.DataFrame(
        {"time": np.arange(60), "value": np.sin(np.arange(60)), "group": ["a"] * 60, "ahead": np.cos(np.arange(60))}
    )
    known = {} if name == "NBeats" else {"time_varying_known_reals": ["ahead"]}
    data = library.TimeSeriesDataSet(
        frame,
        "time",
        "value",
        ["group"],
        max_encoder_length=24,
        min_encoder_length=24,
        max_prediction_length=6,
        min_prediction_length=6,
        time_varying_unknown_reals=["value"],
        target_normalizer=library.data.EncoderNormalizer() if name == "NBeats" else "auto",
        **known,
    )
    return Windows(getattr(library, name).from_dataset(data))


# Graphs


def _graphs() -> Iterator[Row]:
    for name in ("GCNConv", "GATConv", "SAGEConv"):
        yield _array_row(
            f"torch_geometric {name}, one graph, a row of nodes' values",
            ".npz",
            lambda name=name: Net(name),
            x=(12, 5),  # type: ignore[misc]
        )
    yield _array_row("torch_geometric DenseGCNConv", ".npz", Dense, x=(12, 5), adjacency=(12, 12))


class Net(pl.LightningModule):
    """Roads between twelve places, whose values are a row."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import torch_geometric.nn

        ends = torch.randint(0, 12, (2, 40), generator=torch.Generator().manual_seed(0))
        self.register_buffer("edges", ends)
        kind = getattr(torch_geometric.nn, name)
        self.first, self.second = kind(5, 8), kind(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, places, 3]."""
        rows = x.shape[0]
        offsets = (torch.arange(rows, device=x.device) * 12).repeat_interleave(self.edges.shape[1])
        edges = self.edges.repeat(1, rows) + offsets
        made: Tensor = self.second(self.first(x.flatten(0, 1), edges).relu(), edges)
        return made.reshape(rows, 12, 3)


class Dense(pl.LightningModule):
    """A graph for each row, by its adjacency."""

    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn import DenseGCNConv

        self.first, self.head = DenseGCNConv(5, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """A vector for each graph."""
        made: Tensor = self.head(self.first(x, (adjacency > 0).float()).relu().mean(1))
        return made
