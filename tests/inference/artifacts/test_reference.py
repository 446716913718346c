import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.artifacts.reference import Reference, check_names, is_version, looks_like_reference, parse
from lit_infer.errors import UsageError

FIRST = string.ascii_letters + string.digits + "_"
names = st.builds(str.__add__, st.sampled_from(FIRST), st.text(alphabet=FIRST + ".-", max_size=127))
references = st.builds(Reference, names, names, names, names)


@given(references)
def test_a_reference_is_read_back_as_it_was_written(reference: Reference) -> None:
    assert parse(str(reference)) == reference
    assert looks_like_reference(str(reference))


@given(references)
def test_without_an_alias_the_latest_is_meant(reference: Reference) -> None:
    assert parse(reference.collection) == reference.at("latest")


@given(st.text())
def test_any_text_is_a_reference_or_is_explained(text: str) -> None:
    try:
        found = str(parse(text))
    except UsageError as error:
        found = str(error)

    explained = "entity/project/name:alias" in found or "may hold" in found or "is empty" in found
    assert explained or found in (text, f"{text}:latest")


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("digits-cnn:best", "1 of the 3 parts"),
        ("digits/digits-cnn", "2 of the 3 parts"),
        ("a/b/c/d:best", "4 of the 3 parts"),
        ("a/b/c:", "the alias after the colon is empty"),
        ("a/b/:best", "the name '' may hold"),
        ("/b/c", "the entity '' may hold"),
        ("a/b c/d:best", "the project 'b c' may hold"),
        ("a/b/c:be st", "the alias 'be st' may hold"),
        ("a/b/c:x:y", "the alias 'x:y' may hold"),
        ("a/b/c\n", r"the name 'c\n' may hold"),
        (f"a/b/{'c' * 129}", "at most 128 characters"),
    ],
)
def test_a_malformed_reference_is_explained_with_the_part_at_fault(text: str, explanation: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert explanation in str(caught.value)


@pytest.mark.parametrize("part", ["..", ".", ".hidden", "-rf", "a/b", "a\\b", "", "a\0b", "é"])
@pytest.mark.parametrize("place", range(4))
def test_no_part_can_leave_the_registry_or_hide_in_it(part: str, place: int) -> None:
    parts = ["entity", "project", "name", "alias"]
    parts[place] = part

    with pytest.raises(UsageError, match="may hold letters, digits"):
        check_names(Reference(*parts))


@pytest.mark.parametrize("text", ["./a/b", "/a/b", "~/a/b", "a/b", "a", "a/b/c/d", "https://a/b"])
def test_what_can_only_be_a_path_does_not_look_like_a_reference(text: str) -> None:
    assert not looks_like_reference(text)


@pytest.mark.parametrize("version", ["v0", "v1", "v10", "v1234567"])
def test_versions_are_v_and_a_number(version: str) -> None:
    assert is_version(version)


@pytest.mark.parametrize("alias", ["v", "v01", "V1", "v-1", "v1.0", "1", "latest", "v1\n", "v\u0661"])
def test_other_names_are_aliases(alias: str) -> None:
    assert not is_version(alias)
