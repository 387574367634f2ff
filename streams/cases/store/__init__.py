"""The case store: a database of cases for people.

The store keeps records after Kafka retention deletes them, and what people wrote about the cases.
"""
