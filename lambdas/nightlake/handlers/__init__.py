"""Thin: parse the event, call one core function, return a small dict."""
