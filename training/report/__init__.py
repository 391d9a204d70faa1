"""The evidence about a model: one JSON document, and what is rendered from it.

``measure`` computes the document; ``sections`` turns it into tables and sentences whose
every figure names its place in the document; ``render`` writes those as HTML, Markdown
or JSON. Nothing is computed on the way, so the three cannot disagree.
"""
