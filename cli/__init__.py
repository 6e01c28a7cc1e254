"""The nightlake command."""
