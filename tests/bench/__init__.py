"""The benchmark: ``make bench``. Everything is measured in one run; read the ratios."""
