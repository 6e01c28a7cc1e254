"""The local AWS and the outside world it needs."""
