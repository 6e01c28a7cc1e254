"""Recommendations: what a model learns from, how it is fitted, judged and watched; pure."""
