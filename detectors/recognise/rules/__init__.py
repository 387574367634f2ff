"""The rules that read a text: which number is a code, and which rule says so."""
