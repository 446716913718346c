import numpy as np

from lit_infer.tasks import TASKS, Ask
from lit_infer.tasks.image_embedding import Embedding

TASK = TASKS["image-embedding"]
READING = TASK.reading(labels=None, answers={}, size=2)


def test_each_image_has_its_own_features_which_do_not_keep_the_batch() -> None:
    features = np.array([[1, 2], [3, 4]], dtype=np.float64)

    one, two = TASK.read([features], [Ask(), Ask()], READING)
    features[:] = 0

    assert isinstance(one, Embedding)
    assert isinstance(two, Embedding)
    assert (one.embedding.tolist(), two.embedding.tolist()) == ([1, 2], [3, 4])
    assert one.embedding.dtype == np.float32
    assert one.embedding.base is None


def test_embeddings_are_equal_by_value() -> None:
    one, same, other = (Embedding(np.array(values, dtype=np.float32)) for values in ([1, np.nan], [1, np.nan], [1, 2]))

    assert (one, hash(one)) == (same, hash(same))
    assert one != other
    assert one != [1, 2]
