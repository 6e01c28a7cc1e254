"""Athena on this machine: SQL that answers as AWS would, or refuses."""
