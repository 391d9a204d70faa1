"""Where labelled bounces come from: files, folders and data sets of the Hugging Face hub.

``places`` finds the sources, ``lines`` and ``records`` read text files line by line,
``streams`` makes all of it streams of ``datasets``, ``columns``, ``labels`` and
``times`` read the cells, ``rejects`` keeps what could not be used, ``load`` joins the
rows to distinct templates as they come.
"""
