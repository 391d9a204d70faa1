"""The bounce report: counts that can be merged, what follows from them, and how they are shown."""
