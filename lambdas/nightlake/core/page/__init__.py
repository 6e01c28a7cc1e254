"""The page that a run leaves to look at: one HTML file that needs nothing besides itself."""
