"""What is looked at item by item, and when it is off: one module for each kind of records.

In each, KIND says when a record of it is off, `calls` lists what makes the records, and a function beside it does so in
whatever process performs the calls.
"""
