"""Score a table on an Apache Spark cluster; see README.md beside this file for how to submit it."""

from __future__ import annotations

import argparse

from pyspark.sql import SparkSession

from whybounce.serving.score.spark import score


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Add predictions to a table of bounces.")
    parser.add_argument("source", help="s3a://…, hdfs://… or a local path")
    parser.add_argument("out", help="Folder to write Parquet to; must not be there yet")
    parser.add_argument("--format", default="parquet", choices=["parquet", "json", "csv", "orc"])
    parser.add_argument("--column", help="Column of diagnostics")
    parser.add_argument("--fields", help="Fields to add, as in reason,action,confidence; all by default")
    parser.add_argument("--prefix", default="bounce_")
    parser.add_argument("--artifact", help="Folder of your own model as the workers see it: a name from --archives")
    parser.add_argument("--partitions", type=int, help="Spread the rows evenly over so many tasks first")
    return parser.parse_args()


def main() -> None:
    """Read, score, write."""
    given = arguments()
    session = SparkSession.builder.appName("whybounce score").getOrCreate()
    reader = session.read.option("header", "true") if given.format == "csv" else session.read
    frame = reader.format(given.format).load(given.source)
    if given.partitions:
        frame = frame.repartition(given.partitions)
    fields = given.fields.split(",") if given.fields else None
    scored = score(frame, artifact=given.artifact, column=given.column, fields=fields, prefix=given.prefix)
    scored.write.mode("errorifexists").parquet(given.out)
    session.stop()


if __name__ == "__main__":
    main()
