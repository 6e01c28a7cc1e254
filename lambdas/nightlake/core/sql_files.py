"""The folders of a pipeline's SQL that its night runs, each file one statement named like what it makes."""

from typing import Final, Literal, get_args

Folder = Literal["merge", "views", "reports", "audits"]
FOLDERS: Final[tuple[Folder, ...]] = get_args(Folder)
