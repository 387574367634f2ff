"""The case store: a database of cases for people.

It keeps records after Kafka retention deletes them, and what people wrote about the cases.
"""
