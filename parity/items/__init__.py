"""What is looked at item by item: one module for each kind of records.

In each, KIND is the name of the kind, `calls` lists what makes the records, and a function beside it does so in
whatever process performs the calls.
"""
