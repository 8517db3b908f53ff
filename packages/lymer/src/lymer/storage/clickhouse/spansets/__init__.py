"""Questions in the search language, answered by the engine (docs/adr/035).

`conditions` compiles what is asked of one span to SQL, `plan` sorts a question into conditions and
a walk, `walk` relates the spans of one trace, `search` and `series` ask and put together.
"""
