"""Export: everything of a log as tables that spreadsheets and databases read.

`tables` says which tables there are and what each column means, `writing` puts rows into
CSV and Parquet files, `exporting` writes a folder with a manifest, `checking` compares
such a folder with its manifest and recomputes the log's root from it.

Only what is public goes out: sealed fields appear as their commitments.
"""
