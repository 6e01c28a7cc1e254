"""The seams: where the pinned emulator is made to behave as AWS does, and the list of what still differs."""


def install() -> None:
    """Nothing yet."""
