"""Where master keys come from, and what is refused."""

from pathlib import Path

import pytest

from talkwire.vault.errors import MasterKeyWrong, NothingToRotate
from talkwire.vault.masters import MasterFile, MasterSecrets, check_private, make_private, parse_master
from talkwire.vault.wrapping import fingerprint

ONE, TWO = "5c" * 32, "a7" * 32


def test_the_first_start_makes_a_private_file(tmp_path: Path) -> None:
    first = MasterFile(tmp_path).first()
    path = tmp_path / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert fingerprint(parse_master(path.read_text())) == first
    assert MasterFile(tmp_path).first() == first
    assert MasterFile(tmp_path).known().keys() == {first}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    MasterFile(tmp_path).first()
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(MasterKeyWrong, match="chmod 600"):
        MasterFile(tmp_path).known()


@pytest.mark.parametrize("text", ["", "5c" * 31, "zz" * 32, "5c" * 33, "käse"])
def test_what_is_no_master_key_is_refused_without_being_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(MasterKeyWrong, match="64 hex digits"):
        parse_master(text)
    path = tmp_path / "master.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(MasterKeyWrong, match="is not a master key") as refusal:
        MasterFile(tmp_path).known()
    assert not text or text not in str(refusal.value)


def test_a_rotation_replaces_the_file_and_overwrites_the_old_bytes(tmp_path: Path) -> None:
    masters = MasterFile(tmp_path)
    first = masters.first()
    with (tmp_path / "master.key").open() as held:
        following = masters.following(first)
        masters.settle(following)
        assert set(held.read().strip()) == {"0"}
    assert MasterFile(tmp_path).known().keys() == {following}
    assert {path.name for path in tmp_path.iterdir()} == {"master.key"}
    assert masters.known().keys() == {first, following}, "reads under way may still need the former"


def test_a_rotation_broken_off_before_the_commit_is_taken_back(tmp_path: Path) -> None:
    first = MasterFile(tmp_path).first()
    MasterFile(tmp_path).following(first)
    again = MasterFile(tmp_path)
    assert len(again.known()) == 2
    again.settle(first)
    assert MasterFile(tmp_path).known().keys() == {first}


def test_a_rotation_broken_off_after_the_commit_is_ended(tmp_path: Path) -> None:
    first = MasterFile(tmp_path).first()
    following = MasterFile(tmp_path).following(first)
    again = MasterFile(tmp_path)
    again.settle(following)
    assert MasterFile(tmp_path).known().keys() == {following}
    again.settle(following)
    assert MasterFile(tmp_path).known().keys() == {following}


def test_a_next_key_that_nobody_knows_of_is_not_overwritten(tmp_path: Path) -> None:
    masters = MasterFile(tmp_path)
    first = masters.first()
    masters.following(first)
    masters.settle("0123456789abcdef")
    assert len(MasterFile(tmp_path).known()) == 2
    with pytest.raises(NothingToRotate, match=r"master\.next\.key"):
        masters.following(first)


def test_keys_from_settings_are_known_and_never_touched() -> None:
    masters = MasterSecrets(ONE, TWO)
    assert masters.known() == {fingerprint(bytes.fromhex(text)): bytes.fromhex(text) for text in (ONE, TWO)}
    assert masters.following(fingerprint(bytes.fromhex(TWO))) == masters.first()
    masters.settle(masters.first())
    with pytest.raises(NothingToRotate, match="master_key_former"):
        masters.following(masters.first())


def test_an_empty_folder_is_made_private_one_in_use_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    make_private(folder)
    check_private(folder)
    (folder / "keys.db").touch()
    folder.chmod(0o750)
    with pytest.raises(MasterKeyWrong, match="chmod 700"):
        make_private(folder)
