"""Files from outside, read and planned before anything is recorded.

The flow of one file::

    file ──sheets──▶ Table ──columns──▶ Columns ──plan──▶ Plan ──▶ (recording)
             │                              ▲          │
          archive, delimited           a person     errors_file
                                       confirms

1. ``sheets`` reads a workbook (XLSX, XLS, ODS) or a CSV file into a `Table`: the header,
   the rows that are not blank with the numbers a person sees, and where they came from.
   ``archive`` looks into a zipped workbook before anything unpacks it, ``delimited``
   decodes and splits text.
2. ``columns`` says which column is what: proposed from known headers, shown to a person.
3. ``plan`` turns the rows into gifts (``gift_rows`` reads one row, ``cells`` one cell,
   ``order_dates`` the days inside order numbers) and says everything that is wrong,
   repeated, recorded already, or odd (``oddities``). Nothing of it touches a database: what
   the ledger knows of an order number comes in as a function.
4. A plan that is not clean records nothing; ``errors_file`` gives its rows back in the
   file's own layout, with what to do about each.

Lists of goods go the same way, two at a time: ``goods_lists`` reads offers and deliveries,
``goods_items`` finds their items, ``goods_matching`` gives each delivery the lots that it came
out of, ``goods_plan`` is what comes of it, ``goods_account`` accounts for every row and unit,
``goods_recording`` records.

Reading and planning are pure: the same bytes and the same ledger give the same
`Plan.digest`, so what a person saw is what is recorded.

This package imports nothing by itself; import the module that you need.
"""
