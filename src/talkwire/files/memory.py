"""What this node remembers of files, in all its places at once: told of what was committed, or of what is gone."""

from talkwire.files import rules
from talkwire.files.model import FileState, HostedFile, Publication
from talkwire.files.previews import Previews
from talkwire.files.register import FileRegister
from talkwire.files.verdicts import Verdicts
from talkwire.kernel.ids import AccountId


class InMemory:
    """The register, the previews, and whoever waits for a verdict."""

    def __init__(self, register: FileRegister, previews: Previews, verdicts: Verdicts) -> None:
        self._register = register
        self._previews = previews
        self._verdicts = verdicts

    def judged(self, file: HostedFile, preview_uri: str) -> None:
        """A verdict was committed here; `preview_uri` is empty when no preview was made."""
        self._register.hold(file)
        self._previews.hold(*file.name, preview_uri)
        self._verdicts.told(file.name)

    def changed_elsewhere(self, file: HostedFile) -> None:
        """Another's verdict came first, or the file went away: whoever waits looks at the row."""
        self._register.forget(file.name)
        self._verdicts.told(file.name)

    def shown(self, publication: Publication, *, is_public: bool) -> None:
        """A publication was committed; the first one's preview stays."""
        file, preview = publication.file, publication.preview
        self._register.show(publication, is_public=is_public)
        if preview is not None and file.state is FileState.CLEAN:
            self._previews.replace(*file.name, rules.preview_uri(preview))

    def forget(self, account_id: AccountId, relative_path: str) -> None:
        """The file is gone."""
        self._register.forget((account_id, relative_path))
        self._previews.forget(account_id, relative_path)
        self._verdicts.told((account_id, relative_path))
