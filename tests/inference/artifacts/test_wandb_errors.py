"""lit_infer.artifacts.wandb_errors: what the client raises as one of our errors; test_wandb.py has the real ones."""

import pytest
import requests
import wandb

from lit_infer.artifacts.wandb_errors import explained
from lit_infer.errors import ArtifactError, GateError, UsageError


@pytest.mark.parametrize("error", [ValueError("Unable to parse"), TypeError("None"), KeyError("a"), AttributeError()])
def test_an_answer_of_another_form_is_one_line(error: Exception) -> None:
    with (
        pytest.raises(ArtifactError, match=r"u/p/m:v0: the answer of W&B at .* could not be understood"),
        explained("u/p/m:v0"),
    ):
        raise error


@pytest.mark.parametrize("error", [ConnectionResetError("reset by peer"), requests.ReadTimeout("timed out")])
def test_a_broken_connection_is_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(ArtifactError, match=r"m: W&B at http://127\.0\.0\.1:9 cannot be reached"), explained("m"):
        raise error


@pytest.mark.parametrize("port", [35030, 40322, 50010])
def test_the_digits_of_a_port_are_no_status(port: int) -> None:
    said = f"The API key is invalid for http://127.0.0.1:{port}/503?why=timeout"
    with pytest.raises(UsageError, match="refuses this API key"), explained("m"):
        raise wandb.errors.AuthenticationError(said)


@pytest.mark.parametrize("error", [GateError("ours"), ZeroDivisionError("a bug"), FileNotFoundError("a file")])
def test_our_errors_bugs_and_files_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), explained("m"):
        raise error
