"""From labelled bounces to a published artifact. Needs the extra ``train``."""
