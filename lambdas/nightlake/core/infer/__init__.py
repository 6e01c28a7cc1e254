"""What a file looks like: its dialect, its columns and their types, as a contract and a source that a person edits."""
