"""The search language: grammar, typed tree, types, hints, printing back. Pure.

`parse` reads a text, `text` prints a tree; between them stands `tree`, which every way of asking
becomes (TraceQL, Jaeger's parameters and filters, Zipkin's annotation queries) and which only the
store evaluates.
"""
